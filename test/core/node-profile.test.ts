import { describe, expect, test } from "bun:test";
import { refusalCode } from "#test/support/refusal-code.ts";
import type { NodeId, PoolId } from "@/core/ids.ts";
import type { NodeRecord } from "@/core/node.ts";
import {
  changedProfile,
  type NodeChanges,
  newProfile,
  sameProfile,
  unnamed,
} from "@/core/node-profile.ts";

const GOOD = { name: "pi", specialization: "storage" };

function codeOf(changes: NodeChanges): string {
  return refusalCode(() => newProfile({ ...GOOD, ...changes }));
}

function metadata(entries: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: entries }, (_, at) => [`key-${at}`, "value"]));
}

describe("what a node says of itself", () => {
  test.each([
    ["the shortest name", { name: "x" }],
    ["the longest name", { name: "x".repeat(64) }],
    ["64 letters of two units each", { name: "🦊".repeat(64) }],
    ["the shortest specialization", { specialization: "a" }],
    ["the longest specialization", { specialization: `a${"-9".repeat(15)}b` }],
    ["a TCP endpoint", { endpoint: "tcp://10.0.0.2:9000" }],
    ["an HTTP endpoint with a path", { endpoint: "http://pi.local/jobs?now=1" }],
    ["a gRPC endpoint on IPv6", { endpoint: "grpc://[fe80::1]:50051" }],
    ["the first and the last port", { endpoint: "tcp://a:65535" }],
    ["no endpoint", { endpoint: "" }],
    ["an organization", { org: "acme-2.eu_west" }],
    ["16 entries", { metadata: metadata(16) }],
    ["the longest key and value", { metadata: { ["k".repeat(32)]: "v".repeat(256) } }],
    ["an empty value", { metadata: { key: "" } }],
  ])("may be %s", (_, changes) => {
    expect(codeOf(changes)).toBe("allowed");
  });

  test.each([
    ["no name", { name: "" }],
    ["a name of spaces", { name: "   " }],
    ["a name too long", { name: "x".repeat(65) }],
    ["a name with a line break", { name: "a\nb" }],
    ["a name with an escape", { name: "a\u001b[31m" }],
    ["a name that turns the line around", { name: "a\u202eb" }],
    ["half a letter", { name: "a\ud800" }],
    ["no specialization", { specialization: "" }],
    ["a specialization too long", { specialization: "a".repeat(33) }],
    ["a specialization in capitals", { specialization: "Storage" }],
    ["a specialization that begins with a digit", { specialization: "9p" }],
    ["another scheme", { endpoint: "ftp://a:1" }],
    ["an endpoint with credentials", { endpoint: "http://user:secret@a" }],
    ["an endpoint without host", { endpoint: "http:///path" }],
    ["an endpoint without port", { endpoint: "tcp://a" }],
    ["port 0", { endpoint: "tcp://a:0" }],
    ["port 65536", { endpoint: "tcp://a:65536" }],
    ["a path where none belongs", { endpoint: "grpc://a:1/x" }],
    ["a fragment", { endpoint: "http://a/x#y" }],
    ["a host with spaces", { endpoint: "http://a b/" }],
    ["an endpoint with a line break", { endpoint: "http://a/x\r\nHost: b" }],
    ["an endpoint too long", { endpoint: `http://a/${"x".repeat(248)}` }],
    ["an organization with spaces", { org: "a b" }],
    ["17 entries", { metadata: metadata(17) }],
    ["an empty key", { metadata: { "": "x" } }],
    ["a key too long", { metadata: { ["k".repeat(33)]: "x" } }],
    ["a key of the language", { metadata: Object.fromEntries([["__proto__", "x"]]) }],
    ["a value too long", { metadata: { key: "v".repeat(257) } }],
    ["a value with a bell", { metadata: { key: "\u0007" } }],
  ])("is refused with %s", (_, changes) => {
    expect(codeOf(changes)).toBe("node.invalid");
  });

  test("is told of all its mistakes at once", () => {
    try {
      newProfile({ name: "", specialization: "", endpoint: "x" });
      throw new Error("it was allowed");
    } catch (refusal) {
      const errors = [{ path: "name" }, { path: "specialization" }, { path: "endpoint" }];
      expect(refusal).toMatchObject({ details: { errors } });
    }
  });

  test("is kept trimmed and in one spelling of its letters", () => {
    expect(newProfile({ ...GOOD, name: " e\u0301 " }).name).toBe("\u00e9");
  });
});

describe("a change of what a node says of itself", () => {
  const before = newProfile({ ...GOOD, org: "acme", metadata: { rack: "3" } });
  const node: NodeRecord = {
    ...before,
    id: "node" as NodeId,
    pool: "pool" as PoolId,
    publicKey: new Uint8Array(32),
    specializationApproved: true,
    status: "member",
    registeredAtMs: 0,
    registeredSlot: 0,
    suspension: undefined,
    pending: undefined,
    memberFrom: undefined,
    version: 1,
  };

  test("keeps what is not mentioned, and takes away what is made empty", () => {
    const after = changedProfile(node, { name: "pi 2", org: null });
    expect(after).toEqual({ ...before, name: "pi 2", org: undefined });
  });

  test.each([
    ["a name", { name: "other" }],
    ["a specialization", { specialization: "analytics" }],
    ["an endpoint", { endpoint: "tcp://a:1" }],
    ["an organization", { org: "other" }],
    ["an entry", { metadata: { rack: "4" } }],
  ])("shows in %s", (_, changes) => {
    expect(sameProfile(before, changedProfile(node, changes))).toBe(false);
    expect(sameProfile(before, changedProfile(node, {}))).toBe(true);
  });
});

test("a node without a name is called after its id", () => {
  expect(unnamed("abcdefghijklmnopqrstuvwxyz" as NodeId)).toBe("node-abcdefgh");
});
