import type { Caller } from "@/core/caller.ts";
import { PoolError } from "@/std/errors.ts";
import { booksInNewEpoch } from "./node-book.ts";
import type { PootState } from "./parts.ts";
import { saveEpoch, saveHighestSlot } from "./records.ts";
import { emptyMemory } from "./state.ts";

/** The clock is right after a jump: pool time goes on from it. */
export async function acceptTime(state: PootState, caller: Caller): Promise<void> {
  const { database, audit } = state.parts;
  const from = state.poolClock.step().highestSlot;
  const { epoch, highestSlot } = state.poolClock.accept();
  await database.commit([
    audit.row(caller, "clock.accepted", "clock", { from_slot: from, to_slot: highestSlot }),
    saveHighestSlot(database, epoch, highestSlot),
  ]);
}

/**
 * The clock was ahead before: slots begin anew. The masters go first, so that no receipt of the old
 * epoch can ever be paid in the new one, whatever breaks in between.
 */
export async function rewindTime(state: PootState, caller: Caller): Promise<void> {
  const { database, audit, authority } = state.parts;
  const before = state.poolClock.step();
  if (before.waiting !== "behind") throw clockRight();
  for (const pool of state.pools.keys()) authority.replaceReceiptMasters(pool);
  const time = state.poolClock.rewound();
  const { epoch, highestSlot } = time;
  const detail = { epoch, from_slot: before.highestSlot, to_slot: highestSlot };
  await database.commit([
    audit.row(caller, "clock.rewound", "clock", detail),
    saveEpoch(database, epoch, highestSlot),
  ]);
  state.poolClock.begin(time);
  state.epochSlot = highestSlot;
  for (const [pool, { books }] of state.pools) {
    const memory = emptyMemory(state, pool);
    memory.books = booksInNewEpoch(books, highestSlot);
    state.pools.set(pool, memory);
  }
}

const clockRight = () =>
  new PoolError(
    "precondition",
    "clock.right",
    "The clock is not behind the highest slot ever seen, so there is nothing to rewind.",
  );
