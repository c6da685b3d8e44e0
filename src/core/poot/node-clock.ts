import { type Slot, slotAt } from "./slot.ts";

/**
 * Pool time as a node knows it: what the pool said, carried on by the node's monotonic clock. The
 * node's wall clock takes no part; how far it is off is shown to its operator.
 */
export interface NodeClock {
  readonly slotSeconds: number;
  /** Pool time minus the node's monotonic clock. */
  readonly offsetMs: number;
}

/** An answer of the pool, as far as it tells the time. */
export interface ToldTime {
  readonly poolTimeMs: number;
  readonly slotSeconds: number;
  /** The node's monotonic clock when it asked, and when it was answered. */
  readonly sentMs: number;
  readonly receivedMs: number;
}

/** The clock after an answer; the pool is taken to have answered half way. */
export function learnPoolTime(told: ToldTime): NodeClock {
  const answeredMs = (told.sentMs + told.receivedMs) / 2;
  return { slotSeconds: told.slotSeconds, offsetMs: told.poolTimeMs - answeredMs };
}

/** Pool time at a moment of the node's monotonic clock. */
export function poolTimeAt(clock: NodeClock, monotonicMs: number): number {
  return monotonicMs + clock.offsetMs;
}

/** The pool's slot at a moment of the node's monotonic clock. */
export function nodeSlotAt(clock: NodeClock, monotonicMs: number): Slot {
  return slotAt(poolTimeAt(clock, monotonicMs), clock.slotSeconds);
}

/** By how much the node's wall clock is ahead of pool time; a warning, never a refusal. */
export function skewMs(clock: NodeClock, wallMs: number, monotonicMs: number): number {
  return Math.round(wallMs - poolTimeAt(clock, monotonicMs));
}
