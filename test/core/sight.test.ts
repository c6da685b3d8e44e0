import { describe, expect, test } from "bun:test";
import { refusalCode } from "#test/support/refusal-code.ts";
import { type Caller, isOfInstallation, nodeCaller, systemCaller } from "@/core/caller.ts";
import type { NodeId, PoolId } from "@/core/ids.ts";
import { effectivePool, type Pool, type PoolRecord } from "@/core/pool.ts";
import { type Named, type Places, type Reach, requireReach, seesPool } from "@/core/sight.ts";

const DEFAULTS = { maxNodes: 9, isPublic: false, allowedOrgs: undefined };

function pool(id: string, terms: Partial<PoolRecord> = {}): Pool {
  const record: PoolRecord = {
    id: id as PoolId,
    publicKey: new Uint8Array(32),
    name: id,
    kind: "main",
    org: undefined,
    createdAtMs: 0,
    ownMaxNodes: undefined,
    ownVisibility: undefined,
    ownAllowedOrgs: undefined,
    version: 1,
  };
  return effectivePool({ ...record, ...terms }, DEFAULTS);
}

const OPEN = pool("open", { ownVisibility: "public" });
const ACME = pool("acme", { org: "acme", ownAllowedOrgs: ["beta"] });
const BARE = pool("bare");
const POOLS = new Map([OPEN, ACME, BARE].map((one) => [one.id as string, one]));
/** Node n1 is in "acme" and was in "bare", n2 is in "open", n3 in a pool that is gone. */
const NODES = new Map([
  ["n1", "acme"],
  ["n2", "open"],
  ["n3", "gone"],
]);

const PLACES: Places = {
  pool: (id) => POOLS.get(id),
  poolOfNode: (id) => NODES.get(id) as PoolId | undefined,
  wasIn: (node, id) => node === "n1" && id === "bare",
};

const user = (roles: Caller["roles"], org?: string): Caller => ({
  type: "user",
  id: "user:x",
  roles,
  ...(org !== undefined && { org }),
});
const node = (id: string) => nodeCaller(id as NodeId);
const CALLERS = {
  system: systemCaller("test"),
  operator: user(["operator"]),
  client: user(["client"]),
  acme: user(["admin"], "acme"),
  beta: user(["client"], "beta"),
  evil: user(["admin", "operator", "auditor"], "evil"),
  n1: node("n1"),
  n2: node("n2"),
} as const;

type Who = keyof typeof CALLERS;

function askedOf(who: Who, reach: Reach, ...named: readonly Named[]): string {
  return refusalCode(() => requireReach(PLACES, CALLERS[who], { named, reach }));
}

const at = (kind: Named["kind"], id: string, place: Named["place"] = "path"): Named => ({
  kind,
  id,
  place,
});

test("who speaks for the whole installation is a matter of role and organization", () => {
  const all = Object.entries(CALLERS).filter(([, caller]) => isOfInstallation(caller));
  expect(all.map(([who]) => who)).toEqual(["system", "operator"]);
});

describe("a pool", () => {
  test.each([
    ["open", ["system", "operator", "client", "acme", "beta", "evil", "n1", "n2"]],
    ["acme", ["system", "operator", "acme", "beta", "n1"]],
    ["bare", ["system", "operator"]],
  ] as const)("%s is seen by %p", (id, seers) => {
    const found = (Object.keys(CALLERS) as Who[]).filter((who) =>
      seesPool(PLACES, CALLERS[who], POOLS.get(id) ?? OPEN),
    );
    expect(found).toEqual([...seers]);
  });
});

describe("what a request names", () => {
  test.each([
    ["operator", "members", "pool nowhere path", "allowed"],
    ["evil", "sight", "pool nowhere path", "pool.unknown"],
    ["evil", "sight", "pool acme path", "pool.unknown"],
    ["evil", "members", "pool acme path", "pool.unknown"],
    ["evil", "sight", "node n1 path", "node.unknown"],
    ["evil", "sight", "node n9 path", "node.unknown"],
    ["evil", "sight", "node n3 path", "node.unknown"],
    ["evil", "sight", "node n2 path", "allowed"],
    ["evil", "members", "node n2 path", "access.denied"],
    ["evil", "members", "pool open query", "access.denied"],
    ["acme", "members", "node n1 path", "allowed"],
    ["beta", "members", "pool acme body", "allowed"],
    ["client", "sight", "pool bare path", "pool.unknown"],
    ["n1", "members", "node n1 path", "allowed"],
    ["n1", "members", "node n2 path", "access.denied"],
    ["n1", "members", "pool open path", "allowed"],
    ["n2", "sight", "node n1 path", "node.unknown"],
    ["n2", "sight", "pool acme query", "pool.unknown"],
  ] as const)("for %s (%s) by %p is %s", (who, reach, words, answer) => {
    const [kind, id, place] = words.split(" ") as [Named["kind"], string, Named["place"]];
    expect(askedOf(who, reach, { kind, id, place })).toBe(answer);
  });

  test("may be a node's former pool where it asks about itself, and nowhere else", () => {
    const former = at("pool", "bare", "query");
    expect(askedOf("n1", "members", at("node", "n1"), former)).toBe("allowed");
    expect(askedOf("n1", "members", former)).toBe("allowed");
    expect(askedOf("n1", "sight", at("node", "n2"), former)).toBe("pool.unknown");
    expect(askedOf("n1", "sight", at("pool", "bare"))).toBe("pool.unknown");
  });
});
