import { describe, expect, test } from "bun:test";
import { refusalCode } from "#test/support/refusal-code.ts";
import { nodeIdOf, type PoolId, poolIdOf } from "@/core/ids.ts";
import {
  canServe,
  changedNode,
  joinedNode,
  judgedNode,
  leftNode,
  type Node,
  type NodeRecord,
  type NodeStatus,
  nextVersion,
  removedNode,
  resumedNode,
  suspendedNode,
  takesPlace,
  unheardNode,
} from "@/core/node.ts";
import { sameProfile } from "@/core/node-profile.ts";

const KEY = new Uint8Array(32).fill(1);
const LAB: PoolId = poolIdOf(new Uint8Array(32).fill(2));

function nodeThat(status: NodeStatus): Node {
  return unheardNode({
    id: nodeIdOf(KEY),
    publicKey: KEY,
    pool: poolIdOf(KEY),
    name: "pi",
    specialization: "storage",
    specializationApproved: false,
    endpoint: undefined,
    org: undefined,
    metadata: { rack: "1" },
    status,
    registeredAtMs: 1,
    registeredSlot: 2,
    version: 3,
  });
}

describe("membership", () => {
  const acts: Readonly<Record<string, (node: NodeRecord) => NodeRecord>> = {
    leave: leftNode,
    suspend: suspendedNode,
    resume: resumedNode,
    remove: removedNode,
    join: (node) => joinedNode(node, LAB),
  };

  test.each([
    ["member", "leave", "left"],
    ["member", "suspend", "suspended"],
    ["member", "remove", "removed"],
    ["member", "join", "member"],
    ["suspended", "resume", "member"],
    ["suspended", "remove", "removed"],
    ["left", "join", "member"],
    ["left", "remove", "removed"],
  ] as const)("a node that is %s may %s", (status, act, after) => {
    const node = nodeThat(status);
    expect(acts[act]?.(node)).toMatchObject({ status: after, version: 4, id: node.id });
  });

  test.each([
    ["suspended", "leave", "node.suspended"],
    ["suspended", "join", "node.suspended"],
    ["left", "suspend", "node.left"],
    ["left", "resume", "node.left"],
    ["removed", "leave", "node.removed"],
    ["removed", "suspend", "node.removed"],
    ["removed", "resume", "node.removed"],
    ["removed", "join", "node.removed"],
  ] as const)("a node that is %s may not %s", (status, act, code) => {
    expect(refusalCode(() => acts[act]?.(nodeThat(status)))).toBe(code);
  });

  test.each([
    ["member", "new", true],
    ["suspended", "suspended", true],
    ["left", "left", false],
    ["removed", "left", false],
  ] as const)("a node that is %s shows as %s; takes a place: %p", (status, state, place) => {
    const node = nodeThat(status);
    expect([node.state, takesPlace(node)]).toEqual([state, place]);
  });
});

describe("what is heard of a node", () => {
  const alive = judgedNode(nodeThat("member"), { state: "alive", lastSeenMs: 9 });

  test("changes only what was heard", () => {
    expect(alive).toMatchObject({ state: "alive", lastSeenMs: 9, healthPermille: 1_000 });
    expect(judgedNode(alive, { healthPermille: 7 })).toEqual({ ...alive, healthPermille: 7 });
  });

  test("gives no presence to a node that is no member", () => {
    const suspended = judgedNode(nodeThat("suspended"), { state: "alive", lastSeenMs: 9 });
    expect(suspended).toMatchObject({ state: "suspended", lastSeenMs: 9 });
  });

  test("holds while the node stays, and not in another pool", () => {
    const renamed = changedNode(alive, nextVersion(alive, { name: "other" }));
    expect(renamed).toEqual({ ...alive, name: "other", version: 4 });
    const moved = changedNode(alive, joinedNode(alive, LAB));
    expect(moved).toMatchObject({ state: "new", lastSeenMs: 9, pool: LAB });
  });

  test("decides who can serve", () => {
    const serving = (["new", "alive", "late", "lost"] as const).filter((state) =>
      canServe(judgedNode(alive, { state })),
    );
    expect(serving).toEqual(["alive", "late"]);
  });
});

test.each([
  [{ name: "other" }],
  [{ specialization: "gpu" }],
  [{ endpoint: "tcp://a:1" }],
  [{ org: "acme" }],
  [{ metadata: {} }],
  [{ metadata: { rack: "2" } }],
  [{ metadata: { row: "1" } }],
])("a profile with %j is another one", (changes) => {
  const node = nodeThat("member");
  expect(sameProfile(node, { ...node, ...changes })).toBe(false);
  expect(sameProfile(node, { ...node })).toBe(true);
});
