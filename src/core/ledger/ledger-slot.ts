import { assert } from "@/std/assert.ts";

/** More slots than any clock will ever show: slots of one second until the year 2286. */
const SLOTS_PER_EPOCH = 1e10;

/**
 * A slot as the ledger counts: `clock rewind` begins a new time epoch, in which slots of the one
 * before come again, but in the ledger a later slot always has a higher number, and none comes twice.
 */
export type LedgerSlot = number;

/** The number in the ledger of a slot of an epoch. In the first epoch (0) it is the slot itself. */
export function ledgerSlotOf(epoch: number, slot: number): LedgerSlot {
  assert(epoch >= 0 && epoch < 100, "an epoch has two digits");
  assert(slot >= 0 && slot < SLOTS_PER_EPOCH, `slot ${slot} is out of range`);
  return epoch * SLOTS_PER_EPOCH + slot;
}

/** The slot of pool time behind a number of the ledger. */
export function poolSlotOf(slot: LedgerSlot): number {
  return slot % SLOTS_PER_EPOCH;
}

/** The UTC day in which a slot begins, told apart by time epoch. */
export function dayOfLedgerSlot(slot: LedgerSlot, slotSeconds: number): string {
  const day = Math.floor((poolSlotOf(slot) * slotSeconds) / 86_400);
  return `${Math.floor(slot / SLOTS_PER_EPOCH)}:${day}`;
}

/** When a slot begins, in milliseconds of pool time. */
export function ledgerSlotMs(slot: LedgerSlot, slotSeconds: number): number {
  return poolSlotOf(slot) * slotSeconds * 1000;
}
