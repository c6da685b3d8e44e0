import { withinBudget } from "@/core/allocation.ts";
import type { PoolId } from "@/core/ids.ts";
import { convert, mature } from "@/core/ledger/acts.ts";
import { type LedgerSlot, poolSlotOf } from "@/core/ledger/ledger-slot.ts";
import type { Transfer } from "@/core/ledger/transfer.ts";
import { poolFeeOf } from "@/core/tariff.ts";
import type { BookerState } from "./booker.ts";
import { addToBooking, type Booking, parseKey, saveRatings } from "./bookings.ts";
import { insertTransfers } from "./transfers.ts";
import type { BookKey, RatingState } from "./unbooked.ts";

/** Work of one pool that waits to become money, all of one day. */
interface Due {
  readonly pool: PoolId;
  readonly slot: LedgerSlot;
  readonly nodes: readonly (readonly [BookKey, RatingState])[];
}

/** What waits to become money, pool by pool. */
export function listDue({ unbooked }: Pick<BookerState, "unbooked">): readonly Due[] {
  const pools = new Map<PoolId, (readonly [BookKey, RatingState])[]>();
  for (const [key, state] of unbooked.ratings) {
    if (state.dueCu === 0n) continue;
    const [pool] = parseKey(key);
    pools.set(pool, [...(pools.get(pool) ?? []), [key, state]]);
  }
  return [...pools].map(([pool, nodes]) => {
    return { pool, nodes, slot: Math.min(...nodes.map(([, { dueSlot }]) => dueSlot)) };
  });
}

/**
 * Turns the work of a day into money, the whole of it where it fits the budget, else the budget in
 * proportion. It is one commit for a pool: what each gets depends on all.
 */
export async function convertDue(state: BookerState, due: Due): Promise<void> {
  const { parts, tariffs, unbooked } = state;
  const { database } = parts;
  const shares = due.nodes.map(([id, { dueMicro }]) => ({ id, amount: dueMicro }));
  const budget = tariffs.dailyBudgetMicro;
  const granted = budget === undefined ? shares : withinBudget(budget, shares);
  const amounts = new Map(granted.map(({ id, amount }) => [id, amount]));
  const conversions = due.nodes.map(([key, { dueCu }]) => {
    return convertNode(state, due, { key, cu: dueCu, micro: amounts.get(key) ?? 0n });
  });
  const ratings = new Map(
    due.nodes.map(([key, { rating }]) => [key, { rating, dueCu: 0n, dueMicro: 0n, dueSlot: 0 }]),
  );
  await database.commit([
    ...insertTransfers(
      database,
      conversions.flatMap(({ transfers }) => transfers),
    ),
    ...saveRatings(database, ratings),
    addToBooking(database, bookingOf(state, due, conversions)),
  ]);
  for (const [key, rating] of ratings) unbooked.rate(key, rating);
}

interface Conversion {
  readonly transfers: readonly Transfer[];
  readonly micro: bigint;
  readonly fee: bigint;
}

function convertNode(
  { parts, tariffs }: BookerState,
  { slot }: Due,
  { key, cu, micro }: { readonly key: BookKey; readonly cu: bigint; readonly micro: bigint },
): Conversion {
  const [pool, node] = parseKey(key);
  const fee = poolFeeOf(micro, tariffs.at(slot).feePermille);
  const ref = `day from slot ${poolSlotOf(slot)}`;
  const act = { pool, node, slot, at: parts.poot.poolTime().nowMs, ref };
  const matured = tariffs.maturitySeconds === 0 ? mature(act, micro - fee) : [];
  return { transfers: [...convert({ ...act, cu, micro, feeMicro: fee }), ...matured], micro, fee };
}

/** What the conversion adds to the day's first booking; its row is there already. */
function bookingOf(
  { parts, tariffs }: BookerState,
  { pool, slot }: Due,
  conversions: readonly Conversion[],
): Booking {
  return {
    pool,
    slot,
    endSlot: slot,
    cu: 0n,
    micro: conversions.reduce((sum, { micro }) => sum + micro, 0n),
    fee: conversions.reduce((sum, { fee }) => sum + fee, 0n),
    at: parts.poot.poolTime().nowMs,
    isMatured: tariffs.maturitySeconds === 0,
  };
}
