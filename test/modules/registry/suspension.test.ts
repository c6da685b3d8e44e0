import { describe, expect, test } from "bun:test";
import { databases } from "#test/support/database.ts";
import {
  codeOf,
  keyNumber,
  memberOf,
  poolNamed,
  registryOn,
  SYSTEM,
} from "#test/support/registry.ts";
import { nodeCaller } from "@/core/caller.ts";

const DAY_MS = 86_400_000;
const SLOT_MS = 30_000;

describe.each([...databases()])("suspension on $kind", ({ open }) => {
  async function world(settings: Parameters<typeof registryOn>[1] = {}) {
    const opened = await open();
    const made = await registryOn(opened.database, settings);
    const home = await poolNamed(made.registry, "home", { visibility: "public" });
    const node = await memberOf(made.registry, home.id, 1);
    return { ...made, home, node, [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose]() };
  }

  test("ends with removal by the pool itself when its time of grace is over", async () => {
    await using at = await world();
    const told: unknown[] = [];
    at.events.on("node.removed", (event) => told.push(event));
    const suspended = await at.registry.suspend(SYSTEM, at.node.id, { reason: "noise" });
    const sinceMs = at.clock.now();
    expect(suspended.suspension).toEqual({
      reason: "noise",
      sinceMs,
      removeAtMs: sinceMs + 7 * DAY_MS,
    });
    at.clock.advance(7 * DAY_MS - 1);
    const again = await at.reopen();
    await again.tend();
    expect(again.getNode(at.node.id)).toMatchObject({ status: "suspended" });
    at.clock.advance(1);
    await at.registry.tend();
    expect(at.registry.getNode(at.node.id)).toMatchObject({ status: "removed", state: "left" });
    expect(told).toHaveLength(1);
    const row = await at.database.sql
      .selectFrom("audit")
      .selectAll()
      .where("action", "=", "node.removed")
      .executeTakeFirst();
    expect(row).toMatchObject({ actor: "system:registry", subject: at.node.id });
  });

  test("is over for good when it is lifted", async () => {
    await using at = await world();
    await at.registry.suspend(SYSTEM, at.node.id, { reason: "noise", removeAfterSeconds: 60 });
    await at.registry.resume(SYSTEM, at.node.id);
    at.clock.advance(30 * DAY_MS);
    await at.registry.tend();
    expect(at.registry.getNode(at.node.id)).toMatchObject({
      status: "member",
      suspension: undefined,
    });
  });

  test.each([
    ["where it says so", { removeAfterSeconds: null }, {}],
    ["where the configuration says so", {}, { graceSeconds: 0 }],
  ])("never removes %s", async (_, terms, settings) => {
    await using at = await world(settings);
    await at.registry.suspend(SYSTEM, at.node.id, terms);
    at.clock.advance(1_000 * DAY_MS);
    await at.registry.tend();
    expect(at.registry.getNode(at.node.id)).toMatchObject({ status: "suspended" });
  });

  test("gets other terms, and keeps its date", async () => {
    await using at = await world();
    const first = await at.registry.suspend(SYSTEM, at.node.id, { reason: "noise" });
    at.clock.advance(DAY_MS);
    expect(await at.registry.suspend(SYSTEM, at.node.id)).toEqual(first);
    const terms = { removeAfterSeconds: 3_600 };
    const second = await at.registry.suspend(SYSTEM, at.node.id, terms);
    expect(second.suspension).toEqual({
      reason: "noise",
      sinceMs: first.suspension?.sinceMs ?? 0,
      removeAtMs: at.clock.now() + 3_600_000,
    });
    const reworded = await at.registry.suspend(SYSTEM, at.node.id, { reason: "worse" });
    expect(reworded.suspension).toEqual({ ...second.suspension, reason: "worse" } as never);
  });

  test("removes nobody by a clock that is not believed", async () => {
    await using at = await world();
    let trusted = false;
    const slot = () => Math.floor(at.clock.now() / SLOT_MS);
    at.registry.countSlotsWith(slot, () => ({ epoch: 0, trusted }));
    await at.registry.suspend(SYSTEM, at.node.id);
    at.clock.advance(30 * DAY_MS);
    await at.registry.tend();
    expect(at.registry.getNode(at.node.id).status).toBe("suspended");
    trusted = true;
    await at.registry.tend();
    expect(at.registry.getNode(at.node.id).status).toBe("removed");
  });
});

describe.each([...databases()])("pending on $kind", ({ open }) => {
  const HERE = { network: "192.0.2.1" };

  async function world(settings: Parameters<typeof registryOn>[1] = {}) {
    const opened = await open();
    const made = await registryOn(opened.database, settings);
    const park = await poolNamed(made.registry, "park", { visibility: "public" });
    return { ...made, park, [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose]() };
  }

  test("takes no place, is served nothing, and is admitted from the next slot on", async () => {
    await using at = await world();
    const node = await memberOf(at.registry, at.park.id, 1, { pending: HERE });
    expect(node).toMatchObject({ status: "pending", state: "pending" });
    expect([at.registry.countOf(at.park.id), at.registry.pendingIn(at.park.id)]).toEqual([0, 1]);
    expect(await at.registry.membershipsOf(node.id)).toEqual([]);
    const again = await at.reopen();
    expect(again.getNode(node.id)).toEqual(node);
    expect(again.pendingIn(at.park.id)).toBe(1);
    at.registry.judge(node.id, { state: "alive", lastSeenMs: 5 });
    expect(at.registry.getNode(node.id)).toMatchObject({ state: "pending", lastSeenMs: 5 });
    expect(at.registry.discover({}, 9)).toEqual([]);
    const admitted = await at.registry.admitPending(node.id, { epoch: 2, slot: 40 });
    expect(admitted).toMatchObject({ status: "member", memberFrom: { epoch: 2, slot: 41 } });
    expect([at.registry.countOf(at.park.id), at.registry.pendingIn(at.park.id)]).toEqual([1, 0]);
    expect((await at.reopen()).getNode(node.id).memberFrom).toEqual({ epoch: 2, slot: 41 });
    expect(await at.registry.membershipsOf(node.id)).toHaveLength(1);
  });

  test("has bounded places, by pool and by network", async () => {
    await using at = await world({ pendingMax: 3, pendingPerNetworkMax: 2 });
    const enter = (number: number, network: string) =>
      codeOf(memberOf(at.registry, at.park.id, number, { pending: { network } }));
    const all = await Promise.all([1, 2, 3].map((number) => enter(number, "a")));
    expect(all.sort()).toEqual(["allowed", "allowed", "pool.pending_full"]);
    expect([await enter(4, "b"), await enter(5, "c")]).toEqual(["allowed", "pool.pending_full"]);
    expect(await codeOf(memberOf(at.registry, at.park.id, 6))).toBe("allowed");
  });

  test("waits while its pool is full", async () => {
    await using at = await world({ maxNodes: 1 });
    const node = await memberOf(at.registry, at.park.id, 1, { pending: HERE });
    const other = await memberOf(at.registry, at.park.id, 2);
    const admit = () => at.registry.admitPending(node.id, { epoch: 0, slot: 4 });
    expect(await codeOf(admit())).toBe("pool.full");
    expect(await codeOf(memberOf(at.registry, at.park.id, 3, { pending: HERE }))).toBe("pool.full");
    await at.registry.remove(SYSTEM, other.id);
    expect(await admit()).toMatchObject({ status: "member" });
  });

  test("is forgotten when it never lived, counted from the start of the pool", async () => {
    await using at = await world();
    const node = await memberOf(at.registry, at.park.id, 1, { pending: HERE });
    at.clock.advance(3_599_999);
    const again = await at.reopen();
    again.countSlotsWith(() => 1);
    await at.registry.tend();
    expect(at.registry.findNode(node.id)).toBeDefined();
    at.clock.advance(1);
    await again.tend();
    expect(again.findNode(node.id)).toBeDefined();
    await at.registry.tend();
    expect(at.registry.findNode(node.id)).toBeUndefined();
    expect(at.registry.findNodeByKey(keyNumber(1))).toBeUndefined();
    expect(at.registry.pendingIn(at.park.id)).toBe(0);
    expect((await at.reopen()).findNode(node.id)).toBeUndefined();
    expect(await memberOf(at.registry, at.park.id, 1)).toMatchObject({ status: "member" });
  });

  test("becomes no member by leaving, joining or a suspension that is lifted", async () => {
    await using at = await world();
    const node = await memberOf(at.registry, at.park.id, 1, { pending: HERE });
    const itself = nodeCaller(node.id);
    expect(await at.registry.join(itself, node.id, at.park.id)).toMatchObject({
      status: "pending",
    });
    expect(await codeOf(at.registry.suspend(SYSTEM, node.id))).toBe("node.pending");
    expect(await codeOf(at.registry.resume(SYSTEM, node.id))).toBe("node.pending");
    await at.registry.leave(itself, node.id);
    expect(at.registry.findNode(node.id)).toBeUndefined();
  });

  test("is what a member of elsewhere is where it comes by itself, and never loses its history", async () => {
    await using at = await world();
    const home = await poolNamed(at.registry, "home");
    const node = await memberOf(at.registry, home.id, 1);
    const itself = nodeCaller(node.id);
    const moved = await at.registry.join(itself, node.id, at.park.id);
    expect(moved).toMatchObject({ status: "pending", pool: at.park.id });
    expect(at.registry.countOf(home.id)).toBe(0);
    await at.registry.leave(itself, node.id);
    expect(at.registry.getNode(node.id)).toMatchObject({ status: "left" });
    const back = await at.registry.join(itself, node.id, at.park.id);
    expect(back).toMatchObject({ status: "pending" });
    const brought = await at.registry.join(SYSTEM, node.id, at.park.id);
    expect(brought.status).toBe("member");
    expect(brought.memberFrom?.slot).toBe(Math.floor(at.clock.now() / SLOT_MS) + 1);
  });

  test("is not what a member is that comes back, nor what its pool has once it is private", async () => {
    await using at = await world();
    const node = await memberOf(at.registry, at.park.id, 1);
    await at.registry.leave(SYSTEM, node.id);
    const back = await memberOf(at.registry, at.park.id, 1, { pending: HERE });
    expect(back.status).toBe("member");
    const waiting = await memberOf(at.registry, at.park.id, 2, { pending: HERE });
    await at.registry.updatePool(SYSTEM, at.park.id, { visibility: "private" });
    const admitted = at.registry.admitPending(waiting.id, { epoch: 0, slot: 1 });
    expect(await codeOf(admitted)).toBe("pool.private");
    await at.registry.tend();
    expect(at.registry.findNode(waiting.id)).toBeUndefined();
    expect(await codeOf(memberOf(at.registry, at.park.id, 3, { pending: HERE }))).toBe(
      "pool.private",
    );
  });
});
