import { describe, expect, test } from "bun:test";
import { refusalCode } from "#test/support/refusal-code.ts";
import { poolIdOf } from "@/core/ids.ts";
import {
  admitsOrg,
  changedTerms,
  effectivePool,
  newTerms,
  type Pool,
  type PoolDefaults,
  type PoolTerms,
  poolKindOf,
} from "@/core/pool.ts";

const HOME: PoolTerms = {
  name: "home",
  kind: "main",
  org: undefined,
  ownMaxNodes: undefined,
  ownVisibility: undefined,
  ownAllowedOrgs: undefined,
};

const numbered = (count: number) => Array.from({ length: count }, (_, at) => `org-${at}`);

function poolOf(terms: Partial<PoolTerms>, defaults: Partial<PoolDefaults> = {}): Pool {
  const publicKey = new Uint8Array(32);
  const record = { id: poolIdOf(publicKey), publicKey, createdAtMs: 0, version: 1, ...HOME };
  const usual = { maxNodes: 100, isPublic: false, allowedOrgs: undefined };
  return effectivePool({ ...record, ...terms }, { ...usual, ...defaults });
}

describe("a pool", () => {
  test.each([
    ["private when nobody says otherwise", {}, {}, "private"],
    ["public where the installation says so", {}, { isPublic: true }, "public"],
    ["public when it says so", { ownVisibility: "public" }, {}, "public"],
    ["private when it says so", { ownVisibility: "private" }, { isPublic: true }, "private"],
    ["private with an owner", { org: "acme" }, { isPublic: true }, "private"],
    ["private as an enterprise", { kind: "enterprise" }, { isPublic: true }, "private"],
    ["private with organizations", { ownAllowedOrgs: [] }, { isPublic: true }, "private"],
    ["public with an owner who says so", { org: "a", ownVisibility: "public" }, {}, "public"],
  ] as const)("is %s", (_, terms, defaults, visibility) => {
    expect(poolOf(terms, defaults).visibility).toBe(visibility);
  });

  test.each([
    ["any organization when no list is kept", {}, {}, "acme", true],
    ["who has none when no list is kept", {}, {}, undefined, true],
    ["those on the list", { ownAllowedOrgs: ["acme"] }, {}, "acme", true],
    ["no others", { ownAllowedOrgs: ["acme"] }, {}, "beta", false],
    ["nobody without one", { ownAllowedOrgs: ["acme"] }, {}, undefined, false],
    ["nobody by an empty list", { ownAllowedOrgs: [] }, {}, "acme", false],
    ["by the installation's list", {}, { allowedOrgs: ["acme"] }, "beta", false],
    ["by its own list first", { ownAllowedOrgs: ["a"] }, { allowedOrgs: [] }, "a", true],
    ["anybody while public", { ownVisibility: "public" }, { allowedOrgs: [] }, "a", true],
  ] as const)("admits %s", (_, terms, defaults, org, admitted) => {
    const own = terms as Partial<PoolTerms>;
    expect(admitsOrg(poolOf(own, defaults as Partial<PoolDefaults>), org)).toBe(admitted);
  });
});

describe("the terms of a pool", () => {
  test.each([
    ["no name", { name: "" }],
    ["only spaces", { name: "  " }],
    ["a name too long", { name: "x".repeat(65) }],
    ["a name that turns the line around", { name: "a\u202eb" }],
    ["an enterprise without owner", { kind: "enterprise" }],
    ["an owner with spaces", { org: "not an org" }],
    ["no node at all", { maxNodes: 0 }],
    ["half a node", { maxNodes: 1.5 }],
    ["one node too many", { maxNodes: 10_001 }],
    ["an organization that is none", { allowedOrgs: ["acme", "not an org"] }],
    ["too many organizations", { allowedOrgs: numbered(101) }],
    ["organizations where anybody may come", { visibility: "public", allowedOrgs: ["acme"] }],
  ] as const)("are refused with %s", (_, wanted) => {
    expect(refusalCode(() => changedTerms(HOME, wanted))).toBe("pool.invalid");
  });

  test.each([
    ["a longest name", { name: "x".repeat(64) }, { name: "x".repeat(64) }],
    ["a name in any script, trimmed", { name: " Küche 厨房 " }, { name: "Küche 厨房" }],
    ["one node", { maxNodes: 1 }, { ownMaxNodes: 1 }],
    ["as many nodes as possible", { maxNodes: 10_000 }, { ownMaxNodes: 10_000 }],
    ["open to anybody", { visibility: "public" }, { ownVisibility: "public" }],
    ["for nobody", { allowedOrgs: [] }, { ownAllowedOrgs: [] }],
    ["for one twice", { allowedOrgs: ["acme", "acme"] }, { ownAllowedOrgs: ["acme"] }],
    ["for many", { allowedOrgs: numbered(100) }, { ownAllowedOrgs: numbered(100) }],
    ["an owner", { kind: "enterprise", org: "acme" }, { kind: "enterprise", org: "acme" }],
  ] as const)("may be %s", (_, wanted, terms) => {
    expect(changedTerms(HOME, wanted)).toEqual({ ...HOME, ...terms });
  });

  test("lose what null takes away, and keep what is not named", () => {
    const full: PoolTerms = {
      name: "corp",
      kind: "dev",
      org: "acme",
      ownMaxNodes: 3,
      ownVisibility: "private",
      ownAllowedOrgs: ["acme"],
    };
    expect(changedTerms(full, {})).toEqual(full);
    const nothing = { org: null, maxNodes: null, visibility: null, allowedOrgs: null };
    expect(changedTerms(full, nothing)).toEqual({ ...HOME, name: "corp", kind: "dev" });
  });

  test("of a new pool begin with kind main and nothing else", () => {
    expect(newTerms({ name: "home" })).toEqual(HOME);
    expect(refusalCode(() => newTerms({}))).toBe("pool.invalid");
  });

  test("know a kind by its word", () => {
    expect(poolKindOf("dev")).toBe("dev");
    expect(refusalCode(() => poolKindOf("cluster"))).toBe("pool.invalid");
  });
});
