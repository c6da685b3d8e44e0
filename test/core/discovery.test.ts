import { describe, expect, test } from "bun:test";
import { pickByHash, pickInTurn, pickLeastLoaded } from "@/core/discovery.ts";
import { nodeIdOf, poolIdOf } from "@/core/ids.ts";
import { type Node, unheardNode } from "@/core/node.ts";
import { countedWeight } from "@/core/specialization.ts";

type Several = readonly [Node, ...Node[]];

function nodeNumber(number: number, healthPermille = 1_000): Node {
  const publicKey = new Uint8Array(32).fill(number);
  const record = {
    id: nodeIdOf(publicKey),
    publicKey,
    pool: poolIdOf(publicKey),
    name: `node ${number}`,
    specialization: "storage",
    specializationApproved: true,
    endpoint: undefined,
    org: undefined,
    metadata: {},
    status: "member",
    registeredAtMs: 0,
    registeredSlot: 0,
    suspension: undefined,
    pending: undefined,
    memberFrom: undefined,
    version: 1,
  } as const;
  return { ...unheardNode(record), healthPermille };
}

function nodes(count: number): Several {
  const [first = nodeNumber(0), ...rest] = Array.from({ length: count }, (_, at) => nodeNumber(at));
  return [first, ...rest];
}

describe("the least loaded node", () => {
  test("is the one with the least work for its health", () => {
    const [weak, strong] = [nodeNumber(1, 400), nodeNumber(2, 1_000)];
    const load = new Map([
      [weak.id, 0],
      [strong.id, 1],
    ]);
    expect(pickLeastLoaded([weak, strong], ({ id }) => load.get(id) ?? 0)).toBe(strong);
    load.set(strong.id, 2);
    expect(pickLeastLoaded([weak, strong], ({ id }) => load.get(id) ?? 0)).toBe(weak);
  });

  test("is the one with the smaller id among equals, in whatever order they stand", () => {
    const several = nodes(5);
    const backwards = [...several].reverse() as unknown as Several;
    const least = [...several].sort((a, b) => (a.id < b.id ? -1 : 1))[0];
    expect(pickLeastLoaded(several, () => 3)).toBe(least as Node);
    expect(pickLeastLoaded(backwards, () => 3)).toBe(least as Node);
  });
});

describe("taking turns", () => {
  test("visits every node once and then begins again", () => {
    const several = nodes(7);
    let last = "";
    const seen = Array.from({ length: 14 }, () => {
      last = pickInTurn(several, last).id;
      return last;
    });
    expect(new Set(seen.slice(0, 7)).size).toBe(7);
    expect(seen.slice(7)).toEqual(seen.slice(0, 7));
  });

  test("goes on after a node that went away", () => {
    const several = nodes(3);
    const ids = several.map(({ id }) => id).sort();
    const rest = several.filter(({ id }) => id !== ids[1]) as unknown as Several;
    expect(pickInTurn(rest, ids[1] ?? "").id as string).toBe(ids[2] ?? "");
    expect(pickInTurn(rest, ids[2] ?? "").id as string).toBe(ids[0] ?? "");
  });
});

describe("picking by hash", () => {
  const keys = Array.from({ length: 10_000 }, (_, at) => `job-${at}`);
  const several = nodes(10);

  test("gives a key the same node, in whatever order the nodes stand", () => {
    const backwards = [...several].reverse() as unknown as Several;
    for (const key of keys.slice(0, 100)) {
      expect(pickByHash(backwards, key)).toBe(pickByHash(several, key));
    }
  });

  test("spreads keys evenly", () => {
    const counts = new Map<string, number>();
    for (const key of keys) {
      const { id } = pickByHash(several, key);
      counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    expect(counts.size).toBe(10);
    for (const count of counts.values()) {
      expect(count).toBeGreaterThan(800);
      expect(count).toBeLessThan(1_200);
    }
  });

  test("moves only the keys of a node that went away", () => {
    const gone = several[3];
    const rest = several.filter((node) => node !== gone) as unknown as Several;
    for (const key of keys.slice(0, 1_000)) {
      const before = pickByHash(several, key);
      if (before !== gone) expect(pickByHash(rest, key)).toBe(before);
    }
  });
});

test.each([
  [2_000, true, 2_000],
  [2_000, false, 1_000],
  [1_000, false, 1_000],
  [500, false, 500],
  [500, true, 500],
])("a weight of %d, approved %p, counts for %d", (weight, approved, counted) => {
  expect(countedWeight(weight, approved)).toBe(counted);
});
