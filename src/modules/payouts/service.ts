import { type Caller, systemCaller } from "@/core/caller.ts";
import type { NodeId, PoolId } from "@/core/ids.ts";
import type { Write } from "@/ports/database.ts";
import { PoolError } from "@/std/errors.ts";
import { Turns } from "@/std/turns.ts";
import { Addresses } from "./addresses.ts";
import {
  type Batch,
  type BatchFilter,
  countBatches,
  readBatches,
  readOpenBatches,
  sealedOf,
} from "./batches.ts";
import { type NodePayments, paymentsOf, standingsOf } from "./node-payments.ts";
import type { PayoutParts } from "./parts.ts";
import { type PoolPlan, planAll } from "./planning.ts";
import { Schedule } from "./schedule.ts";
import { sealDue, sealWrites } from "./sealing.ts";
import { type OperatorWord, settleWrites } from "./settling.ts";

declare module "@/kernel/events.ts" {
  interface EventMap {
    "payout.sealed": { readonly pool: PoolId; readonly batch: string };
    "payout.ended": { readonly pool: PoolId; readonly batch: string };
    "payout.address_set": { readonly pool: PoolId; readonly node: NodeId };
  }
}

/** The writes that remember an answer together with the deed. */
export type AlsoWrite<Told> = (told: Told) => readonly Write[];

const NOTHING_MORE = () => [];

/** Plans batches, sends them over a rail, settles them: every payment once. */
export class Payouts {
  readonly addresses: Addresses;
  readonly #parts: PayoutParts;
  readonly #schedule: Schedule;
  readonly #turns = new Turns();
  #open: readonly Batch[] = [];
  #lastFault: string | undefined;

  private constructor(parts: PayoutParts, lastRunMs: number | undefined) {
    this.#parts = parts;
    this.addresses = new Addresses(parts);
    this.#schedule = new Schedule(parts.terms.intervalMs, {
      nowMs: parts.poot.poolTime().nowMs,
      lastMs: lastRunMs,
    });
  }

  /** Payouts as the disk knows them; the tables must be there. */
  static async open(parts: PayoutParts): Promise<Payouts> {
    const query = parts.database.sql.selectFrom("payout_run").select("at");
    const last = await query.executeTakeFirst();
    const payouts = new Payouts(parts, last && Number(last.at));
    payouts.#open = await readOpenBatches(parts.database);
    return payouts;
  }

  /**
   * One run of the engine: books what is closed, seals what is due where no batch is open, and
   * pushes every open batch (again). Runs one at a time; answers the batches sealed by this one.
   */
  process(
    caller: Caller,
    also: AlsoWrite<readonly Batch[]> = NOTHING_MORE,
  ): Promise<readonly Batch[]> {
    return this.#turns.take(async () => {
      if (!this.#parts.poot.poolTime().trusted) throw clockUntrusted();
      await this.#parts.ledger.book();
      this.#open = await readOpenBatches(this.#parts.database);
      const sealed = await this.#seal(caller, also);
      await this.#push();
      return sealed;
    });
  }

  /** What every pool would pay now, and who not and why; what is closed counts, as in a run. */
  plan(pool?: PoolId): Promise<readonly PoolPlan[]> {
    return planAll(this.#parts, this.addresses, pool);
  }

  /** Batches, newest first. */
  batches(filter: BatchFilter): Promise<readonly Batch[]> {
    return readBatches(this.#parts.database, filter);
  }

  /**
   * An operator says what became of a batch. Saying the same again changes nothing; saying something
   * else is refused (`payout.already_settled_otherwise`).
   */
  settle(
    caller: Caller,
    word: OperatorWord,
    also: AlsoWrite<Batch> = NOTHING_MORE,
  ): Promise<Batch> {
    return this.#turns.take(async () => {
      const { writes, batch } = await settleWrites(this.#parts, caller, word);
      if (!writes) return batch;
      await this.#parts.database.commit([...writes, ...also(batch)]);
      this.#open = await readOpenBatches(this.#parts.database);
      if (batch.state !== "sealed") {
        this.#parts.events.tell("payout.ended", { pool: batch.pool, batch: batch.id });
      }
      return batch;
    });
  }

  /** Everything about what a node was and will be paid. */
  paymentsOf(node: NodeId, pool: PoolId): Promise<NodePayments> {
    const nextRunMs = this.nextRunAtMs() ?? 0;
    return paymentsOf(this.#parts, this.addresses, { node, pool, nextRunMs });
  }

  /** The same of several nodes, each at the pool it is in, without their histories. */
  standingsOf(nodes: readonly NodeId[]): Promise<readonly NodePayments[]> {
    const nextRunMs = this.nextRunAtMs() ?? 0;
    return standingsOf(this.#parts, this.addresses, { nodes, nextRunMs });
  }

  /** The operator lets a payee be paid again whose payment had failed. */
  async release(caller: Caller, pool: PoolId, node: NodeId): Promise<void> {
    const { database, audit } = this.#parts;
    const query = database.sql
      .deleteFrom("payout_hold")
      .where("pool", "=", pool)
      .where("node", "=", node)
      .compile();
    await database.commit([
      { query, rows: 1, refusal: notHeld(node) },
      audit.row(caller, "payout.released", node, { pool }),
    ]);
  }

  /** When the scheduler runs next, by the pool's clock; null while the clock is not believed. */
  nextRunAtMs(): number | null {
    const { nowMs, trusted } = this.#parts.poot.poolTime();
    return trusted ? this.#schedule.nextAtMs(nowMs) : null;
  }

  /** The oldest batch that waits to be settled. */
  openBatch(): { readonly id: string; readonly sealedAtMs: number } | null {
    return this.#open[0] ?? null;
  }

  /** How many batches there are in each state. */
  counts(): Promise<ReadonlyMap<string, number>> {
    return countBatches(this.#parts.database);
  }

  /** Why the last run or push failed, if it did. */
  get lastFault(): string | undefined {
    return this.#lastFault;
  }

  /** For how long a run is overdue. */
  overdueMs(): number {
    return this.#schedule.overdueMs(this.#parts.poot.poolTime().nowMs);
  }

  /** Runs when it is time to; what fails is said by `lastFault` and tried again. */
  async processWhenDue(): Promise<void> {
    const { nowMs, trusted } = this.#parts.poot.poolTime();
    if (!trusted || !this.#schedule.isDue(nowMs)) return;
    try {
      await this.process(systemCaller("payouts"));
      await this.#remember(nowMs);
      this.#schedule.ran(nowMs);
    } catch (error) {
      this.#lastFault = error instanceof Error ? error.message : "it failed";
      this.#schedule.failed(nowMs);
      throw error;
    }
  }

  /** Pushes every open batch once more: what a crash left undone is done. */
  resume(): Promise<void> {
    return this.#turns.take(() => this.#push());
  }

  /** When what is under way has ended. */
  idle(): Promise<void> {
    return this.#turns.take(async () => {});
  }

  async #seal(caller: Caller, also: AlsoWrite<readonly Batch[]>): Promise<readonly Batch[]> {
    const plans = await sealDue(this.#parts, this.addresses, this.#open);
    if (plans.length === 0) return [];
    const batches = plans.map(({ batch }) => batch);
    const writes = plans.flatMap((plan) => sealWrites(this.#parts, caller, plan));
    await this.#parts.database.commit([...writes, ...also(batches)]);
    this.#open = [...this.#open, ...batches];
    for (const { pool, id: batch } of batches) {
      this.#parts.events.tell("payout.sealed", { pool, batch });
    }
    return batches;
  }

  /** That a push fails proves nothing; the batch stays open and is pushed again. */
  async #push(): Promise<void> {
    const { rail, log } = this.#parts;
    this.#lastFault = undefined;
    for (const batch of this.#open) {
      try {
        await rail.push(sealedOf(batch));
      } catch (error) {
        this.#lastFault = `batch ${batch.id} was not pushed`;
        log.error({ err: error, batch: batch.id }, "a batch was not pushed; it is tried again");
      }
    }
  }

  async #remember(nowMs: number): Promise<void> {
    const { database } = this.#parts;
    const at = BigInt(nowMs);
    const query = database.sql
      .insertInto("payout_run")
      .values({ id: 1n, at })
      .onConflict((conflict) => conflict.column("id").doUpdateSet({ at }))
      .compile();
    await database.commit([{ query, rows: 1 }]);
  }
}

const clockUntrusted = () =>
  new PoolError(
    "unavailable",
    "clock.untrusted",
    'The pool does not trust its own clock yet and pays nobody; see "galaxy-pool status".',
    { retryAfterSeconds: 30 },
  );

const notHeld = (node: NodeId) =>
  new PoolError(
    "precondition",
    "payout.not_held",
    `Node ${node} is not held by a failed payment; other holds end by themselves.`,
  );
