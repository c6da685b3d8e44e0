import type { NodeId, PoolId } from "@/core/ids.ts";
import type { Node } from "@/core/node.ts";
import type { PendingBeats } from "@/core/poot/admission.ts";
import { type HealthTable, type Membership, newHealthTable } from "@/core/poot/membership.ts";
import { newPresence, type PresenceTable } from "@/core/poot/presence.ts";
import type { Slot } from "@/core/poot/slot.ts";
import { wasHeard } from "@/core/poot/slot-window.ts";
import { type Books, type NodeBook, newBook } from "./node-book.ts";

/** What the process remembers of one pool. */
export interface PoolMemory {
  readonly pool: PoolId;
  /** Heartbeats since the start; the nodes can always tell them again. */
  readonly presence: PresenceTable;
  readonly health: HealthTable;
  /** What the last close wrote, node by node. */
  books: Books;
  /** The last slot of nodes that left the pool in an interval that is not closed yet. */
  readonly leftIn: Map<NodeId, Slot>;
  /** The slot in which a node came back in an interval that is not closed yet; none while away. */
  readonly backIn: Map<NodeId, Slot | undefined>;
  /** What was heard of nodes that are not admitted yet; they are never in a close. */
  readonly pending: Map<NodeId, PendingBeats>;
  /** The first slot after the interval closed last. */
  closedUntil: Slot;
}

/** The terms under which a pool is remembered. */
export interface MemoryTerms {
  /** The pool's slot now. */
  readonly slot: Slot;
  readonly slotsPerInterval: number;
}

/** Nothing is remembered of a pool but its books. */
export function newPoolMemory(
  pool: PoolId,
  kept: Pick<PoolMemory, "books" | "closedUntil">,
  { slot, slotsPerInterval }: MemoryTerms,
): PoolMemory {
  const presence = newPresence(slot, slotsPerInterval);
  const marks = { leftIn: new Map(), backIn: new Map(), pending: new Map() };
  return { pool, presence, health: newHealthTable(), ...marks, ...kept };
}

/** The book of a node, a new one when it was never credited here. */
export function bookOf(memory: PoolMemory, node: NodeId, registeredSlot: Slot): NodeBook {
  return memory.books.get(node) ?? newBook(registeredSlot);
}

/**
 * From which slot on a node that came back has states again: the one it came back in when it was
 * heard in it, else the next; before it nothing could be heard of it.
 */
export function statesFrom({ presence, backIn }: PoolMemory, node: NodeId): Slot | undefined {
  const slot = backIn.get(node);
  const window = presence.nodes.get(node)?.window;
  return slot === undefined || (window && wasHeard(window, slot)) ? slot : slot + 1;
}

/** Whether a node belongs to a pool: one that moved away has left it. */
export function membershipIn(node: Node, pool: PoolId): Membership {
  return node.pool === pool ? node.status : "left";
}
