import type { NodeMarks } from "./marks.ts";
import type { Slot } from "./slot.ts";

/** In so many slots a pending node must be heard before it is a member. */
export const ADMISSION_SLOTS = 3;

/** In how many slots a pending node was heard, and in which one last. */
export interface PendingBeats {
  readonly slots: number;
  readonly newest: Slot;
}

/** What is known of a pending node after a heartbeat of it was accepted. */
export function heardPending(before: PendingBeats | undefined, slot: Slot): PendingBeats {
  if (!before) return { slots: 1, newest: slot };
  return slot > before.newest ? { slots: before.slots + 1, newest: slot } : before;
}

/** Whether a pending node has shown that it lives. */
export function isAdmissible({ slots }: PendingBeats): boolean {
  return slots >= ADMISSION_SLOTS;
}

/**
 * The marks of a node that was pending before a slot. No slot before it earns, whatever sessions and
 * receipts tell of that time: a row earns at most the slots after `lastSlot`, and of a session's ticks
 * those are left out that lie before it.
 */
export function marksFrom(marks: NodeMarks, memberFrom: Slot | undefined): NodeMarks {
  if (memberFrom === undefined || marks.lastSlot >= memberFrom - 1) return marks;
  return { ...marks, lastSlot: memberFrom - 1 };
}
