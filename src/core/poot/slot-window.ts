import type { Slot } from "./slot.ts";

/**
 * In which of the last slots a node was heard, two bits per slot in a ring: heard, and whether the
 * heartbeat announced maintenance. It is changed in place, because it is written at each heartbeat.
 */
export interface SlotWindow {
  /** The newest slot heard, -1 before the first. */
  newest: Slot;
  readonly ring: Uint8Array;
}

const SLOTS_PER_BYTE = 4;
const HEARD = 1;
const ANNOUNCED = 2;

/** How many slots a window remembers when it shall survive three intervals. */
export function windowSlotsFor(slotsPerInterval: number): number {
  return Math.max(32, Math.ceil((slotsPerInterval * 3) / SLOTS_PER_BYTE) * SLOTS_PER_BYTE);
}

/** A window over the last slots, empty. */
export function newSlotWindow(slots: number): SlotWindow {
  return { newest: -1, ring: new Uint8Array(Math.ceil(slots / SLOTS_PER_BYTE)) };
}

/** Notes that a node was heard in a slot. Changes the window. */
export function noteHeard(window: SlotWindow, slot: Slot, isAnnounced: boolean): void {
  const size = window.ring.length * SLOTS_PER_BYTE;
  if (slot <= window.newest - size) return;
  const from = Math.max(window.newest + 1, slot - size + 1);
  for (let passed = from; passed <= slot; passed++) setBits(window, passed, 0);
  window.newest = Math.max(window.newest, slot);
  setBits(window, slot, isAnnounced ? HEARD | ANNOUNCED : HEARD);
}

/** Whether a heartbeat was accepted in a slot; false for a slot the window has left behind. */
export function wasHeard(window: SlotWindow, slot: Slot): boolean {
  return (bitsOf(window, slot) & HEARD) !== 0;
}

/** Whether the heartbeat accepted in a slot announced maintenance. */
export function wasAnnounced(window: SlotWindow, slot: Slot): boolean {
  return (bitsOf(window, slot) & ANNOUNCED) !== 0;
}

/** In how many slots, both ends included, a heartbeat was accepted. */
export function countHeard(window: SlotWindow, from: Slot, to: Slot): number {
  let count = 0;
  const oldest = window.newest - window.ring.length * SLOTS_PER_BYTE + 1;
  for (let slot = Math.max(from, oldest); slot <= Math.min(to, window.newest); slot++) {
    if (wasHeard(window, slot)) count++;
  }
  return count;
}

function bitsOf(window: SlotWindow, slot: Slot): number {
  const size = window.ring.length * SLOTS_PER_BYTE;
  if (slot < 0 || slot > window.newest || slot <= window.newest - size) return 0;
  const at = slot % size;
  return ((window.ring[at >> 2] ?? 0) >> ((at & 3) * 2)) & 3;
}

function setBits(window: SlotWindow, slot: Slot, bits: number): void {
  const at = slot % (window.ring.length * SLOTS_PER_BYTE);
  const shift = (at & 3) * 2;
  window.ring[at >> 2] = ((window.ring[at >> 2] ?? 0) & ~(3 << shift)) | (bits << shift);
}
