import { describe, expect, test } from "bun:test";
import { databases } from "#test/support/database.ts";
import {
  codeOf,
  keyNumber,
  memberOf,
  poolNamed,
  registryOn,
  SYSTEM,
  TEST_SETTINGS,
} from "#test/support/registry.ts";
import { nodeCaller } from "@/core/caller.ts";
import type { NodeId, PoolId } from "@/core/ids.ts";

describe.each([...databases()])("membership on $kind", ({ open }) => {
  async function world(settings: Parameters<typeof registryOn>[1] = {}) {
    const opened = await open();
    const made = await registryOn(opened.database, settings);
    const home = await poolNamed(made.registry, "home");
    return { ...made, home, [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose]() };
  }

  test("200 registrations at once fill a pool exactly", async () => {
    await using at = await world({ maxNodes: 100 });
    const results = await Promise.allSettled(
      Array.from({ length: 200 }, (_, number) => memberOf(at.registry, at.home.id, number)),
    );
    const refused = results.filter((result) => result.status === "rejected");
    expect(new Set(refused.map(({ reason }) => reason.code))).toEqual(new Set(["pool.full"]));
    expect(at.registry.countOf(at.home.id)).toBe(100);
    const again = await at.reopen();
    expect(again.countOf(at.home.id)).toBe(100);
  });

  test("a place held for a refused commit is given back", async () => {
    await using at = await world({ maxNodes: 1 });
    const twin = { name: "twin", specialization: "storage", pool: at.home.id };
    const one = at.registry.admission(SYSTEM, { ...twin, publicKey: keyNumber(1) }, 0);
    const two = { ...twin, publicKey: keyNumber(2) };
    expect(() => at.registry.admission(SYSTEM, two, 0)).toThrow("as many as it may");
    one.release();
    await at.database.commit(at.registry.admission(SYSTEM, two, 0).writes);
    expect(at.registry.countOf(at.home.id)).toBe(0);
  });

  test("the same key registers once, however often at the same time", async () => {
    await using at = await world();
    const results = await Promise.allSettled(
      Array.from({ length: 10 }, () => memberOf(at.registry, at.home.id, 1)),
    );
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(await codeOf(memberOf(at.registry, at.home.id, 1))).toBe("node.exists");
  });

  test("a move closes one membership and begins another, and tells from where", async () => {
    await using at = await world();
    const { registry } = at;
    const lab = await poolNamed(registry, "lab", { visibility: "public" });
    const node = await memberOf(registry, at.home.id, 1);
    const told: unknown[] = [];
    at.events.on("node.moved", (event) => told.push(event));
    at.clock.advance(60_000);
    const moved = await registry.join(SYSTEM, node.id, lab.id);
    expect(moved).toMatchObject({ pool: lab.id, status: "member", state: "new" });
    expect(told).toEqual([{ node: node.id, pool: lab.id, from: at.home.id }]);
    expect([registry.countOf(at.home.id), registry.countOf(lab.id)]).toEqual([0, 1]);
    expect(await registry.membershipsOf(node.id)).toMatchObject([
      { pool: at.home.id, reason: "moved", toMs: at.clock.now() },
      { pool: lab.id, reason: undefined, toMs: undefined, fromMs: at.clock.now() },
    ]);
  });

  test("everything is there again after a restart", async () => {
    await using at = await world();
    const node = await memberOf(at.registry, at.home.id, 1, {
      endpoint: "tcp://10.0.0.2:900",
      org: "acme",
      metadata: { rack: "3" },
    });
    await at.registry.suspend(SYSTEM, node.id);
    const again = await at.reopen();
    expect(again.getNode(node.id)).toEqual(at.registry.getNode(node.id));
    expect(again.listPools()).toEqual(at.registry.listPools());
    expect(again.findNodeByKey(keyNumber(1))?.id).toBe(node.id);
  });

  test("a node that left comes back although its pool is full, and nowhere else", async () => {
    await using at = await world({ maxNodes: 1 });
    const { registry, home } = at;
    const lab = await poolNamed(registry, "lab", { visibility: "public" });
    await memberOf(registry, lab.id, 9);
    const node = await memberOf(registry, home.id, 1);
    const itself = nodeCaller(node.id);
    await registry.leave(itself, node.id);
    await memberOf(registry, home.id, 2);
    expect(await codeOf(registry.join(itself, node.id, lab.id))).toBe("pool.full");
    expect(await registry.join(itself, node.id, home.id)).toMatchObject({ state: "new" });
    expect(await registry.join(itself, node.id, home.id)).toMatchObject({ state: "new" });
    expect(await codeOf(memberOf(registry, home.id, 3))).toBe("pool.full");
  });

  test("a node that left is admitted again by a new token, with the same identity", async () => {
    await using at = await world();
    const node = await memberOf(at.registry, at.home.id, 1);
    await at.registry.leave(SYSTEM, node.id);
    const back = await memberOf(at.registry, at.home.id, 1, { name: "phoenix" });
    expect(back).toMatchObject({ id: node.id, name: "phoenix", status: "member" });
    expect(await at.registry.membershipsOf(node.id)).toHaveLength(2);
  });

  test("two updates of the same etag: one wins, the other is told", async () => {
    await using at = await world();
    const { registry } = at;
    const node = await memberOf(registry, at.home.id, 1);
    const etag = String(node.version);
    const results = await Promise.allSettled(
      ["one", "two"].map((name) => registry.update(SYSTEM, node.id, { name }, etag)),
    );
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
    expect(results[1]).toMatchObject({ reason: { code: "node.changed" } });
    expect(registry.getNode(node.id).name).toBe("one");
    const late = registry.update(SYSTEM, node.id, { name: "three" }, etag);
    expect(await codeOf(late)).toBe("node.changed");
  });

  test("a suspended node keeps its place, and cannot leave to join anew", async () => {
    await using at = await world({ maxNodes: 1 });
    const { registry, home } = at;
    const node = await memberOf(registry, home.id, 1);
    const itself = nodeCaller(node.id);
    await registry.suspend(SYSTEM, node.id);
    expect(registry.getNode(node.id).state).toBe("suspended");
    expect(await codeOf(memberOf(registry, home.id, 2))).toBe("pool.full");
    for (const attempt of [
      registry.leave(itself, node.id),
      registry.join(itself, node.id, home.id),
      registry.update(itself, node.id, { name: "other" }),
      registry.register(itself, node.id, { name: "other" }),
      memberOf(registry, home.id, 1),
    ]) {
      expect(await codeOf(attempt)).toBe("node.suspended");
    }
    expect(await registry.resume(SYSTEM, node.id)).toMatchObject({ state: "new" });
  });

  test("a removed node frees its place and never comes back", async () => {
    await using at = await world({ maxNodes: 1 });
    const { registry, home } = at;
    const node = await memberOf(registry, home.id, 1);
    await registry.remove(SYSTEM, node.id);
    await registry.remove(SYSTEM, node.id);
    for (const attempt of [
      memberOf(registry, home.id, 1),
      registry.join(SYSTEM, node.id, home.id),
      registry.resume(SYSTEM, node.id),
      registry.suspend(SYSTEM, node.id),
      registry.approveSpecialization(SYSTEM, node.id),
      registry.update(SYSTEM, node.id, { name: "other" }),
    ]) {
      expect(await codeOf(attempt)).toBe("node.removed");
    }
    await memberOf(registry, home.id, 2);
  });

  test("every change leaves one audit row in the same commit", async () => {
    await using at = await world();
    const { registry } = at;
    const node = await memberOf(registry, at.home.id, 1);
    const itself = nodeCaller(node.id);
    await registry.update(itself, node.id, { specialization: "gpu" });
    await registry.update(itself, node.id, { specialization: "gpu" });
    await registry.approveSpecialization(SYSTEM, node.id);
    await registry.suspend(SYSTEM, node.id);
    await registry.resume(SYSTEM, node.id);
    await registry.leave(itself, node.id);
    await registry.remove(SYSTEM, node.id);
    const rows = await at.database.sql
      .selectFrom("audit")
      .select(["action", "actor"])
      .where("subject", "=", node.id)
      .orderBy("id")
      .execute();
    expect(rows.map(({ action, actor }) => `${action} ${actor === node.id}`)).toEqual([
      "node.joined false",
      "node.changed true",
      "node.approved false",
      "node.suspended false",
      "node.resumed false",
      "node.left true",
      "node.removed false",
    ]);
  });

  test("a commit that is refused changes nothing in memory", async () => {
    await using at = await world();
    const { registry } = at;
    const node = await memberOf(registry, at.home.id, 1);
    const others = await at.reopen();
    await others.update(SYSTEM, node.id, { name: "elsewhere" });
    const update = registry.update(SYSTEM, node.id, { name: "here" });
    expect(await codeOf(update)).toBe("node.changed");
    expect(registry.getNode(node.id).name).toBe("node 1");
  });

  test("a place is given back when the database refuses the newcomer", async () => {
    await using at = await world({ maxNodes: 1 });
    const { registry, home } = at;
    const others = await at.reopen();
    others.countSlotsWith(() => 0);
    const lab = await poolNamed(others, "lab");
    await memberOf(others, lab.id, 1);
    expect(await codeOf(memberOf(registry, home.id, 1))).toBe("node.exists");
    expect(await memberOf(registry, home.id, 2)).toMatchObject({ pool: home.id });
  });

  test("a new key replaces the old one for good", async () => {
    await using at = await world();
    const { registry } = at;
    const node = await memberOf(registry, at.home.id, 1);
    const other = await memberOf(registry, at.home.id, 2);
    expect(() => registry.rotation(SYSTEM, node.id, other.publicKey)).toThrow("registered already");
    const rotation = registry.rotation(nodeCaller(node.id), node.id, keyNumber(3));
    await at.database.commit(rotation.writes);
    rotation.done();
    expect(registry.findNodeByKey(keyNumber(3))?.id).toBe(node.id);
    expect(registry.findNodeByKey(keyNumber(1))).toBeUndefined();
    expect(await codeOf(memberOf(registry, at.home.id, 1))).toBe("node.exists");
  });

  test("nobody but the node itself and operators changes a node", async () => {
    await using at = await world();
    const node = await memberOf(at.registry, at.home.id, 1);
    const stranger = nodeCaller((await memberOf(at.registry, at.home.id, 2)).id);
    for (const attempt of [
      at.registry.update(stranger, node.id, { name: "mine" }),
      at.registry.leave(stranger, node.id),
      at.registry.join(stranger, node.id, at.home.id),
    ]) {
      expect(await codeOf(attempt)).toBe("access.denied");
    }
  });

  test("unknown nodes and pools are refused by name", async () => {
    await using at = await world();
    const { registry } = at;
    const nobody = "a".repeat(26) as NodeId;
    const nowhere = "b".repeat(26) as PoolId;
    const node = await memberOf(registry, at.home.id, 1);
    expect(await codeOf(registry.update(SYSTEM, nobody, {}))).toBe("node.unknown");
    expect(await codeOf(registry.leave(SYSTEM, nobody))).toBe("node.unknown");
    expect(await codeOf(registry.suspend(SYSTEM, nobody))).toBe("node.unknown");
    expect(await codeOf(registry.join(SYSTEM, node.id, nowhere))).toBe("pool.unknown");
    expect(await codeOf(memberOf(registry, nowhere, 2))).toBe("pool.unknown");
    expect(await codeOf(registry.deletePool(SYSTEM, nowhere))).toBe("pool.unknown");
  });

  describe("a specialization", () => {
    test("waits when the node chose it and an operator has not agreed", async () => {
      await using at = await world();
      const { registry } = at;
      registry.weighWith((name) => (name === "gpu" ? 2_000 : 1_000));
      const node = await memberOf(registry, at.home.id, 1, { specializationApproved: true });
      const itself = nodeCaller(node.id);
      const waits = await registry.update(itself, node.id, { specialization: "gpu" });
      expect(waits.specializationApproved).toBe(false);
      expect(registry.nodeView(waits).specialization_approved).toBe(false);
      await registry.approveSpecialization(SYSTEM, node.id);
      const renamed = await registry.update(itself, node.id, { name: "x", specialization: "gpu" });
      expect(renamed.specializationApproved).toBe(true);
      const usual = await registry.update(itself, node.id, { specialization: "storage" });
      expect(usual.specializationApproved).toBe(false);
      expect(registry.nodeView(usual).specialization_approved).toBe(true);
    });

    test("is agreed to by the operator who sets it", async () => {
      await using at = await world();
      const node = await memberOf(at.registry, at.home.id, 1);
      const set = await at.registry.update(SYSTEM, node.id, { specialization: "gpu" });
      expect(set.specializationApproved).toBe(true);
    });
  });

  describe("organizations", () => {
    test("that are not allowed are not admitted, but a known node stays known", async () => {
      await using at = await world();
      const { registry, home } = at;
      const node = await memberOf(registry, home.id, 1, { org: "beta" });
      registry.apply({ ...TEST_SETTINGS, maxNodes: 9, allowedOrgs: ["acme"] });
      expect(await codeOf(memberOf(registry, home.id, 2))).toBe("pool.private");
      await expect(memberOf(registry, home.id, 2)).rejects.toThrow("say which one it is of (--org");
      expect(await codeOf(memberOf(registry, home.id, 2, { org: "beta" }))).toBe("pool.private");
      await memberOf(registry, home.id, 2, { org: "acme" });
      await registry.leave(SYSTEM, node.id);
      expect(await registry.join(SYSTEM, node.id, home.id)).toMatchObject({ status: "member" });
    });

    test("own pools that nodes do not enter by themselves", async () => {
      await using at = await world();
      const { registry, home } = at;
      const corp = await registry.createPool(SYSTEM, {
        name: "corp",
        kind: "enterprise",
        org: "acme",
      });
      const node = await memberOf(registry, home.id, 1, { org: "acme" });
      const itself = nodeCaller(node.id);
      expect(await codeOf(registry.join(itself, node.id, corp.id))).toBe("pool.private");
      await registry.join(SYSTEM, node.id, corp.id);
      await registry.leave(itself, node.id);
      expect(await registry.join(itself, node.id, corp.id)).toMatchObject({ pool: corp.id });
      expect(await memberOf(registry, corp.id, 2)).toMatchObject({ org: "acme" });
    });
  });

  describe("a pool", () => {
    test("follows the configured limit unless it has its own", async () => {
      await using at = await world({ maxNodes: 5 });
      const { registry, home } = at;
      const small = await registry.createPool(SYSTEM, { name: "small", maxNodes: 2 });
      registry.apply({ ...TEST_SETTINGS, maxNodes: 7, allowedOrgs: undefined });
      expect([registry.getPool(home.id).maxNodes, registry.getPool(small.id).maxNodes]).toEqual([
        7, 2,
      ]);
      const freed = await registry.updatePool(SYSTEM, small.id, { maxNodes: null });
      expect(freed.maxNodes).toBe(7);
      expect((await at.reopen()).getPool(small.id)).toMatchObject({ ownMaxNodes: undefined });
    });

    test("is not deleted while it has nodes, or somebody objects", async () => {
      await using at = await world();
      const { registry, home } = at;
      let objection: Error | undefined = new Error("money remains");
      registry.beforePoolDelete(() => {
        if (objection) throw objection;
      });
      const node = await memberOf(registry, home.id, 1);
      expect(await codeOf(registry.deletePool(SYSTEM, home.id))).toBe("pool.not_empty");
      await registry.leave(SYSTEM, node.id);
      expect(registry.deletePool(SYSTEM, home.id)).rejects.toThrow("money remains");
      objection = undefined;
      await registry.deletePool(SYSTEM, home.id);
      expect(registry.findPool(home.id)).toBeUndefined();
      expect((await at.reopen()).listPools()).toEqual([]);
      expect(await codeOf(registry.join(SYSTEM, node.id, home.id))).toBe("pool.unknown");
      await poolNamed(registry, "home");
    });

    test("lets nobody in while it is being deleted", async () => {
      await using at = await world();
      const { registry, home } = at;
      const asked = Promise.withResolvers<void>();
      registry.beforePoolDelete(() => asked.promise);
      const deletion = registry.deletePool(SYSTEM, home.id);
      expect(await codeOf(memberOf(registry, home.id, 1))).toBe("node.changed");
      expect(await codeOf(registry.deletePool(SYSTEM, home.id))).toBe("pool.changed");
      asked.resolve();
      await deletion;
    });

    test("is changed before anybody is told so", async () => {
      await using at = await world();
      const { registry, home, events } = at;
      const seen: unknown[] = [];
      events.on("pool.changed", ({ pool }) => seen.push(registry.getPool(pool).name));
      await registry.updatePool(SYSTEM, home.id, { name: "cellar" });
      expect(seen).toEqual(["cellar"]);
    });

    test("has a name of its own", async () => {
      await using at = await world();
      const { registry, home } = at;
      const lab = await poolNamed(registry, "lab");
      expect(await codeOf(poolNamed(registry, " home "))).toBe("pool.exists");
      const renaming = registry.updatePool(SYSTEM, lab.id, { name: "home" });
      expect(await codeOf(renaming)).toBe("pool.exists");
      const twins = await Promise.allSettled([poolNamed(registry, "x"), poolNamed(registry, "x")]);
      expect(twins.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
      const stale = registry.updatePool(SYSTEM, home.id, { name: "y" }, "99");
      expect(await codeOf(stale)).toBe("pool.changed");
    });
  });
});
