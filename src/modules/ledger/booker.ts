import { earnedBy } from "@/core/earning.ts";
import type { NodeId, PoolId } from "@/core/ids.ts";
import { accrue, accrueAndConvert, mature } from "@/core/ledger/acts.ts";
import { type LedgerSlot, poolSlotOf } from "@/core/ledger/ledger-slot.ts";
import type { Transfer } from "@/core/ledger/transfer.ts";
import type { Write } from "@/ports/database.ts";
import { toHex } from "@/std/bytes.ts";
import {
  addToBooking,
  type Booking,
  type Progress,
  parseKey,
  saveProgress,
  saveRatings,
} from "./bookings.ts";
import type { LedgerParts } from "./parts.ts";
import type { Tariffs } from "./tariffs.ts";
import { insertTransfers } from "./transfers.ts";
import type { BookKey, OpenInterval, RatingState, Unbooked } from "./unbooked.ts";

/** Nodes booked by one commit: a few milliseconds of it. */
const NODES_PER_COMMIT = 100;
/** Intervals booked together: a day of them at most. */
const INTERVALS_MAX = 300;

/** What the booker works on; `progress` is what the disk says. */
export interface BookerState {
  readonly parts: LedgerParts;
  readonly tariffs: Tariffs;
  unbooked: Unbooked;
  progress: Progress;
}

/** The part of a booking that belongs to one node. */
interface NodeBooking {
  readonly key: BookKey;
  readonly booking: Booking;
  readonly transfers: readonly Transfer[];
  readonly rating: RatingState;
}

/** Intervals booked together: of one day, so that a day's money is told apart. */
export interface Group {
  readonly target: bigint;
  readonly day: string;
  readonly pools: ReadonlyMap<PoolId, Pick<Booking, "slot" | "endSlot">>;
  /** The nodes that are not booked yet, in the order of booking. */
  readonly keys: readonly BookKey[];
}

/** The intervals to book next, or those whose booking was interrupted; undefined when all are booked. */
export function nextGroup({ progress, unbooked }: BookerState): Group | undefined {
  const [first] = unbooked.intervals;
  if (!first) return undefined;
  const isResumed = progress.target > progress.cursor;
  const intervals: OpenInterval[] = [];
  for (const interval of unbooked.intervals) {
    const isPart = isResumed ? interval.cursor <= progress.target : interval.day === first.day;
    if (!isPart || intervals.length >= INTERVALS_MAX) break;
    intervals.push(interval);
  }
  const target = isResumed ? progress.target : (intervals.at(-1)?.cursor ?? first.cursor);
  const keys = unbooked.keysUpTo(target).filter((key) => !isResumed || key > progress.done);
  return { target, day: first.day, pools: poolsOf(intervals), keys };
}

function poolsOf(intervals: readonly OpenInterval[]): Group["pools"] {
  const pools = new Map<PoolId, { slot: LedgerSlot; endSlot: LedgerSlot }>();
  for (const { pool, slot, endSlot, hasCredits } of intervals) {
    if (!hasCredits) continue;
    pools.set(pool, { slot: pools.get(pool)?.slot ?? slot, endSlot });
  }
  return pools;
}

/**
 * Books some nodes of a group, from the place `at` on; answers where the next ones begin, if any. What is booked and how far it is
 * booked are one commit, so a crash books nothing twice and leaves nothing out.
 */
export async function bookPart(
  state: BookerState,
  group: Group,
  at: number,
): Promise<number | undefined> {
  const { parts, unbooked, progress } = state;
  const keys = group.keys.slice(at, at + NODES_PER_COMMIT);
  const part = keys.map((key) => bookNode(state, group, key));
  const next = at + keys.length;
  const last = next < group.keys.length ? part.at(-1) : undefined;
  const after: Progress = last
    ? { cursor: progress.cursor, target: group.target, done: last.key }
    : { cursor: group.target, target: group.target, done: "" };
  await parts.database.commit([
    saveProgress(parts.database, progress, after),
    ...bookingWrites(state, part),
  ]);
  state.progress = after;
  for (const { key, rating } of part) {
    unbooked.drop(key, group.target);
    unbooked.rate(key, rating);
  }
  if (!last) unbooked.finish(group.target);
  return last && next;
}

function bookingWrites({ parts }: BookerState, part: readonly NodeBooking[]): Write[] {
  const { database } = parts;
  const ratings = new Map(part.map(({ key, rating }) => [key, rating]));
  return [
    ...insertTransfers(
      database,
      part.flatMap(({ transfers }) => transfers),
    ),
    ...saveRatings(database, ratings),
    ...sumByPool(part).map((booking) => addToBooking(database, booking)),
  ];
}

function sumByPool(part: readonly NodeBooking[]): readonly Booking[] {
  const sums = new Map<PoolId, Booking>();
  for (const { booking } of part) {
    const sum = sums.get(booking.pool);
    const { cu, micro, fee } = booking;
    const added = sum && { cu: sum.cu + cu, micro: sum.micro + micro, fee: sum.fee + fee };
    sums.set(booking.pool, { ...booking, ...added });
  }
  return [...sums.values()];
}

function bookNode(state: BookerState, group: Group, key: BookKey): NodeBooking {
  const { parts, tariffs, unbooked } = state;
  const [pool, node] = parseKey(key);
  const credits = unbooked.creditsOf(key).filter(({ cursor }) => cursor <= group.target);
  const before = unbooked.ratingOf(key, tariffs.all);
  const earned = earnedBy(tariffs.all, before.rating, credits);
  const range = group.pools.get(pool) ?? { slot: 0, endSlot: 0 };
  const isBudgeted = tariffs.dailyBudgetMicro !== undefined;
  const money = isBudgeted ? { micro: 0n, fee: 0n } : earned;
  const isMatured = isBudgeted || tariffs.maturitySeconds === 0;
  const at = parts.poot.poolTime().nowMs;
  const booking: Booking = {
    pool,
    ...range,
    cu: earned.cu,
    micro: money.micro,
    fee: money.fee,
    at,
    isMatured,
  };
  const claim = toHex(credits.at(-1)?.claim ?? new Uint8Array());
  const transfers = transfersOf({ booking, node, claim, isBudgeted });
  return {
    key,
    booking,
    transfers,
    rating: ratingAfter(before, earned, isBudgeted ? range.slot : undefined),
  };
}

function transfersOf(of: {
  readonly booking: Booking;
  readonly node: NodeId;
  readonly claim: string;
  readonly isBudgeted: boolean;
}): readonly Transfer[] {
  const { booking, node, claim, isBudgeted } = of;
  const { pool, slot, cu, micro, fee, at, isMatured } = booking;
  const act = { pool, node, slot, at, ref: claim };
  if (isBudgeted) return accrue(act, cu);
  const due = { ...act, ref: slotsText(booking) };
  const [accrual, ...conversion] = accrueAndConvert({ ...due, cu, micro, feeMicro: fee });
  if (!accrual) return [];
  const matured = isMatured ? mature(due, micro - fee) : [];
  return [{ ...accrual, ref: claim }, ...conversion, ...matured];
}

/** Work under a daily budget is rated at once, and waits for its day to end. */
function ratingAfter(
  before: RatingState,
  {
    rating,
    cu,
    micro,
  }: { readonly rating: RatingState["rating"]; readonly cu: bigint; readonly micro: bigint },
  dueSlot: LedgerSlot | undefined,
): RatingState {
  if (dueSlot === undefined) return { ...before, rating };
  return {
    rating,
    dueCu: before.dueCu + cu,
    dueMicro: before.dueMicro + micro,
    dueSlot: before.dueCu > 0n ? before.dueSlot : dueSlot,
  };
}

/** The slots of a booking, first and last, as its transfers name them. */
export function slotsText({ slot, endSlot }: Pick<Booking, "slot" | "endSlot">): string {
  return `slots ${poolSlotOf(slot)}-${poolSlotOf(endSlot) - 1}`;
}
