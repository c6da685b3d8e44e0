import type { NodeId } from "@/core/ids.ts";
import type { Slot } from "./slot.ts";

/** Whether a node belongs to the pool; only a `member` earns, and a `pending` one is heard, too. */
export type Membership = "pending" | "member" | "suspended" | "left" | "removed";

/** How a member shows by its heartbeats. A lost one keeps identity, credits and balance. */
export type NodeHealth = "alive" | "late" | "lost";

/** Why and until when nobody becomes lost: more than half of the nodes fell silent together. */
export interface Silence {
  /** The slot in which they fell silent. */
  readonly since: Slot;
  /** The nodes that were UP in the slot before. */
  readonly wereUp: ReadonlySet<NodeId>;
}

/** The health of all nodes of a pool, changed in place once per slot. */
export interface HealthTable {
  readonly nodes: Map<NodeId, HealthOfNode>;
  silence: Silence | undefined;
}

interface HealthOfNode {
  health: NodeHealth;
  /** Observed slots since the last one it was UP in. */
  missed: number;
  /** Whether it was UP in the last observed slot. */
  wasUp: boolean;
}

/** When a node is late or lost. */
export interface HealthPolicy {
  /** `registry.auto_deregister_after`: observed slots missed until a node is lost. */
  readonly lostAfterSlots: number;
  /** For how many slots a mass silence keeps nodes from becoming lost (60 minutes). */
  readonly silenceMaxSlots: number;
}

/** A slot that has ended. */
export interface ObservedSlot {
  readonly slot: Slot;
  /** Whether the pool was looking; if not, the slot costs nobody anything. */
  readonly isLooked: boolean;
  readonly isUp: (node: NodeId) => boolean;
}

/** A node whose health has changed. */
export interface HealthChange {
  readonly node: NodeId;
  readonly from: NodeHealth;
  readonly to: NodeHealth;
}

/** Fewer nodes than this that fall silent together are just fewer nodes. */
export const SILENCE_NODES_MIN = 4;

/** An empty health table. */
export function newHealthTable(): HealthTable {
  return { nodes: new Map(), silence: undefined };
}

/** The health of a node that missed so many observed slots (poot.md, section 5). */
export function healthOf(missed: number, lostAfterSlots: number): NodeHealth {
  if (missed >= lostAfterSlots) return "lost";
  return missed === 0 ? "alive" : "late";
}

/** A heartbeat makes a node alive, at once. Changes the table. */
export function noteAlive(table: HealthTable, node: NodeId): HealthChange | undefined {
  const known = table.nodes.get(node);
  table.nodes.set(node, { health: "alive", missed: 0, wasUp: known?.wasUp === true });
  if (known?.health === "alive") return undefined;
  return { node, from: known?.health ?? "lost", to: "alive" };
}

/** A node is no member any more, or not now. Changes the table. */
export function dropHealth(table: HealthTable, node: NodeId): void {
  table.nodes.delete(node);
}

/** Takes a slot that has ended into account. Changes the table and tells what changed. */
export function observeSlot(
  table: HealthTable,
  observed: ObservedSlot,
  policy: HealthPolicy,
): HealthChange[] {
  if (!observed.isLooked) return [];
  table.silence = silenceIn(table, observed, policy);
  const changes: HealthChange[] = [];
  for (const [node, known] of table.nodes) {
    const from = known.health;
    known.wasUp = observed.isUp(node);
    known.missed = known.wasUp ? 0 : known.missed + 1;
    known.health = nextHealth(known, table.silence !== undefined, policy);
    if (known.health !== from) changes.push({ node, from, to: known.health });
  }
  return changes;
}

/** Nobody becomes lost during a mass silence; who was lost before stays so. */
function nextHealth(known: HealthOfNode, isSilence: boolean, policy: HealthPolicy): NodeHealth {
  const health = healthOf(known.missed, policy.lostAfterSlots);
  return health === "lost" && isSilence && known.health !== "lost" ? "late" : health;
}

/**
 * A mass silence begins in a slot in which more than half of the nodes UP before, four at least,
 * are not heard; the fault is then more likely the network's or the pool's than theirs. It ends
 * when half of that set is heard again, or after its time.
 */
function silenceIn(
  table: HealthTable,
  observed: ObservedSlot,
  policy: HealthPolicy,
): Silence | undefined {
  const running = table.silence ?? { since: observed.slot, wereUp: upBefore(table) };
  if (observed.slot - running.since >= policy.silenceMaxSlots) return undefined;
  if (running.wereUp.size < SILENCE_NODES_MIN) return undefined;
  const members = [...running.wereUp].filter((node) => table.nodes.has(node));
  const silent = members.filter((node) => !observed.isUp(node)).length;
  return silent * 2 > members.length ? running : undefined;
}

function upBefore(table: HealthTable): ReadonlySet<NodeId> {
  const up = new Set<NodeId>();
  for (const [node, { wasUp }] of table.nodes) if (wasUp) up.add(node);
  return up;
}
