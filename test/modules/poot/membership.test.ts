import { describe, expect, test } from "bun:test";
import { TestNode } from "#test/support/node.ts";
import { PootWorld, SLOT_MS, SLOTS } from "#test/support/poot.ts";
import { refusalCode } from "#test/support/refusal-code.ts";
import { SYSTEM } from "#test/support/registry.ts";
import { nodeCaller } from "@/core/caller.ts";

describe("a node that moves to another pool", () => {
  test("is credited by each pool for its own slots", async () => {
    await using world = await PootWorld.start();
    const home = await world.pool();
    const lab = await world.pool("lab");
    await world.join(home, 1);
    await world.slots(SLOTS + 4);
    await world.registry.join(SYSTEM, world.node.id, lab.id);
    await world.pass(SLOT_MS);
    expect(world.node.beat(world.poot)).toBe("unknown");
    world.node.moveTo(lab.publicKey);
    const before = world.node.acceptedIn.size;
    await world.slots(SLOTS);
    await world.close();
    const ticks = [home, lab].map(({ id }) => world.creditedTicks(world.node, id));
    expect(await Promise.all(ticks)).toEqual([before, SLOTS]);
    const { slot: to } = world.poot.poolTime();
    const node = world.registry.getNode(world.node.id);
    const time = await world.poot.nodeTime({ node, pool: home.id, from: 0, to });
    expect(time.rows.reduce((sum, { down }) => sum + down, 0)).toBe(0);
  });
});

describe("a node that is suspended", () => {
  test("is not heard, has no slots meanwhile, and gets nothing later for that time", async () => {
    await using world = await PootWorld.start();
    await world.join(await world.pool(), 1);
    await world.slots(SLOTS);
    await world.close();
    const paid = await world.creditedTicks(world.node);
    await world.slots(3);
    await world.registry.suspend(SYSTEM, world.node.id);
    await world.slots(1);
    expect(world.node.beat(world.poot)).toBe("unknown");
    await world.slots(2 * SLOTS);
    expect(await world.creditedTicks(world.node)).toBe(paid);
    await world.registry.resume(SYSTEM, world.node.id);
    await world.slots(SLOTS);
    await world.close();
    expect(await world.creditedTicks(world.node)).toBe(paid + SLOTS);
  });
});

describe("a node that is resumed", () => {
  test("gains nothing for the time before by handing in what it kept", async () => {
    await using world = await PootWorld.start();
    await world.join(await world.pool(), 1);
    await world.slots(SLOTS);
    await world.close();
    const paid = await world.creditedTicks(world.node);
    await world.slots(3, () => world.node.beat(world.poot, { isAnswerLost: true }));
    await world.registry.suspend(SYSTEM, world.node.id);
    for (let at = 0; at < 2 * SLOTS; at++) {
      await world.slots(1);
      if (at % 5 === 4) world.node.restart();
    }
    await world.registry.resume(SYSTEM, world.node.id);
    const heard = world.node.acceptedIn.size;
    world.node.restart();
    await world.slots(2 * SLOTS);
    await world.close();
    const after = world.node.acceptedIn.size - heard;
    expect(await world.creditedTicks(world.node)).toBeLessThanOrEqual(paid + after);
    expect(after).toBeGreaterThanOrEqual(SLOTS);
  });
});

describe("slots in which a node was no member", () => {
  const absences = {
    "it was suspended": async ({ registry, node }: PootWorld) => {
      await registry.suspend(SYSTEM, node.id);
      return () => registry.resume(SYSTEM, node.id);
    },
    "it had left": async ({ registry, node }: PootWorld) => {
      await registry.leave(SYSTEM, node.id);
      return () => registry.join(SYSTEM, node.id, registry.getNode(node.id).pool);
    },
    "it was suspended over a restart": async (world: PootWorld) => {
      await world.registry.suspend(SYSTEM, world.node.id);
      world.kill();
      await world.restart();
      return () => world.registry.resume(SYSTEM, world.node.id);
    },
  };

  test.each(Object.entries(absences))("are not down when %s", async (_, goAway) => {
    await using world = await PootWorld.start();
    await world.join(await world.pool(), 1);
    await world.slots(SLOTS);
    await world.close();
    await world.slots(2);
    const comeBack = await goAway(world);
    await world.slots(SLOTS + 2, () => {});
    await comeBack();
    await world.slots(4);
    await world.close();
    const { up, down } = world.poot.today(world.node.id);
    expect(up).toBeGreaterThanOrEqual(SLOTS + 4);
    expect(down).toBe(2);
  });
});

describe("a node that leaves", () => {
  test("is credited to its last slot, and is not down afterwards", async () => {
    await using world = await PootWorld.start();
    const home = await world.pool();
    await world.join(home, 2);
    await world.slots(SLOTS + 3);
    await world.registry.leave(SYSTEM, world.node.id);
    await world.slots(2 * SLOTS, () => {});
    expect(await world.creditedTicks(world.node)).toBe(SLOTS + 3);
    const { slot: to } = world.poot.poolTime();
    const node = world.registry.getNode(world.node.id);
    const { rows } = await world.poot.nodeTime({ node, pool: home.id, from: 0, to });
    expect(rows.reduce((sum, { down }) => sum + down, 0)).toBe(0);
    expect(rows.reduce((sum, { up }) => sum + up, 0)).toBe(SLOTS + 3);
  });

  test("gets nothing more once it was removed", async () => {
    await using world = await PootWorld.start();
    await world.join(await world.pool(), 1);
    await world.slots(SLOTS);
    await world.close();
    const paid = await world.creditedTicks(world.node);
    await world.slots(3);
    await world.registry.remove(SYSTEM, world.node.id);
    await world.slots(2 * SLOTS);
    expect(await world.creditedTicks(world.node)).toBe(paid);
  });
});

describe("heartbeats that are none", () => {
  test.each([
    ["nothing", {}],
    ["a claim that is cut", { claim: new Uint8Array(239) }],
    ["a claim of zeros", { claim: new Uint8Array(240) }],
    ["a receipt that is cut", { receipt: new Uint8Array(87) }],
    ["an open of zeros", { open: new Uint8Array(180) }],
    ["a claim handed in without its receipt", { handedIn: "claim" }],
  ])("%s", async (_, change) => {
    await using world = await PootWorld.start();
    await world.join(await world.pool(), 1);
    await world.slots(2);
    await world.pass(SLOT_MS);
    const good = world.node.heartbeat(world.poot);
    const claim = good?.claim ?? new Uint8Array();
    const handedIn = "handedIn" in change ? { claim, receipt: new Uint8Array() } : undefined;
    const empty = { claim: new Uint8Array() };
    const bytes =
      Object.keys(change).length === 0 ? empty : { ...good, claim, ...change, handedIn };
    const send = () => world.poot.heartbeat(nodeCaller(world.node.id), bytes);
    expect(refusalCode(send)).toBe("poot.malformed");
    expect(world.node.beat(world.poot)).toBe("accepted");
  });

  test("of nobody, of a stranger and of another node are not counted", async () => {
    await using world = await PootWorld.start();
    const home = await world.pool();
    const [node, other] = await world.join(home, 2);
    await world.pass(SLOT_MS);
    const stranger = new TestNode(99, home.publicKey);
    expect(stranger.beat(world.poot)).toBe("unknown");
    const heartbeat = node?.heartbeat(world.poot) ?? { claim: new Uint8Array() };
    expect(refusalCode(() => world.poot.heartbeat(SYSTEM, heartbeat))).toBe(
      "access.unauthenticated",
    );
    const told = other && world.poot.heartbeat(nodeCaller(other.id), heartbeat);
    expect(told?.answer.type).toBe("unknown");
  });
});
