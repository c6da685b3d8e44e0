import { describe, expect, test } from "bun:test";
import { settled } from "#test/support/clock.ts";
import { TestNode } from "#test/support/node.ts";
import { PootWorld, SLOTS } from "#test/support/poot.ts";
import { SYSTEM } from "#test/support/registry.ts";
import { nodeCaller } from "@/core/caller.ts";
import type { Pool } from "@/core/pool.ts";

const BEATS = 3;

async function park(world: PootWorld): Promise<Pool> {
  const pool = await world.registry.createPool(SYSTEM, { name: "park", visibility: "public" });
  await world.poot.addPool(pool.id);
  return pool;
}

/** A machine at the door of a public pool. */
async function stranger(world: PootWorld, pool: Pool): Promise<TestNode> {
  const node = new TestNode(world.nodes.length + 1, pool.publicKey);
  await world.registry.admit(SYSTEM, {
    name: "stranger",
    specialization: "storage",
    pool: pool.id,
    publicKey: node.key.publicKey,
    pending: { network: "192.0.2.1" },
  });
  world.nodes.push(node);
  return node;
}

const statusOf = (world: PootWorld) => world.registry.getNode(world.node.id).status;

describe("a pending node", () => {
  test("is a member after heartbeats in three slots, and earns every slot from the next one on", async () => {
    await using world = await PootWorld.start();
    await stranger(world, await park(world));
    await world.slots(BEATS - 1);
    expect(statusOf(world)).toBe("pending");
    await world.slots(1);
    await settled();
    expect(statusOf(world)).toBe("member");
    expect(world.registry.getNode(world.node.id).state).toBe("new");
    await world.slots(SLOTS);
    await world.close();
    expect(await world.creditedTicks(world.node)).toBe(SLOTS);
    await world.slots(SLOTS);
    await world.close();
    expect(await world.creditedTicks(world.node)).toBe(2 * SLOTS);
  });

  test("that misses slots meanwhile loses none of those after", async () => {
    await using world = await PootWorld.start();
    await stranger(world, await park(world));
    await world.slots(7, (at) => {
      if (at % 3 === 0) world.beatAll();
    });
    await settled();
    expect(statusOf(world)).toBe("member");
    await world.slots(4);
    await world.close();
    expect(await world.creditedTicks(world.node)).toBe(4);
  });

  test("earns nothing by what it carries over a crash of the pool, before or after it is admitted", async () => {
    await using world = await PootWorld.start();
    await stranger(world, await park(world));
    await world.slots(BEATS - 1);
    world.kill();
    await world.restart();
    await world.slots(BEATS - 1);
    expect(statusOf(world)).toBe("pending");
    await world.slots(1);
    await settled();
    expect(statusOf(world)).toBe("member");
    world.kill();
    await world.restart();
    await world.slots(5);
    await world.close();
    expect(await world.creditedTicks(world.node)).toBe(5);
  });

  test("is credited nothing when it goes before or right after it was admitted", async () => {
    await using world = await PootWorld.start();
    const pool = await park(world);
    const other = await world.registry.createPool(SYSTEM, { name: "other", visibility: "public" });
    await world.poot.addPool(other.id);
    const node = await stranger(world, pool);
    await world.slots(BEATS);
    await settled();
    expect(statusOf(world)).toBe("member");
    await world.registry.join(nodeCaller(node.id), node.id, other.id);
    expect(statusOf(world)).toBe("pending");
    await world.finish();
    expect(await world.creditedTicks(world.node)).toBe(0);
  });

  test("is left out of every close, and forgotten with what was heard of it", async () => {
    await using world = await PootWorld.start();
    const pool = await park(world);
    const node = await stranger(world, pool);
    await world.slots(BEATS - 1);
    await world.close();
    expect(await world.poot.creditsAfter(0n, 100)).toEqual([]);
    await world.registry.leave(nodeCaller(node.id), node.id);
    expect(node.beat(world.poot)).toBe("unknown");
    await world.close();
    expect(await world.creditedTicks(node)).toBe(0);
  });
});
