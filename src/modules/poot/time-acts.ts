import type { Caller } from "@/core/caller.ts";
import type { PoolTime } from "@/core/poot/pool-time.ts";
import { slotStartMs } from "@/core/poot/slot.ts";
import { isRefusal, PoolError } from "@/std/errors.ts";
import { booksInNewEpoch } from "./node-book.ts";
import type { PootState } from "./parts.ts";
import { saveEpoch, saveHighestSlot } from "./records.ts";
import { emptyMemory } from "./state.ts";

/** The clock is right after a jump: pool time goes on from it. */
export async function acceptTime(state: PootState, caller: Caller): Promise<void> {
  const { database, audit } = state.parts;
  const from = state.poolClock.step().highestSlot;
  const { epoch, highestSlot } = state.poolClock.accepted();
  await database.commit([
    audit.row(caller, "clock.accepted", "clock", { from_slot: from, to_slot: highestSlot }),
    saveHighestSlot(database, epoch, highestSlot),
  ]);
  state.poolClock.accept();
  state.storedSlot = highestSlot;
}

/**
 * Stores how far pool time has come. Each close does, but a pool without nodes closes nothing, and
 * after a month its clock would not be believed at the next start.
 */
export async function keepTime(state: PootState): Promise<void> {
  const { parts, poolClock, storedSlot } = state;
  const { epoch, highestSlot, waiting } = poolClock.step();
  const isStored = highestSlot - storedSlot <= parts.settings.slotsPerInterval;
  if (waiting !== undefined || isStored) return;
  try {
    await parts.database.commit([saveHighestSlot(parts.database, epoch, highestSlot)]);
    state.storedSlot = highestSlot;
  } catch (error) {
    if (!isRefusal(error)) throw error;
    parts.log.warn({ code: error.code }, "the highest slot was not stored");
  }
}

/** A receipt master issues for a month, by a clock that is believed. */
export function renewMasters({ parts, poolClock, pools }: PootState): void {
  const { highestSlot, slotSeconds, waiting } = poolClock.step();
  if (waiting !== undefined) return;
  for (const pool of pools.keys()) {
    const isNew = parts.authority.renewReceiptMaster(pool, slotStartMs(highestSlot, slotSeconds));
    if (isNew) parts.log.info({ pool }, "another receipt master issues now");
  }
}

/**
 * The clock was ahead before: slots begin anew. The masters go first, so that no receipt of the old
 * epoch can ever be paid in the new one, whatever breaks in between.
 */
export async function rewindTime(state: PootState, caller: Caller): Promise<void> {
  const { database, audit, authority } = state.parts;
  const before = requireBehind(state);
  for (const pool of state.pools.keys()) authority.replaceReceiptMasters(pool);
  const time = state.poolClock.rewound();
  const { epoch, highestSlot } = time;
  const detail = { epoch, from_slot: before.highestSlot, to_slot: highestSlot };
  await database.commit([
    audit.row(caller, "clock.rewound", "clock", detail),
    saveEpoch(database, epoch, highestSlot),
  ]);
  state.storedSlot = highestSlot;
  state.poolClock.begin(time);
  state.epochSlot = highestSlot;
  for (const [pool, { books }] of state.pools) {
    const memory = emptyMemory(state, pool);
    memory.books = booksInNewEpoch(books, highestSlot);
    state.pools.set(pool, memory);
  }
}

/** Pool time, whose clock is behind; refuses to rewind any other (`clock.right`). */
export function requireBehind({ poolClock }: PootState): PoolTime {
  const time = poolClock.step();
  if (time.waiting !== "behind") throw clockRight();
  return time;
}

const clockRight = () =>
  new PoolError(
    "precondition",
    "clock.right",
    "The clock is not behind the highest slot ever seen, so there is nothing to rewind.",
  );
