import type { NodeId } from "@/core/ids.ts";
import type { SigningKey } from "@/std/crypto.ts";
import type { NodeMarks, SessionMarks } from "./marks.ts";
import type { Membership } from "./membership.ts";
import type { PresenceRow } from "./row.ts";
import type { Interval, Slot, Ticks } from "./slot.ts";
import type { SlotStates } from "./slot-state.ts";
import type { SlotWindow } from "./slot-window.ts";

/** What is closed, and by whom. */
export interface CloseContext {
  readonly interval: Interval;
  readonly slotSeconds: number;
  /** The pool's key: it signs the ACKs. */
  readonly key: SigningKey;
  /** Slots of the interval in which the pool was not looking. */
  readonly notLooked: ReadonlySet<Slot>;
  /** The first slot after the interval closed last; before `interval.firstSlot` after a gap. */
  readonly gapFrom: Slot;
}

/** A node at the close: its rows, what was heard of it, and what the pool keeps of it. */
export interface CloseNode {
  readonly node: NodeId;
  readonly membership: Membership;
  readonly rows: readonly PresenceRow[];
  readonly window: SlotWindow | undefined;
  readonly marks: NodeMarks;
  /** The marks of the sessions the rows belong to, as far as there are any. */
  readonly sessions: readonly SessionMarks[];
  readonly weightPermille: number;
  /** The pool's own figure, from its probes. */
  readonly healthPermille: number;
  /** Slots PLANNED in the 30 days before. */
  readonly plannedBefore: number;
  /** The first slot of a node that has come back in this interval. */
  readonly statesFrom?: Slot | undefined;
  /** The last slot of a node that has left in this interval. */
  readonly statesUntil?: Slot | undefined;
  /** Why the caller cannot book this node now; it is left out and tried again. */
  readonly refusal?: string | undefined;
}

/** What one row earned, with the proof of it. `ticks` 0 settles the row and books nothing. */
export interface CreditRow {
  readonly session: Uint8Array;
  /** The slots in which the ticks lie, both ends included. */
  readonly fromSlot: Slot;
  readonly toSlot: Slot;
  readonly ticks: Ticks;
  readonly weightPermille: number;
  readonly healthPermille: number;
  readonly claim: Uint8Array;
  readonly ack: Uint8Array;
}

/** A node after the close. */
export interface ClosedNode {
  readonly node: NodeId;
  readonly rows: readonly CreditRow[];
  /** OPENs that are credited for the first time, to be stored once. */
  readonly opens: readonly StoredOpen[];
  readonly marks: NodeMarks;
  readonly sessions: readonly SessionMarks[];
  readonly slots: SlotStates | undefined;
  /** Ticks paid here for slots already written as UNOBSERVED: "n of them, place unknown". */
  readonly recovered: number;
}

/** The OPEN of a session. */
export interface StoredOpen {
  readonly session: Uint8Array;
  readonly open: Uint8Array;
}

/** A closed interval of a pool, to be committed in one piece. */
export interface ClosedInterval {
  readonly interval: Interval;
  readonly gapFrom: Slot;
  readonly nodes: readonly ClosedNode[];
  /** Nodes whose rows could not be booked; nothing of theirs was settled. */
  readonly leftOut: readonly LeftOut[];
}

/** A node that could not be booked, and why. */
export interface LeftOut {
  readonly node: NodeId;
  readonly reason: string;
}

/** What settling the rows of a node gives. */
export interface Settled {
  readonly rows: readonly CreditRow[];
  readonly opens: readonly StoredOpen[];
  readonly marks: NodeMarks;
  readonly sessions: readonly SessionMarks[];
}
