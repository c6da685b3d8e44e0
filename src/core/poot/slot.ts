import { PoolError } from "@/std/errors.ts";

/** The number of a slot: ⌊pool unix seconds / slot seconds⌋ (poot.md, section 1). */
export type Slot = number;
/** A count of slots proven UP. */
export type Ticks = number;

/** The highest slot a message may name; with slots of one second it lies 34 000 years ahead. */
export const SLOT_MAX: Slot = 2 ** 40 - 1;

/** A run of slots that is closed once and never changed, keyed by time epoch and first slot. */
export interface Interval {
  readonly epoch: number;
  readonly firstSlot: Slot;
  readonly slots: number;
}

/** The slot in which a moment of pool time lies. */
export function slotAt(nowMs: number, slotSeconds: number): Slot {
  return Math.floor(nowMs / (slotSeconds * 1000));
}

/** The moment of pool time at which a slot begins. */
export function slotStartMs(slot: Slot, slotSeconds: number): number {
  return slot * slotSeconds * 1000;
}

/** The first slot of the interval in which a slot lies. */
export function intervalFirstSlot(slot: Slot, slotsPerInterval: number): Slot {
  return slot - (slot % slotsPerInterval);
}

/** The last slot of an interval. */
export function intervalLastSlot(interval: Interval): Slot {
  return interval.firstSlot + interval.slots - 1;
}

/** How many whole slots fit into some seconds. */
export function slotsIn(seconds: number, slotSeconds: number): number {
  return Math.floor(seconds / slotSeconds);
}

/**
 * How many slots an interval has; refuses lengths that do not fit (`poot.slot_seconds`). A slot of
 * one second is for the demo, which the caller has to allow.
 */
export function slotsPerInterval(
  intervalSeconds: number,
  slotSeconds: number,
  slotSecondsMin = 5,
): number {
  const fits = Number.isInteger(slotSeconds) && intervalSeconds % slotSeconds === 0;
  if (fits && slotSeconds >= slotSecondsMin && slotSeconds <= 300) {
    return intervalSeconds / slotSeconds;
  }
  throw new PoolError(
    "invalid",
    "poot.slot_seconds",
    `A slot of ${slotSeconds} s does not fit; choose ${slotSecondsMin} to 300 s that divide the interval of ${intervalSeconds} s.`,
  );
}
