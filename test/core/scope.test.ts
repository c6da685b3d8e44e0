import { describe, expect, test } from "bun:test";
import type { Caller } from "@/core/caller.ts";
import { areaOf, isInScope, isScope, outOfScope, scopeOf } from "@/core/scope.ts";

describe("the area of a path", () => {
  test.each([
    ["/api/v1/nodes", "nodes"],
    ["/api/v1/nodes/:node_id/payout-address", "nodes"],
    ["/metrics", "metrics"],
    ["/", "root"],
    ["", "root"],
    ["/api/v1", "root"],
    ["/api/v2/nodes", "api"],
  ])("of %s is %s", (path, area) => {
    expect(areaOf(path)).toBe(area);
  });
});

describe("scopes", () => {
  const key = (...scopes: string[]): Caller => ({ type: "key", id: "key:a", roles: [], scopes });

  test("read for GET and HEAD, and write for all else", () => {
    expect(scopeOf("GET", "/api/v1/pools")).toBe("pools:read");
    expect(scopeOf("HEAD", "/api/v1/pools")).toBe("pools:read");
    for (const method of ["POST", "PUT", "DELETE", "PATCH"]) {
      expect(scopeOf(method, "/api/v1/pools")).toBe("pools:write");
    }
  });

  test("have a shape", () => {
    expect(["nodes:read", "poot:write"].map(isScope)).toEqual([true, true]);
    const bad = [
      "nodes",
      "nodes:",
      ":read",
      "nodes:all",
      "Nodes:read",
      "nodes:read,pools:read",
      "",
    ];
    expect(bad.filter(isScope)).toEqual([]);
  });

  test("let through what they name, and nothing else", () => {
    expect(isInScope(key("nodes:read"), "GET", "/api/v1/nodes")).toBe(true);
    expect(isInScope(key("nodes:read"), "PUT", "/api/v1/nodes/:node_id")).toBe(false);
    expect(isInScope(key("nodes:write"), "GET", "/api/v1/nodes")).toBe(false);
    expect(isInScope(key("node:read"), "GET", "/api/v1/nodes")).toBe(false);
    expect(isInScope(key(), "GET", "/api/v1/nodes")).toBe(false);
  });

  test("bind nobody who has none", () => {
    const caller: Caller = { type: "user", id: "user:a", roles: [] };
    expect(isInScope(caller, "DELETE", "/api/v1/users/:user_name")).toBe(true);
  });

  test("say which one was missing", () => {
    const refusal = outOfScope("POST", "/api/v1/payouts/process");
    expect([refusal.kind, refusal.code]).toEqual(["denied", "access.scope"]);
    expect(refusal.message).toContain("payouts:write");
  });
});
