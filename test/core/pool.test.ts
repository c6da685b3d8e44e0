import { describe, expect, test } from "bun:test";
import { refusalCode } from "#test/support/refusal-code.ts";
import { changedTerms, newTerms, type PoolTerms, poolKindOf } from "@/core/pool.ts";

const HOME: PoolTerms = { name: "home", kind: "main", org: undefined, ownMaxNodes: undefined };

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
  ] as const)("are refused with %s", (_, wanted) => {
    expect(refusalCode(() => changedTerms(HOME, wanted))).toBe("pool.invalid");
  });

  test.each([
    ["a longest name", { name: "x".repeat(64) }, { name: "x".repeat(64) }],
    ["a name in any script, trimmed", { name: " Küche 厨房 " }, { name: "Küche 厨房" }],
    ["one node", { maxNodes: 1 }, { ownMaxNodes: 1 }],
    ["as many nodes as possible", { maxNodes: 10_000 }, { ownMaxNodes: 10_000 }],
    ["an owner", { kind: "enterprise", org: "acme" }, { kind: "enterprise", org: "acme" }],
  ] as const)("may be %s", (_, wanted, terms) => {
    expect(changedTerms(HOME, wanted)).toEqual({ ...HOME, ...terms });
  });

  test("lose what null takes away, and keep what is not named", () => {
    const full: PoolTerms = { name: "corp", kind: "dev", org: "acme", ownMaxNodes: 3 };
    expect(changedTerms(full, {})).toEqual(full);
    const bare = { ...full, org: undefined, ownMaxNodes: undefined };
    expect(changedTerms(full, { org: null, maxNodes: null })).toEqual(bare);
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
