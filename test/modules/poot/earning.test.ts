import { describe, expect, test } from "bun:test";
import { PootWorld, SLOT_MS, SLOTS } from "#test/support/poot.ts";
import { SYSTEM } from "#test/support/registry.ts";
import { nodeCaller } from "@/core/caller.ts";
import { CLAIM_MAINTENANCE } from "@/core/poot/claim.ts";
import { fromPlainProof, toPlainProof } from "@/core/poot/plain-proof.ts";
import { isProven, verifyProof } from "@/core/poot/verify.ts";

const DAY_MS = 86_400_000;

describe("a node that answers in every slot", () => {
  test("earns every slot, once the interval is closed", async () => {
    await using world = await PootWorld.start();
    const home = await world.pool();
    const [node] = await world.join(home, 1);
    await world.slots(2 * SLOTS);
    expect(node?.acceptedIn.size).toBe(2 * SLOTS);
    await world.close();
    expect(await world.creditedTicks(world.node)).toBe(2 * SLOTS);
    await world.slots(1);
    expect(world.node.acknowledged).toBe(2 * SLOTS);
    expect(world.poot.today(world.node.id)).toEqual({
      up: 2 * SLOTS + 1,
      down: 0,
      unobserved: 0,
      planned: 0,
    });
  });

  test("is alive, and its pool tells it when to come next", async () => {
    await using world = await PootWorld.start();
    await world.join(await world.pool(), 1);
    expect(world.registry.getNode(world.node.id).state).toBe("new");
    await world.slots(1);
    expect(world.registry.getNode(world.node.id)).toMatchObject({
      state: "alive",
      lastSeenMs: world.clock.now(),
    });
    await world.pass(SLOT_MS);
    const heartbeat = world.node.heartbeat(world.poot);
    const told = heartbeat && world.poot.heartbeat(nodeCaller(world.node.id), heartbeat);
    expect(told?.nextInMs).toBeGreaterThan(0);
    expect(told?.nextInMs).toBeLessThan(2 * SLOT_MS);
  });

  test("proves it offline with a file", async () => {
    await using world = await PootWorld.start();
    const home = await world.pool();
    await world.join(home, 1);
    await world.slots(25);
    await world.close();
    const { slot: to } = world.poot.poolTime();
    const node = world.registry.getNode(world.node.id);
    const file = JSON.stringify(
      toPlainProof(await world.poot.proof({ node, pool: home.id, from: 0, to })),
    );
    const proof = fromPlainProof(JSON.parse(file));
    const keys = { poolKey: home.publicKey, nodeKey: world.node.key.publicKey };
    const checks = verifyProof(proof, keys);
    expect(checks.filter(({ ok }) => !ok)).toEqual([]);
    expect(isProven(checks)).toBe(true);
    expect([proof.creditTotal, proof.isComplete]).toEqual([25, true]);
  });
});

describe("slots without a heartbeat", () => {
  test("are down, whatever came before and after", async () => {
    await using world = await PootWorld.start();
    const home = await world.pool();
    await world.join(home, 1);
    await world.slots(SLOTS);
    await world.slots(4, () => {});
    await world.slots(6);
    await world.close();
    expect(await world.creditedTicks(world.node)).toBe(16);
    const today = world.poot.today(world.node.id);
    expect([today.up, today.down, today.unobserved]).toEqual([16, 4, 0]);
    expect(world.poot.dayOfPool(home.id)).toEqual(today);
  });

  test("are planned when the node has announced maintenance", async () => {
    await using world = await PootWorld.start();
    await world.join(await world.pool(), 1);
    await world.slots(SLOTS - 1);
    await world.slots(1, () => world.node.beat(world.poot, { flags: CLAIM_MAINTENANCE }));
    await world.slots(12, () => {});
    await world.slots(8);
    await world.close();
    const today = world.poot.today(world.node.id);
    expect([today.up, today.planned, today.down]).toEqual([18, 12, 0]);
  });

  test("before its first OPEN are none, on a day that began with a pool that was off", async () => {
    await using world = await PootWorld.start({ startMs: Date.UTC(2026, 0, 5) });
    const home = await world.pool();
    await world.join(home, 1);
    await world.slots(SLOTS);
    await world.close();
    world.kill();
    world.clock.advance(3_600_000);
    await world.restart();
    const [late] = await world.join(home, 1);
    await world.slots(SLOTS);
    await world.close();
    world.clock.advance(DAY_MS);
    const day = await world.poot.day(late?.id ?? world.node.id, Date.UTC(2026, 0, 5));
    expect([day.up, day.unobserved]).toEqual([SLOTS, 0]);
    const other = await world.poot.day(world.node.id, Date.UTC(2026, 0, 5));
    expect(other.unobserved).toBeGreaterThanOrEqual(100);
  });

  test("make it late, then lost, and a heartbeat brings it back", async () => {
    await using world = await PootWorld.start();
    await world.join(await world.pool(), 1);
    const state = () => world.registry.getNode(world.node.id).state;
    await world.slots(2);
    await world.slots(2, () => {});
    expect(state()).toBe("late");
    await world.slots(2, () => {});
    expect(state()).toBe("lost");
    await world.slots(1);
    expect(state()).toBe("alive");
  });
});

describe("a node's own health", () => {
  test.each([
    ["full", 1000, 1000],
    ["lower than the probes", 700, 700],
    ["below half", 499, 0],
  ])("%s", async (_, healthPermille, paid) => {
    await using world = await PootWorld.start();
    const home = await world.pool();
    await world.join(home, 1);
    await world.slots(3, () => world.node.beat(world.poot, { healthPermille }));
    await world.close();
    const [credit] = await world.creditsOf(world.node);
    expect([credit?.ticks, credit?.healthPermille]).toEqual([3, paid]);
  });

  test("cannot raise what the probes say", async () => {
    await using world = await PootWorld.start();
    const home = await world.pool();
    await world.join(home, 1);
    world.registry.judge(world.node.id, { healthPermille: 800 });
    await world.slots(3);
    await world.close();
    expect((await world.creditsOf(world.node))[0]?.healthPermille).toBe(800);
  });
});

describe("closed intervals", () => {
  test("are read page by page, in the order they were closed", async () => {
    await using world = await PootWorld.start();
    await world.join(await world.pool(), 2);
    await world.slots(3 * SLOTS);
    await world.close();
    const all = await world.poot.creditsAfter(0n);
    const [first] = await world.poot.creditsAfter(0n, 1);
    const rest = await world.poot.creditsAfter(first?.cursor ?? 0n);
    expect([first, ...rest]).toEqual([...all]);
    expect(await world.poot.creditsAfter(all.at(-1)?.cursor ?? 0n)).toEqual([]);
  });

  test("become the newest proof of each session when they are old and booked", async () => {
    await using world = await PootWorld.start();
    const home = await world.pool();
    await world.join(home, 1);
    await world.slots(2 * SLOTS);
    await world.close();
    world.kill();
    world.clock.advance(29 * DAY_MS);
    for (const days of [29, 29, 5]) {
      await world.restart();
      await world.slots(SLOTS);
      await world.close();
      world.kill();
      world.clock.advance(days * DAY_MS);
    }
    await world.restart();
    const all = await world.poot.creditsAfter(0n);
    await world.poot.prune();
    expect(await world.poot.creditsAfter(0n)).toHaveLength(all.length);
    world.poot.bookedUntil(all.at(-1)?.cursor ?? 0n);
    await world.poot.prune();
    const left = await world.poot.creditsAfter(0n);
    expect(left.length).toBeLessThan(all.length);
    expect(left.length).toBeGreaterThan(0);
    expect(all.slice(-left.length)).toEqual([...left]);
    const proofs = await world.database.sql.selectFrom("poot_proof").selectAll().execute();
    expect(proofs.map(({ node }) => node)).toContain(world.node.id);
    await world.slots(SLOTS);
    await world.close();
    expect(world.poot.today(world.node.id).up).toBeGreaterThanOrEqual(SLOTS);
  });

  test("are counted again from their claims, and tell the same", async () => {
    await using world = await PootWorld.start();
    const home = await world.pool();
    await world.join(home, 3);
    await world.slots(15);
    world.node.restart();
    await world.slots(3, () => world.node.beat(world.poot));
    await world.registry.suspend(SYSTEM, world.node.id);
    await world.slots(12);
    await world.registry.resume(SYSTEM, world.node.id);
    await world.slots(10);
    await world.close();
    const range = { pool: home.id, from: 0, to: world.poot.poolTime().slot };
    const all = await world.poot.calculate({ ...range, node: undefined });
    expect([all.isEqual, all.differences]).toEqual([true, []]);
    expect(all.recomputed).toEqual(all.stored);
    const ticks = await Promise.all(world.nodes.map((node) => world.creditedTicks(node)));
    expect(all.stored.ticks).toBe(ticks.reduce((sum, one) => sum + one, 0));
    const one = await world.poot.calculate({ ...range, node: world.node.id });
    expect(one.recomputed.ticks).toBe(ticks[0] ?? 0);
  });

  test("are asked what the books say of them", async () => {
    await using world = await PootWorld.start();
    const home = await world.pool();
    await world.join(home, 1);
    await world.slots(SLOTS);
    await world.close();
    world.poot.compareWith(async (_pool, _node, credits) => ({
      recomputedMicroUsdt: BigInt(credits.length),
      ledgerMicroUsdt: 7n,
    }));
    const range = { pool: home.id, node: undefined, from: 0, to: world.poot.poolTime().slot };
    expect(await world.poot.calculate(range)).toMatchObject({
      isEqual: false,
      ledger: { ledgerMicroUsdt: 7n },
    });
  });
});
