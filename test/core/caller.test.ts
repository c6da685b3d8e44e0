import { describe, expect, test } from "bun:test";
import {
  denied,
  hasRole,
  nodeCaller,
  requireNodeOr,
  systemCaller,
  unauthenticated,
} from "@/core/caller.ts";
import type { NodeId } from "@/core/ids.ts";

const NODE = "a".repeat(26) as NodeId;
const OTHER = "b".repeat(26) as NodeId;

describe("a caller", () => {
  test("that is the pool itself has a name and no role", () => {
    expect(systemCaller("poot")).toEqual({ type: "system", id: "system:poot", roles: [] });
  });

  test("that is a node has its certificate when it showed one", () => {
    const node = { type: "node", id: NODE, roles: ["node"], node: NODE } as const;
    expect(nodeCaller(NODE)).toEqual(node);
    expect(nodeCaller(NODE, "ab")).toEqual({ ...node, certificate: "ab" });
  });

  test("has a role when one of those asked for is its own", () => {
    expect(hasRole(nodeCaller(NODE), "admin", "node")).toBe(true);
    expect(hasRole(nodeCaller(NODE), "admin")).toBe(false);
    expect(hasRole(nodeCaller(NODE))).toBe(false);
  });

  test("acts for itself or with a role, and else is refused", () => {
    expect(() => requireNodeOr(nodeCaller(NODE), NODE)).not.toThrow();
    expect(() => requireNodeOr(nodeCaller(NODE), OTHER, "node")).not.toThrow();
    expect(() => requireNodeOr(nodeCaller(NODE), OTHER, "admin")).toThrow(
      denied("see or change another node"),
    );
  });

  test("is told apart from nobody", () => {
    expect([denied("do this").kind, unauthenticated().kind]).toEqual(["denied", "unauthenticated"]);
  });
});
