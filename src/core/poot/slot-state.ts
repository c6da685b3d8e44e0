import type { NodeMarks } from "./marks.ts";
import { type Interval, intervalLastSlot, type Slot, slotsIn } from "./slot.ts";
import { type SlotWindow, wasAnnounced, wasHeard } from "./slot-window.ts";

/** What a slot of a node can be, in the order of their codes (poot.md, section 1). */
export const SLOT_STATES = ["up", "down", "unobserved", "planned"] as const;
/** UP, DOWN, UNOBSERVED or PLANNED. */
export type SlotState = (typeof SLOT_STATES)[number];

/** Announced maintenance costs no uptime for so long ... */
export const PLANNED_MAX_SECONDS = 8 * 3600;
/** ... within so many days; beyond it the slots are DOWN. */
export const PLANNED_WINDOW_DAYS = 30;

/** How many slots of each state. */
export interface SlotCounts {
  readonly up: number;
  readonly down: number;
  readonly unobserved: number;
  readonly planned: number;
}

/** The states of a node's slots in an interval, from `from` on without a hole. */
export interface SlotStates {
  readonly from: Slot;
  readonly states: readonly SlotState[];
}

/** What is known of a node's slots when an interval closes. */
export interface SlotKnowledge {
  readonly window: SlotWindow | undefined;
  /** Slots in which the pool was not looking. */
  readonly notLooked: ReadonlySet<Slot>;
  /** Slots PLANNED in the 30 days before. */
  readonly plannedBefore: number;
  readonly slotSeconds: number;
  readonly isInMaintenance: boolean;
}

/** The part of an interval in which a node's slots have states. */
export interface SlotSpan {
  readonly from: Slot;
  readonly to: Slot;
}

/** The states of a span of slots, by precedence UP, PLANNED, UNOBSERVED, DOWN. */
export function slotStatesOf(span: SlotSpan, knowledge: SlotKnowledge): SlotState[] {
  const states: SlotState[] = [];
  let { isInMaintenance } = knowledge;
  let plannedLeft = slotsIn(PLANNED_MAX_SECONDS, knowledge.slotSeconds) - knowledge.plannedBefore;
  for (let slot = span.from; slot <= span.to; slot++) {
    const state = stateOf(slot, knowledge, isInMaintenance && plannedLeft > 0);
    if (state === "planned") plannedLeft--;
    if (state === "up") isInMaintenance = isAnnouncedIn(knowledge, slot);
    states.push(state);
  }
  return states;
}

function stateOf(slot: Slot, knowledge: SlotKnowledge, isPlanned: boolean): SlotState {
  if (knowledge.window && wasHeard(knowledge.window, slot)) return "up";
  if (isPlanned) return "planned";
  return knowledge.notLooked.has(slot) ? "unobserved" : "down";
}

function isAnnouncedIn({ window }: SlotKnowledge, slot: Slot): boolean {
  return window !== undefined && wasAnnounced(window, slot);
}

/** Whether maintenance is announced at the end of an interval. */
export function isMaintenanceAfter(
  interval: Interval,
  window: SlotWindow | undefined,
  marks: NodeMarks,
): boolean {
  if (!window) return marks.isInMaintenance;
  for (let slot = intervalLastSlot(interval); slot >= interval.firstSlot; slot--) {
    if (wasHeard(window, slot)) return wasAnnounced(window, slot);
  }
  return marks.isInMaintenance;
}

/** How many slots there are of each state. */
export function countStates(states: readonly SlotState[]): SlotCounts {
  const counts = { up: 0, down: 0, unobserved: 0, planned: 0 };
  for (const state of states) counts[state]++;
  return counts;
}
