import type { CloseContext, CloseNode, Settled } from "./closing.ts";
import type { NodeMarks } from "./marks.ts";
import { intervalLastSlot, type Slot } from "./slot.ts";
import {
  isMaintenanceAfter,
  type SlotSpan,
  type SlotState,
  type SlotStates,
  slotStatesOf,
} from "./slot-state.ts";
import { countHeard } from "./slot-window.ts";

/** What a close writes of a node's slots. */
interface Observed {
  readonly slots: SlotStates | undefined;
  readonly recovered: number;
  readonly marks: NodeMarks;
}

/**
 * The states of a node's slots, and how many of the ticks paid now were earned in slots written as
 * UNOBSERVED: the pool lost its memory of them, but the node carried its RECEIPT across the gap.
 */
export function observe(context: CloseContext, node: CloseNode, settled: Settled): Observed {
  const firstOpenSlot = node.marks.firstOpenSlot ?? firstOpen(node);
  const marks = { ...settled.marks, firstOpenSlot };
  const span = spanOf(context, node, firstOpenSlot);
  if (!span) return { slots: undefined, recovered: 0, marks };
  const { window, plannedBefore } = node;
  const { notLooked, slotSeconds, interval } = context;
  const { isInMaintenance } = node.marks;
  const knowledge = { window, notLooked, plannedBefore, slotSeconds, isInMaintenance };
  const slots = { from: span.from, states: slotStatesOf(span, knowledge) };
  const seen = { slots, gap: gapOf(context, firstOpenSlot), ticks: ticksPaid(node, settled) };
  return {
    slots,
    recovered: recoveredIn(node, seen, settled.marks.lastSlot),
    marks: {
      ...marks,
      ...pendingAfter(node, seen, settled.marks.lastSlot),
      isInMaintenance: isMaintenanceAfter(interval, window, node.marks),
    },
  };
}

interface Seen {
  readonly slots: SlotStates;
  /** Slots before the interval in which the pool did not look. */
  readonly gap: number;
  readonly ticks: number;
}

function firstOpen({ rows, membership }: CloseNode): Slot | undefined {
  if (rows.length === 0 || !hasStates(membership)) return undefined;
  return Math.min(...rows.map((row) => row.openSlot));
}

function hasStates(membership: CloseNode["membership"]): boolean {
  return membership === "member" || membership === "left";
}

/** States exist from the first OPEN until the node has left or was removed, not while suspended. */
function spanOf(
  { interval }: CloseContext,
  node: CloseNode,
  firstOpenSlot: Slot | undefined,
): SlotSpan | undefined {
  if (firstOpenSlot === undefined || !hasStates(node.membership)) return undefined;
  const from = Math.max(interval.firstSlot, firstOpenSlot, node.statesFrom ?? 0);
  const to = Math.min(intervalLastSlot(interval), node.statesUntil ?? Number.POSITIVE_INFINITY);
  return from <= to ? { from, to } : undefined;
}

function gapOf({ gapFrom, interval }: CloseContext, firstOpenSlot: Slot | undefined): number {
  return Math.max(0, interval.firstSlot - Math.max(gapFrom, firstOpenSlot ?? interval.firstSlot));
}

function ticksPaid(node: CloseNode, settled: Settled): number {
  return settled.marks.creditTotal - node.marks.creditTotal;
}

function recoveredIn(node: CloseNode, { slots, gap, ticks }: Seen, lastSlot: Slot): number {
  const known = node.marks.pendingUp + heardAfter(node, slots, lastSlot);
  const unobserved = node.marks.pendingUnobserved + gap + countOf(slots.states, "unobserved");
  return Math.min(unobserved, Math.max(0, ticks - known));
}

/** Slots of this interval, and after it up to `to`, in which the node was heard and not yet paid. */
function heardAfter({ window, marks }: CloseNode, slots: SlotStates, to: Slot): number {
  return window ? countHeard(window, Math.max(marks.lastSlot + 1, slots.from), to) : 0;
}

/** What the next close has to know of slots after the last paid one. */
function pendingAfter(node: CloseNode, { slots, gap }: Seen, lastSlot: Slot) {
  const isPaid = lastSlot > node.marks.lastSlot;
  const unpaid = slots.states.slice(Math.max(0, lastSlot + 1 - slots.from));
  const unpaidGap = Math.min(gap, Math.max(0, slots.from - 1 - lastSlot));
  const before = isPaid ? { pendingUp: 0, pendingUnobserved: 0 } : node.marks;
  return {
    pendingUp: before.pendingUp + countOf(unpaid, "up"),
    pendingUnobserved: before.pendingUnobserved + countOf(unpaid, "unobserved") + unpaidGap,
  };
}

function countOf(states: readonly SlotState[], wanted: SlotState): number {
  return states.filter((state) => state === wanted).length;
}
