import { describe, expect, test } from "bun:test";
import { CompiledQuery } from "kysely";
import type { TestNode } from "#test/support/node.ts";
import { PootWorld, SLOT_MS, SLOTS } from "#test/support/poot.ts";
import { seededRandom } from "#test/support/seeded-random.ts";
import { nodeCaller } from "@/core/caller.ts";

const KILLS = 25;

function beatOrRestart({ poot }: PootWorld, node: TestNode, die: number): void {
  if (die < 0.1) node.restart();
  node.beat(poot);
}

/** Every slot with an accepted heartbeat is credited, and none twice. */
async function expectAllCredited(world: PootWorld): Promise<void> {
  for (const node of world.nodes) {
    expect(await world.creditedTicks(node)).toBe(node.acceptedIn.size);
  }
}

describe("a pool that is killed", () => {
  test.each([1, 2, 3])("loses no tick and credits none twice (seed %i)", async (seed) => {
    const dice = seededRandom(seed);
    await using world = await PootWorld.start();
    await world.join(await world.pool(), 5);
    for (let kill = 0; kill < KILLS; kill++) {
      await world.slots(Math.floor(dice() * 14));
      await world.pass(Math.floor(dice() * SLOT_MS));
      world.kill();
      await world.pass(Math.floor(dice() * 3 * SLOT_MS));
      await world.restart();
    }
    await world.slots(2);
    await world.close();
    await expectAllCredited(world);
  });

  test("loses nothing of answers that never arrived", async () => {
    const dice = seededRandom(4);
    await using world = await PootWorld.start();
    await world.join(await world.pool(), 3);
    await world.slots(40, () => {
      for (const node of world.nodes) node.beat(world.poot, { isAnswerLost: dice() < 0.3 });
    });
    await world.slots(1);
    await world.close();
    await expectAllCredited(world);
  });

  test.each([
    ["its answer came a slot late", 1, "accepted"],
    ["it gave the claim up", 2, "behind"],
  ] as const)("asks a node back in the same slot when %s", async (_, slots, outcome) => {
    await using world = await PootWorld.start();
    await world.join(await world.pool(), 1);
    await world.slots(3);
    await world.slots(1, () => world.node.beat(world.poot, { isAnswerLost: true }));
    await world.slots(slots - 1, () => {});
    await world.slots(1, () => {});
    const { slot } = world.poot.poolTime();
    const heartbeat = world.node.heartbeat(world.poot);
    const told = heartbeat && world.poot.heartbeat(nodeCaller(world.node.id), heartbeat);
    expect(told?.answer.type).toBe(outcome);
    await world.pass(told?.nextInMs ?? 0);
    expect(world.poot.poolTime().slot).toBe(slot);
  });

  test("loses nothing of nodes that restart and hand in what they hold", async () => {
    const dice = seededRandom(5);
    await using world = await PootWorld.start();
    await world.join(await world.pool(), 3);
    await world.slots(60, () => {
      for (const node of world.nodes) beatOrRestart(world, node, dice());
    });
    await world.slots(3);
    await world.close();
    await expectAllCredited(world);
  });

  test("tells slots it did not see from slots the node was down", async () => {
    await using world = await PootWorld.start();
    await world.join(await world.pool(), 1);
    await world.slots(SLOTS + 4);
    world.kill();
    await world.pass(4 * SLOT_MS);
    await world.restart();
    world.beatAll();
    await world.slots(8);
    await world.finish();
    const today = world.poot.today(world.node.id);
    expect(today.down).toBe(0);
    expect(today.up).toBe(world.node.acceptedIn.size);
    expect(today.unobserved).toBeGreaterThanOrEqual(3);
  });

  test("closes what is complete when it is stopped in good order", async () => {
    await using world = await PootWorld.start();
    await world.join(await world.pool(), 1);
    await world.slots(SLOTS);
    world.clock.stall(SLOT_MS);
    await world.stop();
    const { database } = world;
    const rows = await database.sql.selectFrom("poot_interval").select("id").execute();
    expect(rows.length).toBeGreaterThan(0);
  });
});

describe("two closers on one disk", () => {
  test("close an interval once; what the loser heard is credited when it is alone again", async () => {
    await using world = await PootWorld.start();
    await world.join(await world.pool(), 4);
    await world.slots(3);
    const pools = [world.poot, await world.another()];
    await world.slots(3 * SLOTS, (at) => {
      for (const node of world.nodes) node.beat(pools[at % 2] ?? world.poot);
    });
    expect(world.lines.some((line) => line.includes("poot.closed"))).toBe(true);
    const closed = await world.poot.creditsAfter(0n, 1_000);
    const keys = closed.map(({ firstSlot }) => firstSlot);
    expect(keys).toEqual([...new Set(keys)]);
    world.kill();
    await world.restart();
    await world.slots(2);
    await world.close();
    await expectAllCredited(world);
  });
});

describe("a disk that is full", () => {
  test("stops no heartbeat; what was heard is credited once there is room", async () => {
    await using world = await PootWorld.start();
    await world.join(await world.pool(), 4);
    await world.slots(2 * SLOTS);
    const pages = await pageCount(world);
    await world.database.read(CompiledQuery.raw(`PRAGMA max_page_count = ${pages}`));
    await world.slots(6 * SLOTS);
    expect(world.database.state()).toBe("full");
    expect(world.node.acceptedIn.size).toBe(8 * SLOTS);
    expect(world.node.acknowledged).toBeLessThan(4 * SLOTS);
    expect(world.poot.intervalsBehind()).toBeGreaterThan(2);
    await world.database.read(CompiledQuery.raw("PRAGMA max_page_count = 100000"));
    await world.finish();
    await world.finish();
    expect(world.database.state()).toBe("writable");
    await expectAllCredited(world);
    const today = world.poot.today(world.node.id);
    expect([today.up, today.down]).toEqual([world.node.acceptedIn.size, 0]);
    expect(world.poot.intervalsBehind()).toBe(0);
  });
});

async function pageCount(world: PootWorld): Promise<bigint> {
  const query = CompiledQuery.raw("PRAGMA page_count");
  const [row] = await world.database.read<{ page_count: bigint }>(query as never);
  return row?.page_count ?? 0n;
}
