import type { Slot, Ticks } from "./slot.ts";
import type { SlotCounts } from "./slot-state.ts";

/** One line of the interval table of a proof. */
export interface ProofInterval extends SlotCounts {
  readonly epoch: number;
  readonly firstSlot: Slot;
  /** Ticks credited in this interval. */
  readonly ticks: Ticks;
  /** How many of the UP slots belong to unobserved slots of earlier intervals, place unknown. */
  readonly recovered: number;
}

/**
 * A node's proof of operational time, as anybody can check it offline: what the node signed, what
 * the pool signed, and the table that explains it.
 */
export interface Proof {
  readonly poolKey: Uint8Array;
  readonly nodeKey: Uint8Array;
  readonly slotSeconds: number;
  readonly slotsPerInterval: number;
  /** The OPEN of the session of the newest credited CLAIM. */
  readonly open: Uint8Array;
  /** The newest credited CLAIM. */
  readonly claim: Uint8Array;
  /** The ACK of that CLAIM. */
  readonly ack: Uint8Array;
  readonly creditTotal: Ticks;
  /** Whether the table holds every interval since the node came, or only a range. */
  readonly isComplete: boolean;
  readonly intervals: readonly ProofInterval[];
}
