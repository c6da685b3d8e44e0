import type { NodeId } from "@/core/ids.ts";
import type { Node } from "@/core/node.ts";
import { marksFrom } from "@/core/poot/admission.ts";
import type { CloseNode } from "@/core/poot/closing.ts";
import type { Interval, Slot } from "@/core/poot/slot.ts";
import { countedWeight } from "@/core/specialization.ts";
import { plannedBefore } from "./node-book.ts";
import type { PootState } from "./parts.ts";
import { bookOf, membershipIn, type PoolMemory, statesFrom } from "./pool-memory.ts";

/** Nodes a close has to look at: those that were heard, and those that were credited before. */
export function candidatesOf(memory: PoolMemory): ReadonlySet<NodeId> {
  const nodes = new Set<NodeId>(memory.presence.nodes.keys());
  for (const node of memory.books.nodes()) nodes.add(node);
  return nodes;
}

/** A node at the close; undefined for one that is no member and was not heard either. */
export function closeNodeOf(
  state: PootState,
  memory: PoolMemory,
  { id, interval }: { readonly id: NodeId; readonly interval: Interval },
): CloseNode | undefined {
  const { registry, settings } = state.parts;
  const node = registry.findNode(id);
  const presence = memory.presence.nodes.get(id);
  if (!node) return undefined;
  const membership = membershipIn(node, memory.pool);
  if (membership === "pending" || (membership !== "member" && !presence)) return undefined;
  const book = bookOf(memory, id, registeredSlot(state, node.registeredSlot));
  const memberFrom = membership === "member" ? memberFromOf(state, node) : undefined;
  const weight = state.weightOf(node.specialization);
  return {
    node: id,
    membership,
    rows: presence?.sessions ?? [],
    window: presence?.window,
    marks: marksFrom(book.marks, memberFrom),
    sessions: book.sessions,
    weightPermille: countedWeight(weight, node.specializationApproved),
    healthPermille: node.healthPermille,
    plannedBefore: plannedBefore(book, interval.firstSlot, settings.slotSeconds),
    statesFrom: latest(statesFrom(memory, id), memberFrom),
    statesUntil:
      membership === "left" ? (memory.leftIn.get(id) ?? interval.firstSlot - 1) : undefined,
  };
}

/** The first slot that may earn, of a node that was pending in this time epoch. */
export function memberFromOf({ poolClock }: PootState, { memberFrom }: Node): Slot | undefined {
  return memberFrom?.epoch === poolClock.time.epoch ? memberFrom.slot : undefined;
}

function latest(one: Slot | undefined, other: Slot | undefined): Slot | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.max(one, other);
}

/** A node registered in an earlier epoch counts from this one's first slot. */
function registeredSlot({ epochSlot, poolClock }: PootState, slot: Slot): Slot {
  return poolClock.time.epoch === 0 ? slot : Math.min(slot, epochSlot);
}
