import type { PoolId } from "@/core/ids.ts";
import { intervalFirstSlot } from "@/core/poot/slot.ts";
import { WEIGHT_USUAL } from "@/core/specialization.ts";
import { PoolError } from "@/std/errors.ts";
import { Books, booksInNewEpoch } from "./node-book.ts";
import type { PootParts, PootSettings, PootState } from "./parts.ts";
import { PoolClock } from "./pool-clock.ts";
import { newPoolMemory, type PoolMemory } from "./pool-memory.ts";
import { insertClock, readClock, readLastClosed, readStoredBooks } from "./records.ts";
import type { ClockRow } from "./table.ts";

/** What the disk knows of pool time; at the very first start it is begun. */
export async function openState(parts: PootParts): Promise<PootState> {
  const { database, clock, settings } = parts;
  const stored = await readClock(database);
  if (stored) requireSame(settings, stored);
  const poolClock = new PoolClock(clock, {
    slotSeconds: settings.slotSeconds,
    epoch: Number(stored?.epoch ?? 0n),
    highestSlot: stored && Number(stored.highest_slot),
  });
  const slot = poolClock.time.highestSlot;
  if (!stored) await database.commit([insertClock(database, clockRow(settings, slot))]);
  const epochSlot = Number(stored?.epoch_slot ?? slot);
  const slots = { epochSlot, storedSlot: slot };
  return { parts, poolClock, pools: new Map(), ...slots, weightOf: () => WEIGHT_USUAL };
}

/** Begins to remember a pool, with what the disk knows of it. */
export async function rememberPool(state: PootState, pool: PoolId): Promise<PoolMemory> {
  const known = state.pools.get(pool);
  if (known) return known;
  const memory = emptyMemory(state, pool);
  state.pools.set(pool, memory);
  await readMemory(state, memory);
  return memory;
}

/** Reads again what the disk knows of a pool. Changes the memory. */
export async function readMemory(state: PootState, memory: PoolMemory): Promise<void> {
  const { database, settings } = state.parts;
  const { epoch } = state.poolClock.time;
  const stored = await readStoredBooks(database, memory.pool);
  const lastClosed = await readLastClosed(database, memory.pool, epoch);
  if (lastClosed !== undefined) memory.closedUntil = lastClosed + settings.slotsPerInterval;
  if (!stored) return;
  const books = Books.read(stored.blob);
  const isOld = Number(stored.epoch) !== epoch;
  memory.books = isOld ? booksInNewEpoch(books, state.epochSlot) : books;
}

/** A memory of a pool that begins now. */
export function emptyMemory(state: PootState, pool: PoolId): PoolMemory {
  const { slotsPerInterval } = state.parts.settings;
  const slot = state.poolClock.step().highestSlot;
  const closedUntil = intervalFirstSlot(slot, slotsPerInterval);
  return newPoolMemory(pool, { books: new Books(), closedUntil }, { slot, slotsPerInterval });
}

function clockRow(settings: PootSettings, slot: number): Omit<ClockRow, "id"> {
  return {
    slot_seconds: BigInt(settings.slotSeconds),
    interval_seconds: BigInt(settings.slotSeconds * settings.slotsPerInterval),
    epoch: 0n,
    epoch_slot: BigInt(slot),
    highest_slot: BigInt(slot),
  };
}

function requireSame(settings: PootSettings, stored: ClockRow): void {
  const intervalSeconds = settings.slotSeconds * settings.slotsPerInterval;
  const isSame =
    Number(stored.slot_seconds) === settings.slotSeconds &&
    Number(stored.interval_seconds) === intervalSeconds;
  if (isSame) return;
  throw new PoolError(
    "precondition",
    "poot.slots_fixed",
    `This pool began with slots of ${stored.slot_seconds} s and intervals of ` +
      `${stored.interval_seconds} s, which can never change, because every proof counts in them. ` +
      `Set poot.slot_seconds to ${stored.slot_seconds} and poot.interval_seconds to ` +
      `${stored.interval_seconds} (now ${settings.slotSeconds} and ${intervalSeconds}).`,
  );
}
