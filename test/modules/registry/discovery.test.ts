import { describe, expect, test } from "bun:test";
import { TestClock } from "#test/support/clock.ts";
import { beAlive, memberOf, poolNamed, registryOn, SYSTEM } from "#test/support/registry.ts";
import type { Node, Presence } from "@/core/node.ts";
import { openSqlite } from "@/drivers/sqlite/database.ts";

async function world() {
  const clock = new TestClock();
  const database = openSqlite({ path: ":memory:", clock, onFailed: () => {} });
  const made = await registryOn(database, {}, clock);
  const home = await poolNamed(made.registry, "home");
  const nodes: Node[] = [];
  for (const number of [1, 2, 3, 4]) nodes.push(await memberOf(made.registry, home.id, number));
  return { ...made, home, nodes, [Symbol.asyncDispose]: () => database.close() };
}

const idsOf = (nodes: readonly Node[]) => nodes.map(({ id }) => id as string).sort();

describe("discovery", () => {
  test("knows alive and late nodes only", async () => {
    await using at = await world();
    const states: readonly Presence[] = ["new", "alive", "late", "lost"];
    for (const [index, { id }] of at.nodes.entries()) {
      at.registry.judge(id, { state: states[index] ?? "new" });
    }
    const serving = at.nodes.slice(1, 3);
    expect(idsOf(at.registry.discover({}, 50))).toEqual(idsOf(serving));
    await at.registry.suspend(SYSTEM, serving[0]?.id ?? "");
    await at.registry.leave(SYSTEM, serving[1]?.id ?? "");
    expect(at.registry.discover({}, 50)).toEqual([]);
    expect(() => at.registry.resolve({})).toThrow("is up at the moment");
  });

  test("filters by specialization, organization and pool", async () => {
    await using at = await world();
    const lab = await poolNamed(at.registry, "lab");
    const gpu = await memberOf(at.registry, lab.id, 9, { specialization: "gpu", org: "acme" });
    beAlive(at.registry, gpu.id, ...at.nodes.map(({ id }) => id));
    expect(idsOf(at.registry.discover({ specialization: "gpu" }, 50))).toEqual([gpu.id]);
    expect(idsOf(at.registry.discover({ org: "acme" }, 50))).toEqual([gpu.id]);
    expect(at.registry.discover({ pool: at.home.id }, 50)).toHaveLength(4);
    expect(at.registry.discover({}, 2)).toHaveLength(2);
    expect(() => at.registry.resolve({ specialization: "gpu" }, { pool: at.home.id })).toThrow(
      "for gpu",
    );
  });
});

describe("resolving", () => {
  test("sends as much to each node, by whatever is picked least or in turn", async () => {
    await using at = await world();
    beAlive(at.registry, ...at.nodes.map(({ id }) => id));
    for (const policy of ["least_loaded", "round_robin"] as const) {
      const picked = Array.from({ length: 12 }, () => at.registry.resolve({ policy }).id as string);
      const counts = idsOf(at.nodes).map((id) => picked.filter((other) => other === id).length);
      expect(counts).toEqual([3, 3, 3, 3]);
    }
  });

  test("forgets load after two minutes", async () => {
    await using at = await world();
    beAlive(at.registry, ...at.nodes.map(({ id }) => id));
    const first = at.registry.resolve({}).id;
    expect(at.registry.resolve({}).id).not.toBe(first);
    at.clock.advance(120_000);
    expect(at.registry.resolve({}).id).toBe(first);
  });

  test("gives a key the same node, and asks for the key", async () => {
    await using at = await world();
    beAlive(at.registry, ...at.nodes.map(({ id }) => id));
    const ask = () => at.registry.resolve({ policy: "hash", key: "job-7" }).id;
    expect(new Set([ask(), ask(), ask()]).size).toBe(1);
    expect(() => at.registry.resolve({ policy: "hash" })).toThrow("needs a key");
  });

  test("prefers nodes that can be dialled", async () => {
    await using at = await world();
    const dialled = at.nodes[2]?.id ?? "";
    await at.registry.update(SYSTEM, dialled, { endpoint: "tcp://10.0.0.3:9" });
    beAlive(at.registry, ...at.nodes.map(({ id }) => id));
    const picks = Array.from({ length: 5 }, () => at.registry.resolve({}).id as string);
    expect(new Set(picks)).toEqual(new Set([dialled]));
  });
});

describe("a judgement", () => {
  test("tells a change of state or health, and nobody of a heartbeat alone", async () => {
    await using at = await world();
    const [node] = at.nodes as [Node];
    const told: unknown[] = [];
    at.events.on("node.changed", (event) => told.push(event));
    at.registry.judge(node.id, { state: "alive", lastSeenMs: 5 });
    at.registry.judge(node.id, { state: "alive", lastSeenMs: 6 });
    at.registry.judge(node.id, { healthPermille: 900 });
    expect(told).toHaveLength(2);
    expect(at.registry.getNode(node.id)).toMatchObject({
      state: "alive",
      lastSeenMs: 6,
      healthPermille: 900,
      version: node.version,
    });
  });

  test("never revives a suspended node, and is forgotten in another pool", async () => {
    await using at = await world();
    const [node] = at.nodes as [Node];
    await at.registry.suspend(SYSTEM, node.id);
    beAlive(at.registry, node.id);
    expect(at.registry.getNode(node.id).state).toBe("suspended");
    await at.registry.resume(SYSTEM, node.id);
    beAlive(at.registry, node.id);
    await at.registry.join(SYSTEM, node.id, (await poolNamed(at.registry, "lab")).id);
    expect(at.registry.getNode(node.id).state).toBe("new");
  });

  test("survives a change of what is kept", async () => {
    await using at = await world();
    const [node] = at.nodes as [Node];
    beAlive(at.registry, node.id);
    const renamed = await at.registry.update(SYSTEM, node.id, { name: "renamed" });
    expect(renamed).toMatchObject({ state: "alive", lastSeenMs: 1 });
  });
});

test("the census counts nodes by pool and state", async () => {
  await using at = await world();
  beAlive(at.registry, at.nodes[0]?.id as Node["id"]);
  const counts = at.registry.census().map(({ state, nodes }) => `${state} ${nodes}`);
  expect(counts.sort()).toEqual(["alive 1", "new 3"]);
});
