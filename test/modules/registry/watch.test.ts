import { describe, expect, test } from "bun:test";
import { TestClock } from "#test/support/clock.ts";
import {
  beAlive,
  codeOf,
  memberOf,
  poolNamed,
  registryOn,
  SYSTEM,
} from "#test/support/registry.ts";
import type { NodeId, PoolId } from "@/core/ids.ts";
import { openSqlite } from "@/drivers/sqlite/database.ts";
import { Changes } from "@/modules/registry/changes.ts";
import type { NodeFilter } from "@/modules/registry/node-list.ts";
import type { Registry } from "@/modules/registry/service.ts";
import type { WatchEvent } from "@/modules/registry/watch.ts";

async function world() {
  const clock = new TestClock();
  const database = openSqlite({ path: ":memory:", clock, onFailed: () => {} });
  const made = await registryOn(database, { maxNodes: 1_000 }, clock);
  const home = await poolNamed(made.registry, "home");
  const nodes = [];
  for (const number of [1, 2, 3]) nodes.push(await memberOf(made.registry, home.id, number));
  return { ...made, home, nodes, [Symbol.asyncDispose]: () => database.close() };
}

/** Watches and takes events one by one; `await using` ends it. */
function watching(registry: Registry, filter: NodeFilter = {}, since = 0n) {
  const stop = new AbortController();
  const events = registry.watch(filter, { since, signal: stop.signal })[Symbol.asyncIterator]();
  const take = async (count: number): Promise<WatchEvent[]> => {
    const taken: WatchEvent[] = [];
    while (taken.length < count) {
      const next = await events.next();
      if (next.done) break;
      taken.push(next.value);
    }
    return taken;
  };
  return {
    take,
    stop: () => stop.abort(),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await events.return?.();
    },
  };
}

const typesOf = (events: readonly WatchEvent[]) => events.map(({ type }) => type);

describe("watching", () => {
  test("tells what there is, then that this is all, then every change", async () => {
    await using at = await world();
    await using watch = watching(at.registry);
    expect(typesOf(await watch.take(4))).toEqual(["snapshot", "snapshot", "snapshot", "ready"]);
    const [first] = at.nodes;
    beAlive(at.registry, first?.id as NodeId);
    expect(await watch.take(1)).toMatchObject([{ type: "changed", node: { state: "alive" } }]);
    await at.registry.leave(SYSTEM, first?.id ?? "");
    expect(await watch.take(1)).toMatchObject([{ type: "removed", id: first?.id }]);
  });

  test("says nothing of a heartbeat that changes neither state nor health", async () => {
    await using at = await world();
    const [first, second] = at.nodes;
    beAlive(at.registry, first?.id as NodeId);
    await using watch = watching(at.registry);
    await watch.take(4);
    beAlive(at.registry, first?.id as NodeId);
    beAlive(at.registry, second?.id as NodeId);
    expect(await watch.take(1)).toMatchObject([{ node: { id: second?.id } }]);
  });

  test("goes on from a version without a snapshot", async () => {
    await using at = await world();
    const { registry, nodes, home } = at;
    let version = 0n;
    {
      await using watch = watching(registry);
      version = (await watch.take(4)).at(-1)?.version ?? 0n;
    }
    await registry.update(SYSTEM, nodes[1]?.id ?? "", { name: "renamed" });
    await memberOf(registry, home.id, 4);
    await using watch = watching(registry, {}, version);
    const events = await watch.take(3);
    expect(typesOf(events)).toEqual(["changed", "changed", "ready"]);
    expect(events[0]).toMatchObject({ node: { name: "renamed" } });
    beAlive(registry, nodes[0]?.id as NodeId);
    const [last] = await watch.take(1);
    expect(last?.version).toBe((events[2]?.version ?? 0n) + 1n);
  });

  test.each([
    ["of another run", (version: bigint) => version ^ (1n << 50n)],
    ["from the future", (version: bigint) => version + 1n],
    ["that is no version", () => 12n],
    ["as large as can be", () => (1n << 64n) - 1n],
  ])("begins with a snapshot for a version %s", async (_, change) => {
    await using at = await world();
    await using first = watching(at.registry);
    const version = (await first.take(4)).at(-1)?.version ?? 0n;
    await using watch = watching(at.registry, {}, change(version));
    expect(typesOf(await watch.take(4))).toEqual(["snapshot", "snapshot", "snapshot", "ready"]);
  });

  test("tells nothing of other pools, and that a node moved away", async () => {
    await using at = await world();
    const { registry, home, nodes } = at;
    const lab = await poolNamed(registry, "lab");
    const other = await memberOf(registry, lab.id, 9);
    await using watch = watching(registry, { pool: home.id });
    await watch.take(4);
    beAlive(registry, other.id);
    await registry.update(SYSTEM, other.id, { name: "secret" });
    await registry.join(SYSTEM, nodes[0]?.id ?? "", lab.id);
    const [event] = await watch.take(1);
    expect(event).toMatchObject({ type: "removed", id: nodes[0]?.id });
    expect(JSON.stringify(event, (_, value) => `${value}`)).not.toContain(lab.id);
  });

  test("tells that a node no longer fits the filter", async () => {
    await using at = await world();
    await using watch = watching(at.registry, { specialization: "storage" });
    await watch.take(4);
    await at.registry.update(SYSTEM, at.nodes[0]?.id ?? "", { specialization: "gpu" });
    expect(await watch.take(1)).toMatchObject([{ type: "removed", id: at.nodes[0]?.id }]);
  });

  test("ends when the watcher goes", async () => {
    await using at = await world();
    await using watch = watching(at.registry);
    await watch.take(4);
    const rest = watch.take(1);
    watch.stop();
    expect(await rest).toEqual([]);
  });

  test("cuts a watcher that fell too far behind instead of remembering for it", async () => {
    await using at = await world();
    const [node] = at.nodes;
    await using watch = watching(at.registry);
    await watch.take(4);
    for (let turn = 0; turn <= 16_384; turn++) {
      at.registry.judge(node?.id as NodeId, { state: turn % 2 === 0 ? "late" : "alive" });
    }
    expect(await codeOf(watch.take(1))).toBe("watch.too_slow");
  });
});

describe("the remembered changes", () => {
  const change = { id: "a" as NodeId, pool: "p" as PoolId, reshaped: false };

  test("reach back exactly as far as they say", () => {
    const changes = new Changes(5, 3);
    for (let added = 0; added < 5; added++) changes.add(change);
    expect([1, 2, 5, 6].map((number) => changes.reaches(number))).toEqual([
      false,
      true,
      true,
      false,
    ]);
    expect(changes.at(3)).toBe(change);
    expect(() => changes.at(2)).toThrow("too far behind");
    expect(changes.numberOf(changes.versionOf(2))).toBe(2);
    expect(changes.numberOf(changes.versionOf(1))).toBeUndefined();
  });

  test("are watched by at most a thousand", () => {
    const changes = new Changes(5);
    const leaves = Array.from({ length: 1_000 }, () => changes.enter());
    expect(() => changes.enter()).toThrow("watch already");
    leaves[0]?.();
    leaves[0]?.();
    changes.enter();
    expect(() => changes.enter()).toThrow("watch already");
  });
});
