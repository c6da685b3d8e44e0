import { describe, expect, test } from "bun:test";
import { refusalCode } from "#test/support/refusal-code.ts";
import { nodeIdOf, type PoolId, poolIdOf } from "@/core/ids.ts";
import {
  admittedNode,
  canServe,
  changedNode,
  isListed,
  isRemovalDue,
  joinedNode,
  judgedNode,
  leftNode,
  type Node,
  type NodeRecord,
  type NodeStatus,
  nextVersion,
  pendingNode,
  removedNode,
  resumedNode,
  suspendedNode,
  takesPlace,
  unheardNode,
  wasMember,
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
    suspension: undefined,
    pending: undefined,
    memberFrom: undefined,
    version: 3,
  });
}

const SUSPENSION = { reason: "noise", sinceMs: 7, removeAtMs: 100 };

describe("membership", () => {
  const acts: Readonly<Record<string, (node: NodeRecord) => NodeRecord>> = {
    leave: leftNode,
    suspend: (node) => suspendedNode(node, SUSPENSION),
    wait: (node) => pendingNode(node, LAB, { sinceMs: 5, network: "192.0.2.1" }),
    enter: (node) => admittedNode(node, { epoch: 1, slot: 9 }),
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
    ["suspended", "suspend", "suspended"],
    ["left", "wait", "pending"],
    ["member", "wait", "pending"],
    ["pending", "enter", "member"],
    ["pending", "join", "member"],
    ["pending", "remove", "removed"],
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
    ["suspended", "wait", "node.suspended"],
    ["removed", "wait", "node.removed"],
    ["pending", "suspend", "node.pending"],
    ["pending", "resume", "node.pending"],
  ] as const)("a node that is %s may not %s", (status, act, code) => {
    expect(refusalCode(() => acts[act]?.(nodeThat(status)))).toBe(code);
  });

  test.each([
    ["member", "new", true],
    ["suspended", "suspended", true],
    ["left", "left", false],
    ["removed", "left", false],
    ["pending", "pending", false],
  ] as const)("a node that is %s shows as %s; takes a place: %p", (status, state, place) => {
    const node = nodeThat(status);
    expect([node.state, takesPlace(node)]).toEqual([state, place]);
    expect(isListed(node)).toBe(place || status === "pending");
  });

  test("of a pending node is not that of a member, until it was admitted", () => {
    const node = nodeThat("left");
    const waiting = pendingNode(node, LAB, { sinceMs: 5, network: "192.0.2.1" });
    const gone = nextVersion(waiting, { status: "left" });
    expect([wasMember(node), wasMember(gone)]).toEqual([true, false]);
    const admitted = admittedNode(waiting, { epoch: 0, slot: 9 });
    expect(admitted).toMatchObject({ pending: undefined, memberFrom: { epoch: 0, slot: 9 } });
  });

  test("suspended anew keeps its date, and ends with the suspension", () => {
    const first = suspendedNode(nodeThat("member"), SUSPENSION);
    const again = suspendedNode(first, { reason: "more", sinceMs: 50, removeAtMs: undefined });
    const suspension = { reason: "more", sinceMs: 7, removeAtMs: undefined };
    expect(again.suspension).toEqual(suspension);
    expect(resumedNode(again).suspension).toBeUndefined();
    expect(removedNode(again).suspension).toBeUndefined();
  });

  test.each([
    ["not before its time", 100, 99, false],
    ["in its time", 100, 100, true],
    ["never, when never was said", undefined, 1e15, false],
  ] as const)("that is suspended is over %s", (_, removeAtMs, nowMs, isDue) => {
    const node = suspendedNode(nodeThat("member"), { ...SUSPENSION, removeAtMs });
    expect(isRemovalDue(node, nowMs)).toBe(isDue);
    expect(isRemovalDue(resumedNode(node), nowMs)).toBe(false);
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
