import { PoolError } from "@/std/errors.ts";
import type { NodeId, PoolId } from "./ids.ts";

/** Whether a node belongs to its pool; a pending one has not shown yet that it lives. */
export type NodeStatus = "pending" | "member" | "suspended" | "left" | "removed";

/** What the pool knows of a member from its heartbeats (poot.md, section 5). */
export type Presence = "new" | "alive" | "late" | "lost";

/** The one word shown to people; a removed node shows as left. */
export type NodeState = Presence | "pending" | "suspended" | "left";

/** Every state, for filters and figures. */
export const NODE_STATES: readonly NodeState[] = [
  "pending",
  "new",
  "alive",
  "late",
  "lost",
  "suspended",
  "left",
];

/** What a node says of itself. */
export interface NodeProfile {
  readonly name: string;
  readonly specialization: string;
  /** Where it serves: tcp://host:port, http://host:port/path or grpc://host:port. */
  readonly endpoint: string | undefined;
  readonly org: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Why, since when and until when a node is suspended. */
export interface Suspension {
  readonly reason: string | undefined;
  readonly sinceMs: number;
  /** When the pool removes it by itself; undefined for never. */
  readonly removeAtMs: number | undefined;
}

/** That a node came into a public pool by itself, and was not admitted yet. */
export interface PendingEntry {
  readonly sinceMs: number;
  /** What one stranger has of a network: places are limited by it. */
  readonly network: string;
}

/** A slot of the pool's time. */
export interface EpochSlot {
  readonly epoch: number;
  readonly slot: number;
}

/** What is kept of a node. */
export interface NodeRecord extends NodeProfile {
  readonly id: NodeId;
  /** Its Ed25519 key now; the id comes from the first one. */
  readonly publicKey: Uint8Array;
  /** The pool it belongs to, or belonged to last. */
  readonly pool: PoolId;
  /** An operator or a token named its specialization; else see `countedWeight`. */
  readonly specializationApproved: boolean;
  readonly status: NodeStatus;
  readonly registeredAtMs: number;
  readonly registeredSlot: number;
  /** Set while it is suspended. */
  readonly suspension: Suspension | undefined;
  /** Set until it is admitted, also when it left before. */
  readonly pending: PendingEntry | undefined;
  /** The first slot that may earn, when it was pending before: no slot before it ever does. */
  readonly memberFrom: EpochSlot | undefined;
  /** Counts the changes of what is kept; updates may be made conditional on it. */
  readonly version: number;
}

/** A node, with what is known of it at the moment. */
export interface Node extends NodeRecord {
  readonly state: NodeState;
  /** 0 while no heartbeat was accepted since the pool started. */
  readonly lastSeenMs: number;
  /** Health in thousandths, from probes. */
  readonly healthPermille: number;
}

/** What heartbeats and probes say of a node; it is kept in memory only. */
export interface Judgement {
  readonly state: Presence;
  readonly lastSeenMs: number;
  readonly healthPermille: number;
}

/** A node fresh from the disk, or after its membership changed: nothing was heard of it yet. */
export function unheardNode(record: NodeRecord): Node {
  return {
    ...record,
    state: stateOf(record.status, "new"),
    lastSeenMs: 0,
    healthPermille: 1_000,
  };
}

/** The node after a change of what is kept; what was heard of it holds while it stays in its pool. */
export function changedNode(now: Node, record: NodeRecord): Node {
  if (now.status !== record.status || now.pool !== record.pool) {
    const { lastSeenMs, healthPermille } = now;
    return { ...record, state: stateOf(record.status, "new"), lastSeenMs, healthPermille };
  }
  const { state, lastSeenMs, healthPermille } = now;
  return { ...record, state, lastSeenMs, healthPermille };
}

/** The node as judged by its heartbeats; only a member has a presence. */
export function judgedNode(node: Node, heard: Partial<Judgement>): Node {
  const { state = node.state, lastSeenMs, healthPermille } = heard;
  return {
    ...node,
    state: node.status === "member" ? state : node.state,
    lastSeenMs: lastSeenMs ?? node.lastSeenMs,
    healthPermille: healthPermille ?? node.healthPermille,
  };
}

/** Whether the node takes a place in its pool: a suspended one keeps it. */
export function takesPlace(node: NodeRecord): boolean {
  return node.status === "member" || node.status === "suspended";
}

/** Whether the node stands in the list of its pool: it takes a place, or wants one. */
export function isListed(node: NodeRecord): boolean {
  return takesPlace(node) || node.status === "pending";
}

/** Whether work may be sent to the node: it was heard lately. */
export function canServe(node: Node): boolean {
  return node.state === "alive" || node.state === "late";
}

/** Refuses a node that was suspended or removed: only an operator can bring it back. */
export function requireWelcome(node: NodeRecord): void {
  if (node.status === "suspended") throw nodeSuspended(node.id);
  if (node.status === "removed") throw nodeRemoved(node.id);
}

/** The node after leaving by itself; its balance stays where it is. */
export function leftNode(node: NodeRecord): NodeRecord {
  requireWelcome(node);
  return nextVersion(node, { status: "left" });
}

/** The node after an operator suspended it, or changed the terms of its suspension. */
export function suspendedNode(node: NodeRecord, suspension: Suspension): NodeRecord {
  requirePlaced(node);
  const sinceMs = node.suspension?.sinceMs ?? suspension.sinceMs;
  return nextVersion(node, { status: "suspended", suspension: { ...suspension, sinceMs } });
}

/** The node after an operator ended its suspension. */
export function resumedNode(node: NodeRecord): NodeRecord {
  requirePlaced(node);
  return nextVersion(node, { status: "member", suspension: undefined });
}

/** The node after it was removed for good. */
export function removedNode(node: NodeRecord): NodeRecord {
  return nextVersion(node, { status: "removed", suspension: undefined, pending: undefined });
}

/** The node as a member of a pool: moved, or back after it had left. */
export function joinedNode(node: NodeRecord, pool: PoolId): NodeRecord {
  requireWelcome(node);
  return nextVersion(node, { status: "member", pool, pending: undefined });
}

/** The node at the door of a public pool: it earns nothing until it has shown that it lives. */
export function pendingNode(node: NodeRecord, pool: PoolId, pending: PendingEntry): NodeRecord {
  requireWelcome(node);
  return nextVersion(node, { status: "pending", pool, pending });
}

/** The pending node as a member whose slots earn from one on. */
export function admittedNode(node: NodeRecord, memberFrom: EpochSlot): NodeRecord {
  return nextVersion(node, { status: "member", pending: undefined, memberFrom });
}

/** Whether a node that left may come back into its pool as the member it was. */
export function wasMember(node: NodeRecord): boolean {
  return node.status === "left" && node.pending === undefined;
}

/** Whether a suspended node is to be removed by now. */
export function isRemovalDue({ status, suspension }: NodeRecord, nowMs: number): boolean {
  const { removeAtMs } = suspension ?? {};
  return status === "suspended" && removeAtMs !== undefined && removeAtMs <= nowMs;
}

function requirePlaced(node: NodeRecord): void {
  if (node.status === "removed") throw nodeRemoved(node.id);
  if (node.status === "left") throw nodeLeft(node.id);
  if (node.status === "pending") throw nodePending(node.id);
}

/** The record with changes, one version later. */
export function nextVersion(node: NodeRecord, changes: Partial<NodeRecord>): NodeRecord {
  return { ...recordOf(node), ...changes, version: node.version + 1 };
}

function recordOf(node: NodeRecord): NodeRecord {
  return {
    id: node.id,
    publicKey: node.publicKey,
    pool: node.pool,
    name: node.name,
    specialization: node.specialization,
    specializationApproved: node.specializationApproved,
    endpoint: node.endpoint,
    org: node.org,
    metadata: node.metadata,
    status: node.status,
    registeredAtMs: node.registeredAtMs,
    registeredSlot: node.registeredSlot,
    suspension: node.suspension,
    pending: node.pending,
    memberFrom: node.memberFrom,
    version: node.version,
  };
}

function stateOf(status: NodeStatus, presence: Presence): NodeState {
  if (status === "member") return presence;
  return status === "suspended" || status === "pending" ? status : "left";
}

/** The refusal for a node nobody knows, or that the caller may not see. */
export const nodeUnknown = (id: string) =>
  new PoolError(
    "not_found",
    "node.unknown",
    `There is no node ${id.slice(0, 64)} here; list the nodes to see which there are.`,
  );

/** The refusal for a key that is registered already. */
export const nodeExists = (id: NodeId) =>
  new PoolError(
    "exists",
    "node.exists",
    `The key belongs to node ${id}, which is registered already; update that node, or make a new key.`,
    { nodeId: id },
  );

/** The refusal for a change decided on something no longer current. */
export const nodeChanged = (id: NodeId) =>
  new PoolError(
    "conflict",
    "node.changed",
    `Node ${id} was changed in the meantime; read it again and repeat the change.`,
    { nodeId: id },
  );

/** The refusal for a suspended node. */
export const nodeSuspended = (id: NodeId) =>
  new PoolError(
    "denied",
    "node.suspended",
    `Node ${id} is suspended; an operator can resume it with "galaxy-pool node resume".`,
    { nodeId: id },
  );

/** The refusal for what only makes sense once a node was admitted. */
export const nodePending = (id: NodeId) =>
  new PoolError(
    "precondition",
    "node.pending",
    `Node ${id} is pending: its pool waits for heartbeats in three slots; let it run, or remove it.`,
    { nodeId: id },
  );

/** The refusal for a removed node. */
export const nodeRemoved = (id: NodeId) =>
  new PoolError(
    "denied",
    "node.removed",
    `Node ${id} was removed by an operator; to join again it needs a new key and a new join token.`,
    { nodeId: id },
  );

/** The refusal for what only makes sense while a node is in a pool. */
export const nodeLeft = (id: NodeId) =>
  new PoolError("precondition", "node.left", `Node ${id} has left its pool; it must join first.`, {
    nodeId: id,
  });
