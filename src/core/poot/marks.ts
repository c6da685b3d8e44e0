import { sameBytes } from "@/std/bytes.ts";
import type { PresenceRow } from "./row.ts";
import type { Slot, Ticks } from "./slot.ts";

/** How far a session has been paid. Both figures only rise. */
export interface SessionMarks {
  readonly session: Uint8Array;
  /** Ticks of the session's CLAIMs that are settled. */
  readonly credited: Ticks;
  /** The newest slot of a settled row; one before the session's start at first. */
  readonly seen: Slot;
}

/** What the pool keeps of a node between two closes. */
export interface NodeMarks {
  /** The newest slot paid for; it only rises. */
  readonly lastSlot: Slot;
  /** All ticks ever paid to the node at this pool. */
  readonly creditTotal: Ticks;
  /** The slot of the node's first OPEN, from which on its slots have states. */
  readonly firstOpenSlot: Slot | undefined;
  /** Whether the newest heartbeat announced maintenance. */
  readonly isInMaintenance: boolean;
  /** Slots after `lastSlot` written as UP whose tick no close has paid yet. */
  readonly pendingUp: number;
  /** Slots written as UNOBSERVED that ticks still to come may explain. */
  readonly pendingUnobserved: number;
}

/** Sessions of a node whose marks are kept, those seen last. Forgetting one costs its node alone. */
export const SESSION_MARKS_MAX = 33;

/** The marks of a node that has just been registered. */
export function newNodeMarks(registrationSlot: Slot): NodeMarks {
  return {
    lastSlot: registrationSlot - 1,
    creditTotal: 0,
    firstOpenSlot: undefined,
    isInMaintenance: false,
    pendingUp: 0,
    pendingUnobserved: 0,
  };
}

/** The marks of a session that was never paid. */
export function newSessionMarks(row: PresenceRow): SessionMarks {
  return { session: row.session, credited: 0, seen: row.openSlot - 1 };
}

/** The marks of the session a row belongs to. */
export function sessionMarksOf(row: PresenceRow, known: readonly SessionMarks[]): SessionMarks {
  const found = known.find((marks) => sameBytes(marks.session, row.session));
  return found ?? newSessionMarks(row);
}

/**
 * Whether a row may be of a session whose marks were forgotten because there were too many. Its
 * CLAIM may have its ACK already, and a second one with another total would be evidence (E3).
 */
export function mayBeForgotten(row: PresenceRow, known: readonly SessionMarks[]): boolean {
  if (known.length < SESSION_MARKS_MAX) return false;
  return known.every(({ session, seen }) => seen >= row.slot && !sameBytes(session, row.session));
}

/**
 * How many slots a row of the presence table earns, whatever receipts and sessions exist.
 *
 * The ticks of a session that fall into slots another session may have been paid for are left out,
 * and a node never earns more slots than have passed since its last paid one (poot.md, section 4).
 */
export function creditOf(row: PresenceRow, session: SessionMarks, lastSlot: Slot): Ticks {
  if (row.ticks <= session.credited) return 0;
  const overlap = Math.max(0, Math.min(lastSlot, row.slot) - session.seen);
  const unpaid = row.ticks - session.credited - overlap;
  return Math.max(0, Math.min(unpaid, row.slot - lastSlot));
}

/** The session's marks after a row was settled. */
export function raiseSession(session: SessionMarks, row: PresenceRow): SessionMarks {
  return { ...session, credited: row.ticks, seen: Math.max(session.seen, row.slot) };
}

/** The rows of a node in the order in which they are settled: by slot, the older session first. */
export function inSlotOrder(rows: readonly PresenceRow[]): PresenceRow[] {
  return [...rows].sort((a, b) => a.slot - b.slot || a.openSlot - b.openSlot || a.ticks - b.ticks);
}
