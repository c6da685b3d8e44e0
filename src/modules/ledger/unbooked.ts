import { type Earned, earnedBy, type FeeTariff } from "@/core/earning.ts";
import type { NodeId, PoolId } from "@/core/ids.ts";
import { dayOfLedgerSlot, type LedgerSlot, ledgerSlotOf } from "@/core/ledger/ledger-slot.ts";
import type { ClosedCredits, NodeCredit } from "@/core/poot/booking.ts";
import { cuOf, firstRating, type Rating } from "@/core/tariff.ts";
import { sha256 } from "@/std/crypto.ts";

/** Names a node at a pool; the order of these texts is the order of booking. */
export type BookKey = `${PoolId}:${NodeId}`;

/** A closed interval that is not booked, or not wholly. */
export interface OpenInterval {
  readonly cursor: bigint;
  readonly pool: PoolId;
  readonly slot: LedgerSlot;
  readonly endSlot: LedgerSlot;
  /** The UTC day it begins in, by time epoch. */
  readonly day: string;
  readonly hasCredits: boolean;
}

/** A credit to be booked. Its slot decides which tariff rates it. */
export interface OpenCredit {
  readonly cursor: bigint;
  readonly slot: LedgerSlot;
  readonly cu: bigint;
  readonly claim: Uint8Array;
}

/** How a node's work was rated up to its last booking, and what waits for the end of a day. */
export interface RatingState {
  readonly rating: Rating;
  readonly dueCu: bigint;
  readonly dueMicro: bigint;
  readonly dueSlot: LedgerSlot;
}

/** Credits that are closed and not booked, and how far everything before them is rated. In memory. */
export class Unbooked {
  readonly #slotSeconds: number;
  readonly #credits = new Map<BookKey, OpenCredit[]>();
  readonly #earned = new Map<BookKey, Earned>();
  readonly #ratings = new Map<BookKey, RatingState>();
  #intervals: OpenInterval[] = [];

  constructor(slotSeconds: number) {
    this.#slotSeconds = slotSeconds;
  }

  /** Intervals with something to book, in the order they were closed. */
  get intervals(): readonly OpenInterval[] {
    return this.#intervals;
  }

  /** How far every node is rated that ever earned anything. */
  get ratings(): ReadonlyMap<BookKey, RatingState> {
    return this.#ratings;
  }

  /** Adds a closed interval; `isBooked` tells which nodes have it in the books already. */
  add(closed: ClosedCredits, isBooked: (key: BookKey) => boolean): void {
    this.#intervals.push(this.#intervalOf(closed));
    for (const credit of closed.credits) {
      const key: BookKey = `${closed.pool}:${credit.node}`;
      if (isBooked(key)) continue;
      const list = this.#credits.get(key) ?? [];
      this.#credits.set(key, list);
      list.push(this.#creditOf(closed, credit));
      this.#earned.delete(key);
    }
  }

  /** Nodes with credits up to a cursor, in the order of booking. */
  keysUpTo(cursor: bigint): BookKey[] {
    const keys = [...this.#credits].filter(
      ([, list]) => (list[0]?.cursor ?? cursor + 1n) <= cursor,
    );
    return keys.map(([key]) => key).sort();
  }

  /** A node's credits, oldest first. */
  creditsOf(key: BookKey): readonly OpenCredit[] {
    return this.#credits.get(key) ?? [];
  }

  /** Every node that has any. */
  keys(): Iterable<BookKey> {
    return this.#credits.keys();
  }

  ratingOf(key: BookKey, tariffs: readonly FeeTariff[]): RatingState {
    const known = this.#ratings.get(key);
    if (known) return known;
    const slot = this.#credits.get(key)?.[0]?.slot ?? 0;
    return { rating: firstRating(tariffs, slot), dueCu: 0n, dueMicro: 0n, dueSlot: 0 };
  }

  /** What a node's credits are worth by the tariffs. */
  earnedOf(key: BookKey, tariffs: readonly FeeTariff[]): Earned {
    const known = this.#earned.get(key);
    if (known) return known;
    const earned = earnedBy(tariffs, this.ratingOf(key, tariffs).rating, this.creditsOf(key));
    this.#earned.set(key, earned);
    return earned;
  }

  /** A node is rated so far. */
  rate(key: BookKey, state: RatingState): void {
    this.#ratings.set(key, state);
    this.#earned.delete(key);
  }

  /** A node's credits up to a cursor are in the books. */
  drop(key: BookKey, cursor: bigint): void {
    const left = this.creditsOf(key).filter((credit) => credit.cursor > cursor);
    if (left.length > 0) this.#credits.set(key, left);
    else this.#credits.delete(key);
    this.#earned.delete(key);
  }

  /** Intervals up to a cursor are booked wholly. */
  finish(cursor: bigint): void {
    this.#intervals = this.#intervals.filter((interval) => interval.cursor > cursor);
  }

  #intervalOf(closed: ClosedCredits): OpenInterval {
    const { cursor, pool, epoch, firstSlot, slots, credits } = closed;
    const slot = ledgerSlotOf(epoch, firstSlot);
    const endSlot = ledgerSlotOf(epoch, firstSlot + slots);
    const day = dayOfLedgerSlot(slot, this.#slotSeconds);
    return { cursor, pool, slot, endSlot, day, hasCredits: credits.length > 0 };
  }

  #creditOf({ cursor, epoch }: ClosedCredits, credit: NodeCredit): OpenCredit {
    const { toSlot, ticks, weightPermille: weight, healthPermille: health, claim } = credit;
    return {
      cursor,
      slot: ledgerSlotOf(epoch, toSlot),
      cu: cuOf({ ticks, slotSeconds: this.#slotSeconds, weight, health }),
      claim: sha256(claim),
    };
  }
}
