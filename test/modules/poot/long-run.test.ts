import { describe, expect, test } from "bun:test";
import { CompiledQuery } from "kysely";
import { PootWorld, SLOT_MS, SLOTS } from "#test/support/poot.ts";
import { codeOf, SYSTEM } from "#test/support/registry.ts";
import { decodeReceipt } from "@/core/poot/receipt.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** So many days pass while the pool does not run, in steps its clock believes at a start. */
async function sleepDays(world: PootWorld, days: number): Promise<void> {
  for (let left = days; left > 0; left -= 29) {
    await world.stop();
    world.clock.advance(Math.min(29, left) * DAY_MS);
    await world.restart();
  }
}

async function fillDisk({ database }: PootWorld): Promise<void> {
  const query = CompiledQuery.raw("PRAGMA page_count");
  const [row] = await database.read<{ page_count: bigint }>(query as never);
  await database.read(CompiledQuery.raw(`PRAGMA max_page_count = ${row?.page_count}`));
}

describe("a pool without nodes", () => {
  test("keeps how far its time has come when it stops", async () => {
    await using world = await PootWorld.start();
    await world.pool();
    await sleepDays(world, 80);
    expect(world.poot.poolTime().trusted).toBe(true);
  });

  test("keeps it while it runs, too, for the day the power fails", async () => {
    await using world = await PootWorld.start();
    await world.pool();
    await world.clock.pass(7 * HOUR_MS, SLOT_MS / 2);
    world.kill();
    world.clock.advance(30 * DAY_MS - 3 * HOUR_MS);
    await world.restart();
    expect(world.poot.poolTime().trusted).toBe(true);
  });
});

describe("a pool whose nodes have left long ago", () => {
  test("never counts its intervals from the beginning again", async () => {
    await using world = await PootWorld.start();
    await world.join(await world.pool(), 1);
    await world.slots(2 * SLOTS);
    await world.registry.leave(SYSTEM, world.node.id);
    await world.close();
    const before = (await world.poot.creditsAfter(0n)).at(-1)?.cursor ?? 0n;
    await sleepDays(world, 100);
    world.poot.bookedUntil(before);
    await world.poot.prune();
    await world.stop();
    await world.restart();
    world.poot.bookedUntil(before);
    await world.registry.join(SYSTEM, world.node.id, world.registry.getNode(world.node.id).pool);
    await world.slots(SLOTS);
    await world.close();
    const after = await world.poot.creditsAfter(before);
    expect(after.flatMap(({ credits }) => credits).length).toBeGreaterThan(0);
  });
});

describe("a node that is silent for long", () => {
  test("leaves the memory, and goes on in its session when it comes back", async () => {
    await using world = await PootWorld.start();
    const sessions = async () => {
      const { text } = await world.metrics.scrape(false);
      return /^galaxy_sessions (\d+)$/m.exec(text)?.[1];
    };
    await world.join(await world.pool(), 2);
    const [silent, other] = world.nodes;
    await world.slots(SLOTS + 3);
    await world.slots(3 * SLOTS, () => other?.beat(world.poot));
    expect(await sessions()).toBe("2");
    await world.slots(2 * SLOTS, () => other?.beat(world.poot));
    expect(await sessions()).toBe("1");
    await world.slots(SLOTS);
    await world.close();
    expect([await world.creditedTicks(world.node), silent?.sessions]).toEqual([2 * SLOTS + 3, 1]);
    expect(await sessions()).toBe("2");
  });
});

describe("the receipt master", () => {
  test("is another one after a month, and receipts of the one before are still paid", async () => {
    await using world = await PootWorld.start();
    await world.join(await world.pool(), 1);
    await world.slots(SLOTS);
    await world.poot.tend();
    await sleepDays(world, 29);
    await world.slots(2);
    expect(keyIdOf(world)).toBe(0);
    await sleepDays(world, 4);
    await world.poot.tend();
    await world.slots(1);
    expect(keyIdOf(world)).toBe(1);
    await world.slots(2);
    await world.close();
    const { sessions } = world.node;
    expect([await world.creditedTicks(world.node), sessions]).toEqual([SLOTS + 5, 1]);
  });

  test("stays the same while the clock is not believed", async () => {
    await using world = await PootWorld.start();
    await world.join(await world.pool(), 1);
    await world.slots(2);
    await world.poot.tend();
    world.clock.jump(40 * DAY_MS);
    await world.poot.tend();
    world.clock.jump(-40 * DAY_MS);
    await world.slots(2);
    expect(keyIdOf(world)).toBe(0);
  });
});

function keyIdOf({ node }: PootWorld): number | undefined {
  const { last } = node.memory();
  return last && decodeReceipt(last.receipt).keyId;
}

describe("a clock that is decades ahead", () => {
  test("makes a pool forget nothing", async () => {
    await using world = await PootWorld.start();
    await world.join(await world.pool(), 1);
    await world.slots(4 * SLOTS);
    const all = await world.poot.creditsAfter(0n);
    world.poot.bookedUntil(100n);
    world.clock.jump(30 * 365 * DAY_MS);
    await world.poot.prune();
    expect(await world.poot.creditsAfter(0n)).toEqual(all);
    expect(all.length).toBeGreaterThan(2);
  });
});

describe("a disk that is full", () => {
  test("does not end a pool that wants to forget old intervals", async () => {
    await using world = await PootWorld.start();
    await world.join(await world.pool(), 4);
    await world.slots(2 * SLOTS);
    await sleepDays(world, 100);
    await world.slots(2 * SLOTS);
    await fillDisk(world);
    await world.slots(6 * SLOTS);
    expect(world.database.state()).toBe("full");
    world.poot.bookedUntil(100n);
    await world.poot.tend();
    expect(world.lines.some((line) => line.includes("old intervals were not forgotten"))).toBe(
      true,
    );
  });

  test("leaves a clock in doubt that could not be accepted in writing", async () => {
    await using world = await PootWorld.start();
    await world.join(await world.pool(), 4);
    await world.slots(2 * SLOTS);
    await fillDisk(world);
    await world.slots(6 * SLOTS);
    world.clock.jump(40 * DAY_MS);
    await world.pass(SLOT_MS);
    expect(world.poot.poolTime().trusted).toBe(false);
    expect(await codeOf(world.poot.acceptClock(SYSTEM))).toStartWith("database.");
    expect(world.poot.poolTime().trusted).toBe(false);
  });
});
