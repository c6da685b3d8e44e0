import { earnedBy, type FeeTariff } from "@/core/earning.ts";
import type { NodeId, PoolId } from "@/core/ids.ts";
import { payoutPending, payoutPost, payoutVoid, type SealAct } from "@/core/ledger/acts.ts";
import type { Violation } from "@/core/ledger/check.ts";
import { dayOfLedgerSlot, ledgerSlotOf } from "@/core/ledger/ledger-slot.ts";
import { NO_STANDING, type Standing } from "@/core/ledger/standing.ts";
import type { NodeCredit } from "@/core/poot/booking.ts";
import type { Write } from "@/ports/database.ts";
import { assert } from "@/std/assert.ts";
import { isRefusal, PoolError } from "@/std/errors.ts";
import { Turns } from "@/std/turns.ts";
import {
  type NodeAt,
  type Payable,
  readPayable,
  readStandingOfAll,
  readStandings,
  unbookedNet,
} from "./balances.ts";
import { type BookerState, bookPart, type Group, nextGroup } from "./booker.ts";
import { parseKey, readProgress, readRatings } from "./bookings.ts";
import { type Comparison, compareCredits } from "./comparing.ts";
import { convertDue, listDue } from "./day-budget.ts";
import { type ExplainRequest, explainNode, type NodeExplanation } from "./explaining.ts";
import { matureDue } from "./maturing.ts";
import type { BookingTerms, LedgerParts, TariffTerms } from "./parts.ts";
import { checkTables } from "./self-check.ts";
import { type SignedStatement, type StatementRequest, statementOf } from "./statements.ts";
import { Tariffs } from "./tariffs.ts";
import { insertTransfers, readTransfers } from "./transfers.ts";
import { type BookKey, Unbooked } from "./unbooked.ts";

/** Intervals taken in before others get their turn. */
const PAGE = 2;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** A day without a later interval is over so long after midnight. */
const DAY_GRACE_MS = 3_600_000;

/** What everybody has together, and what was credited since midnight (UTC). */
export interface Totals extends Standing {
  readonly creditedToday: bigint;
}

/** How the payments of a batch end: pending transfers by id, with what proves it. */
export interface Resolutions {
  readonly post: readonly { readonly id: string; readonly ref: string }[];
  readonly void: readonly { readonly id: string; readonly ref: string }[];
}

/** Books credits and money, and says what is owed. */
export class Ledger {
  readonly #parts: LedgerParts;
  readonly #state: BookerState;
  readonly #turns = new Turns();
  #seen: bigint;
  #lastBookedMs = 0;
  #lastFault: string | undefined;
  #booking: Promise<void> = Promise.resolve();

  private constructor(state: BookerState) {
    this.#parts = state.parts;
    this.#state = state;
    this.#seen = state.progress.cursor;
  }

  /** The ledger as the disk knows it; the tables must be there. */
  static async open(parts: LedgerParts, terms: TariffTerms): Promise<Ledger> {
    const tariffs = new Tariffs(parts, terms);
    await tariffs.load();
    const stored = await readStored(parts);
    await parts.poot.bookedUntil(stored.progress.cursor);
    return new Ledger({ parts, tariffs, ...stored });
  }

  /** Payouts say what the pool keeps of earnings, and how long money waits. */
  bookBy(terms: BookingTerms): void {
    this.#state.tariffs.bookBy(terms);
  }

  /** Another tariff is configured; it holds from the next interval on. */
  async configure(terms: TariffTerms): Promise<void> {
    this.#state.tariffs.configure(terms);
    await this.settleTariff();
  }

  /** Opens a tariff period when something else is configured than holds. */
  settleTariff(): Promise<void> {
    return this.#turns.take(() => this.#state.tariffs.settle());
  }

  /** Every tariff there ever was, by slot. */
  get tariffs(): readonly FeeTariff[] {
    return this.#state.tariffs.all;
  }

  /** The tariff that holds now. */
  tariff(): FeeTariff {
    return this.#state.tariffs.at(this.#slotNow());
  }

  /** What a specialization weighs, now or some slots ago. */
  weightOf(specialization: string, slotsAgo = 0): number {
    return this.#state.tariffs.weightOf(specialization, this.#slotNow() - slotsAgo);
  }

  /** What a node has at a pool. */
  async owed(pool: PoolId, node: NodeId): Promise<Standing> {
    const [standing] = await this.standings([{ pool, node }]);
    return standing ?? NO_STANDING;
  }

  /** Takes in what was closed since the last look, so that there is less to do when it is asked for. */
  lookAhead(): Promise<void> {
    return this.#turns.take(() => this.#refresh());
  }

  /** What nodes have, in the order asked. */
  standings(nodes: readonly NodeAt[]): Promise<readonly Standing[]> {
    return this.#turns.take(async () => {
      await this.#refresh();
      return readStandings(this.#parts.database, nodes, (key) => this.#net(key));
    });
  }

  /** Who has something payable at a pool, by node: as it is booked, or as the next booking makes it. */
  payable(pool: PoolId, how: "booked" | "with unbooked"): Promise<readonly Payable[]> {
    return this.#turns.take(async () => {
      await this.#refresh();
      const booked = await readPayable(this.#parts.database, pool);
      const matures = this.#state.tariffs.maturitySeconds > 0;
      return how === "booked" || matures ? booked : this.#withUnbooked(pool, booked);
    });
  }

  #withUnbooked(pool: PoolId, booked: readonly Payable[]): readonly Payable[] {
    const sums = new Map(booked.map(({ node, payable }) => [node, payable]));
    for (const key of this.#state.unbooked.keys()) {
      const [at, node] = parseKey(key);
      const payable = (sums.get(node) ?? 0n) + this.#net(key);
      if (at === pool && payable > 0n) sums.set(node, payable);
    }
    return [...sums].map(([node, payable]) => ({ node, payable }));
  }

  /** What all nodes have together. */
  totals(): Promise<Totals> {
    return this.#turns.take(async () => {
      await this.#refresh();
      const keys = [...this.#state.unbooked.keys()];
      const unbooked = keys.reduce((sum, key) => sum + this.#net(key), 0n);
      const all = await readStandingOfAll(this.#parts.database, unbooked);
      return { ...all, creditedToday: await this.#creditedToday(keys) };
    });
  }

  /** What all nodes of a pool have together; booked first, so that nothing is left out. */
  async owedBy(pool: PoolId): Promise<Standing> {
    await this.book();
    return readStandingOfAll(this.#parts.database, 0n, pool);
  }

  /** Work credited ever, booked or not. */
  creditedCu(): Promise<bigint> {
    return this.#turns.take(async () => {
      await this.#refresh();
      const { tariffs, unbooked } = this.#state;
      const query = this.#parts.database.sql.selectFrom("account").select("dp");
      const issued = await query.where("id", "=", "work:issued").executeTakeFirst();
      let sum = issued?.dp ?? 0n;
      for (const key of unbooked.keys()) sum += unbooked.earnedOf(key, tariffs.all).cu;
      return sum;
    });
  }

  /** Books every credit of every interval that has ended. */
  book(): Promise<void> {
    const run = this.#booking.then(() => this.#bookOrReload());
    this.#booking = run.catch(() => {});
    return run;
  }

  /**
   * Books when an hour of the pool's clock began since the last time. What the database refuses is
   * said by `lastFault` and tried again.
   */
  async bookWhenDue(): Promise<void> {
    const { nowMs, trusted } = this.#parts.poot.poolTime();
    const isDue = Math.floor(nowMs / HOUR_MS) !== Math.floor(this.#lastBookedMs / HOUR_MS);
    if (!trusted || !isDue) return;
    try {
      await this.book();
      this.#lastFault = undefined;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      this.#lastFault = error.message;
      this.#parts.log.error({ code: error.code }, "credits were not booked");
    }
  }

  /** Why the last booking failed, if it did. */
  get lastFault(): string | undefined {
    return this.#lastFault;
  }

  /** When what is under way has ended. */
  idle(): Promise<void> {
    return this.#booking;
  }

  /** The transfers that reserve the payments of a sealed batch. */
  sealWrites(act: SealAct): Write[] {
    return insertTransfers(this.#parts.database, payoutPending(act));
  }

  /** The transfers that end payments: posted as facts, or voided because they never happen. */
  async resolveWrites({ post, void: voided }: Resolutions): Promise<Write[]> {
    const { database, poot } = this.#parts;
    const at = poot.poolTime().nowMs;
    const ids = [...post, ...voided].map(({ id }) => id);
    const pending = new Map((await readTransfers(database, ids)).map((one) => [one.id, one]));
    const pendingOf = (id: string) => {
      const transfer = pending.get(id);
      assert(transfer, `payment ${id} was reserved`);
      return [transfer];
    };
    return insertTransfers(database, [
      ...post.flatMap(({ id, ref }) => payoutPost(pendingOf(id), ref, at)),
      ...voided.flatMap(({ id, ref }) => payoutVoid(pendingOf(id), ref, at)),
    ]);
  }

  /** Why a node has exactly this much; reading books nothing. */
  explain(request: ExplainRequest): Promise<NodeExplanation> {
    return this.#turns.take(async () => {
      await this.#refresh();
      return explainNode(this.#state, request, this.#net(`${request.pool}:${request.node}`));
    });
  }

  /** A signed account of a period, as far as it is booked; it begins and ends where bookings do. */
  statement(request: StatementRequest): Promise<SignedStatement> {
    return this.#turns.take(async () => {
      await this.#refresh();
      return statementOf(this.#state, request);
    });
  }

  /** Everything that is wrong with the tables; nothing, when all is well. */
  check(): Promise<readonly Violation[]> {
    return checkTables(this.#parts.database);
  }

  /** Refuses the deletion of a pool whose nodes are owed money (`pool.owes`). */
  async requireNothingOwed(pool: PoolId): Promise<void> {
    const { owed } = await this.owedBy(pool);
    if (owed > 0n || this.#isDueIn(pool)) throw poolOwes(pool, owed);
  }

  /** What recomputed credits are worth, and what the books say, while all intervals are kept. */
  compare(
    pool: PoolId,
    node: NodeId | undefined,
    credits: readonly NodeCredit[],
  ): Promise<Comparison | undefined> {
    return this.#turns.take(async () => {
      const [oldest] = await this.#parts.poot.creditsAfter(0n, 1);
      if (oldest && oldest.cursor > 1n) return undefined;
      await this.#refresh();
      return compareCredits(this.#state, { pool, node, credits });
    });
  }

  /** After a refusal nobody knows what the disk holds; it is asked before the next booking. */
  async #bookOrReload(): Promise<void> {
    try {
      await this.#book();
    } catch (error) {
      await this.#turns.take(async () => {
        Object.assign(this.#state, await readStored(this.#parts));
        this.#seen = this.#state.progress.cursor;
      });
      throw error;
    }
  }

  async #book(): Promise<void> {
    const { poot } = this.#parts;
    await poot.closeDue();
    await this.settleTariff();
    await this.#turns.take(() => this.#refresh());
    for (let group = nextGroup(this.#state); group; group = nextGroup(this.#state)) {
      await this.#bookGroup(group);
    }
    const { nowMs } = poot.poolTime();
    const lastDay = this.#dayOf(nowMs - DAY_GRACE_MS);
    await this.#convertDue((dueDay) => dueDay !== this.#dayOf(nowMs) && dueDay !== lastDay);
    await this.#turns.take(() => matureDue(this.#state));
    this.#lastBookedMs = nowMs;
  }

  async #bookGroup(group: Group): Promise<void> {
    await this.#convertDue((dueDay) => dueDay !== group.day);
    for (let at: number | undefined = 0; at !== undefined; ) {
      const from: number = at;
      at = await this.#turns.take(() => bookPart(this.#state, group, from));
    }
    await this.#parts.poot.bookedUntil(group.target);
  }

  /** Work of a day that is over becomes money; without a budget all of it. */
  async #convertDue(isOver: (day: string) => boolean): Promise<void> {
    const { slotSeconds } = this.#parts.poot.poolTime();
    for (const due of listDue(this.#state)) {
      const isFree = this.#state.tariffs.dailyBudgetMicro === undefined;
      if (!isFree && !isOver(dayOfLedgerSlot(due.slot, slotSeconds))) continue;
      await this.#turns.take(() => convertDue(this.#state, due));
    }
  }

  /** Adds what was closed since the last look. */
  async #refresh(): Promise<void> {
    const { progress, unbooked } = this.#state;
    for (;;) {
      const page = await this.#parts.poot.creditsAfter(this.#seen, PAGE);
      for (const closed of page) {
        const { target, done } = progress;
        unbooked.add(closed, (key) => closed.cursor <= target && key <= done);
        this.#seen = closed.cursor;
      }
      if (page.length < PAGE) return;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** What is earned and not booked; under a daily budget it is no money yet. */
  #net(key: BookKey): bigint {
    const { tariffs, unbooked } = this.#state;
    if (tariffs.dailyBudgetMicro !== undefined) return 0n;
    return unbookedNet(unbooked, key, tariffs.all);
  }

  async #creditedToday(keys: readonly BookKey[]): Promise<bigint> {
    const { database, poot } = this.#parts;
    const { nowMs, epoch, slotSeconds } = poot.poolTime();
    const startMs = Math.floor(nowMs / DAY_MS) * DAY_MS;
    const from = ledgerSlotOf(epoch, Math.ceil(startMs / (slotSeconds * 1000)));
    const row = await database.sql
      .selectFrom("booking")
      .select((is) => [is.fn.sum<bigint>("micro").as("micro"), is.fn.sum<bigint>("fee").as("fee")])
      .where("slot", ">=", BigInt(from))
      .executeTakeFirst();
    const booked = (row?.micro ?? 0n) - (row?.fee ?? 0n);
    return keys.reduce((sum, key) => sum + this.#netSince(key, from), booked);
  }

  #netSince(key: BookKey, from: number): bigint {
    const { tariffs, unbooked } = this.#state;
    const before = unbooked.creditsOf(key).filter(({ slot }) => slot < from);
    if (before.length === 0 || tariffs.dailyBudgetMicro !== undefined) return this.#net(key);
    const { rating } = unbooked.ratingOf(key, tariffs.all);
    const { micro, fee } = earnedBy(tariffs.all, rating, before);
    return this.#net(key) - micro + fee;
  }

  #isDueIn(pool: PoolId): boolean {
    return listDue(this.#state).some((due) => due.pool === pool);
  }

  #dayOf(ms: number): string {
    const { epoch, slotSeconds } = this.#parts.poot.poolTime();
    return dayOfLedgerSlot(ledgerSlotOf(epoch, Math.floor(ms / (slotSeconds * 1000))), slotSeconds);
  }

  #slotNow(): number {
    const { epoch, slot } = this.#parts.poot.poolTime();
    return ledgerSlotOf(epoch, slot);
  }
}

/** How far credits are booked and nodes rated, as the disk says. */
async function readStored({ database, poot }: LedgerParts) {
  const unbooked = new Unbooked(poot.poolTime().slotSeconds);
  for (const [key, rating] of await readRatings(database)) unbooked.rate(key, rating);
  return { unbooked, progress: await readProgress(database) };
}

const poolOwes = (pool: PoolId, owed: bigint) =>
  new PoolError(
    "precondition",
    "pool.owes",
    `Pool ${pool} still owes its nodes ${owed} micro-USDT; pay them before it is deleted.`,
    { owedMicroUsdt: `${owed}` },
  );
