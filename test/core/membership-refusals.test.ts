import { describe, expect, test } from "bun:test";
import { hashKeyMissing, nobodyServes } from "@/core/discovery.ts";
import { isId, nodeIdOf, poolIdOf } from "@/core/ids.ts";
import {
  nodeChanged,
  nodeExists,
  nodeLeft,
  nodeRemoved,
  nodeSuspended,
  nodeUnknown,
} from "@/core/node.ts";
import {
  orgNotAdmitted,
  type Pool,
  poolChanged,
  poolCrowded,
  poolExists,
  poolFull,
  poolNotEmpty,
  poolPrivate,
  poolUnknown,
} from "@/core/pool.ts";

const KEY = new Uint8Array(32);
const NODE = nodeIdOf(KEY);
const POOL: Pool = {
  id: poolIdOf(KEY),
  publicKey: KEY,
  name: "home",
  kind: "main",
  org: undefined,
  createdAtMs: 0,
  ownMaxNodes: undefined,
  ownVisibility: undefined,
  ownAllowedOrgs: undefined,
  maxNodes: 3,
  visibility: "private",
  allowedOrgs: undefined,
  version: 1,
};

describe("a refusal about membership", () => {
  test.each([
    ["node.unknown", "not_found", nodeUnknown("x")],
    ["node.exists", "exists", nodeExists(NODE)],
    ["node.changed", "conflict", nodeChanged(NODE)],
    ["node.suspended", "denied", nodeSuspended(NODE)],
    ["node.removed", "denied", nodeRemoved(NODE)],
    ["node.left", "precondition", nodeLeft(NODE)],
    ["pool.unknown", "not_found", poolUnknown("x")],
    ["pool.pending_full", "exhausted", poolCrowded(POOL)],
    ["pool.exists", "exists", poolExists("home")],
    ["pool.changed", "conflict", poolChanged(POOL.id)],
    ["pool.full", "precondition", poolFull(POOL)],
    ["pool.private", "denied", poolPrivate(POOL.id)],
    ["pool.private", "denied", orgNotAdmitted(POOL.id)],
    ["pool.not_empty", "precondition", poolNotEmpty(POOL, 2)],
    ["discovery.nobody", "not_found", nobodyServes(undefined)],
    ["discovery.nobody", "not_found", nobodyServes("gpu")],
    ["discovery.key_missing", "invalid", hashKeyMissing()],
  ])("has the code %s and the kind %s, and is a sentence", (code, kind, refusal) => {
    expect([refusal.code, refusal.kind]).toEqual([code, kind]);
    expect(refusal.message).toMatch(/^[A-Z].*\.$/);
  });

  test("repeats little of what a stranger sent", () => {
    expect(nodeUnknown("x".repeat(10_000)).message.length).toBeLessThan(200);
    expect(poolUnknown("x".repeat(10_000)).message.length).toBeLessThan(200);
  });
});

test.each([
  [NODE, true],
  ["a".repeat(25), false],
  ["a".repeat(27), false],
  ["A".repeat(26), false],
  ["1".repeat(26), false],
])("%s has the shape of an id: %p", (text, shaped) => {
  expect(isId(text)).toBe(shaped);
});
