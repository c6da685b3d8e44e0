import { describe, expect, test } from "bun:test";
import { PootWorld, SLOT_MS, SLOTS } from "#test/support/poot.ts";
import { nodeCaller } from "@/core/caller.ts";
import { CLAIM_MAINTENANCE } from "@/core/poot/claim.ts";
import { fromPlainProof, toPlainProof } from "@/core/poot/plain-proof.ts";
import { isProven, verifyProof } from "@/core/poot/verify.ts";

describe("a node that answers in every slot", () => {
  test("earns every slot, once the interval is closed", async () => {
    await using world = await PootWorld.start();
    const home = await world.pool();
    const [node] = await world.join(home, 1);
    await world.slots(2 * SLOTS);
    expect(node?.acceptedIn.size).toBe(2 * SLOTS);
    await world.close();
    expect(await world.creditedTicks(world.node)).toBe(2 * SLOTS);
    const unbooked = world.poot.unbooked(home.id, world.node.id);
    expect(unbooked.reduce((sum, { ticks }) => sum + ticks, 0)).toBe(2 * SLOTS);
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
    const [credit] = world.poot.unbooked(home.id, world.node.id);
    expect([credit?.ticks, credit?.healthPermille]).toEqual([3, paid]);
  });

  test("cannot raise what the probes say", async () => {
    await using world = await PootWorld.start();
    const home = await world.pool();
    await world.join(home, 1);
    world.registry.judge(world.node.id, { healthPermille: 800 });
    await world.slots(3);
    await world.close();
    expect(world.poot.unbooked(home.id, world.node.id)[0]?.healthPermille).toBe(800);
  });
});

describe("the ledger's cursor", () => {
  test("moves credits out of what is unbooked", async () => {
    await using world = await PootWorld.start();
    const home = await world.pool();
    await world.join(home, 2);
    await world.slots(2 * SLOTS);
    await world.close();
    const closed = await world.poot.creditsAfter(0n);
    const ticks = () =>
      world.poot.unbooked(home.id, world.node.id).reduce((sum, one) => sum + one.ticks, 0);
    expect(ticks()).toBe(2 * SLOTS);
    await world.poot.bookedUntil(closed[0]?.cursor ?? 0n);
    expect(ticks()).toBe(2 * SLOTS - (closed[0]?.credits[0]?.ticks ?? 0));
    await world.poot.bookedUntil(closed.at(-1)?.cursor ?? 0n);
    expect(ticks()).toBe(0);
  });

  test("is enough to know after a restart what is unbooked", async () => {
    await using world = await PootWorld.start();
    const home = await world.pool();
    await world.join(home, 1);
    await world.slots(2 * SLOTS);
    await world.close();
    const before = world.poot.unbooked(home.id, world.node.id);
    world.kill();
    await world.restart();
    await world.poot.bookedUntil(0n);
    expect(world.poot.unbooked(home.id, world.node.id)).toEqual(before);
  });
});
