import { type AnomalyRule, sentenceOf } from "@/core/anomaly/rules.ts";
import type { Signal } from "@/core/anomaly/signal.ts";
import {
  acknowledge,
  newWatch,
  notice,
  reopen,
  type Watch,
  type WatchTerms,
} from "@/core/anomaly/watch.ts";
import { type Caller, systemCaller } from "@/core/caller.ts";
import type { Events } from "@/kernel/events.ts";
import type { Logger } from "@/kernel/log.ts";
import type { Audit } from "@/modules/audit/service.ts";
import type { Clock } from "@/ports/clock.ts";
import type { Database, Write } from "@/ports/database.ts";
import { isRefusal, PoolError } from "@/std/errors.ts";
import type { PageRequest } from "@/std/paging.ts";
import { scrub } from "@/std/scrub.ts";
import { Turns } from "@/std/turns.ts";
import {
  type Anomaly,
  type AnomalyState,
  findAnomaly,
  forgetOldest,
  insertAnomaly,
  listAnomalies,
  readNewestId,
  readOpen,
  saveAcknowledged,
  saveCount,
} from "./table.ts";

declare module "@/kernel/events.ts" {
  interface EventMap {
    "anomaly.raised": AnomalyTold;
    "anomaly.acknowledged": AnomalyTold;
  }
}

/** Which anomaly. */
interface AnomalyTold {
  readonly id: number;
  readonly rule: AnomalyRule;
  readonly subject: string;
}

/** What warnings are made of. */
export interface AnomalyParts {
  readonly database: Database;
  readonly clock: Clock;
  readonly audit: Audit;
  readonly events: Events;
  readonly log: Pick<Logger, "warn">;
  /** Counts one that was raised. */
  readonly count: (rule: AnomalyRule) => void;
  readonly terms: WatchTerms;
  /** How many anomalies are kept. */
  readonly keptMax: number;
}

const SYSTEM = systemCaller("anomalies");

/**
 * Warns of what looks like an attack or a mistake. What was raised is in memory first, so that it is
 * shown also while the disk takes nothing; it is told once it is written.
 */
export class Anomalies {
  readonly #parts: AnomalyParts;
  readonly #watch: Watch;
  readonly #turns = new Turns();
  /** Open ones by number. */
  readonly #open = new Map<number, Anomaly>();
  readonly #unwritten = new Set<number>();
  readonly #recounted = new Set<number>();
  #newestId: number;

  private constructor(parts: AnomalyParts, open: readonly Anomaly[], newestId: number) {
    this.#parts = parts;
    this.#newestId = newestId;
    this.#watch = newWatch(parts.terms);
    for (const anomaly of open) {
      this.#open.set(anomaly.id, anomaly);
      reopen(this.#watch, anomaly.rule, anomaly.subject);
    }
  }

  /** Warnings as the disk knows them; the tables must be there. */
  static async open(parts: AnomalyParts): Promise<Anomalies> {
    return new Anomalies(parts, await readOpen(parts.database), await readNewestId(parts.database));
  }

  /** Counts something that happened; a new anomaly is written at once, one that goes on in time. */
  notice(signal: Signal): void {
    const { clock } = this.#parts;
    const { type, subject, count } = notice(this.#watch, signal, clock.monotonic());
    if (type === "raised") this.#raise(signal.rule, subject, count);
    if (type === "again") this.#again(signal.rule, subject);
  }

  /** The open ones as sentences for the operator, the newest first. */
  warnings(): readonly string[] {
    return [...this.#open.values()].reverse().map(({ id, rule, subject, count }) => {
      return `anomaly ${id}: ${sentenceOf(rule, subject, count)}; see galaxy-pool anomaly show ${id}`;
    });
  }

  /** How many are open, by rule. */
  openByRule(): ReadonlyMap<AnomalyRule, number> {
    const counts = new Map<AnomalyRule, number>();
    for (const { rule } of this.#open.values()) counts.set(rule, (counts.get(rule) ?? 0) + 1);
    return counts;
  }

  /** Anomalies, the newest first, one more than the page holds. */
  async list(page: PageRequest, state: AnomalyState): Promise<readonly Anomaly[]> {
    const found = await listAnomalies(this.#parts.database, page, state);
    return found.map((anomaly) => this.#open.get(anomaly.id) ?? anomaly);
  }

  /** One anomaly; refuses a number there is none of (`anomaly.unknown`). */
  async get(id: number): Promise<Anomaly> {
    const known = this.#open.get(id) ?? (await findAnomaly(this.#parts.database, id));
    if (known) return known;
    throw new PoolError("not_found", "anomaly.unknown", `There is no anomaly ${id}; list them.`);
  }

  /** Somebody has seen it: it is closed, and the same stays quiet for a while. Once is enough. */
  async acknowledge(caller: Caller, id: number, note?: string): Promise<Anomaly> {
    await this.flush();
    const anomaly = await this.get(id);
    if (anomaly.acknowledged) return anomaly;
    const { database, audit, clock, events } = this.#parts;
    const seen = { atMs: clock.now(), by: caller.id, note: note && scrub(note) };
    const { rule, subject } = anomaly;
    await this.#turns.take(() =>
      database.commit([
        saveAcknowledged(database, id, seen),
        audit.row(caller, "anomaly.acknowledged", `${id}`, { rule, about: subject }),
      ]),
    );
    this.#open.delete(id);
    acknowledge(this.#watch, { rule, subject }, clock.monotonic());
    events.tell("anomaly.acknowledged", { id, rule, subject });
    return { ...anomaly, acknowledged: seen };
  }

  /** Writes what is not written yet; what the disk refuses waits for the next time. */
  flush(): Promise<void> {
    return this.#turns.take(() => this.#write());
  }

  #raise(rule: AnomalyRule, subject: string, count: number): void {
    const id = ++this.#newestId;
    const nowMs = this.#parts.clock.now();
    const times = { firstAtMs: nowMs, lastAtMs: nowMs };
    this.#open.set(id, { id, rule, subject, count, ...times, acknowledged: undefined });
    this.#unwritten.add(id);
    this.#parts.count(rule);
    this.#parts.log.warn({ anomaly: id, rule, subject, count }, sentenceOf(rule, subject, count));
    void this.flush();
  }

  #again(rule: AnomalyRule, subject: string): void {
    for (const anomaly of this.#open.values()) {
      if (anomaly.rule !== rule || anomaly.subject !== subject) continue;
      const { id, count } = anomaly;
      const lastAtMs = this.#parts.clock.now();
      this.#open.set(id, { ...anomaly, count: count + 1, lastAtMs });
      this.#recounted.add(id);
      return;
    }
  }

  async #write(): Promise<void> {
    const raised = [...this.#unwritten].flatMap((id) => this.#open.get(id) ?? []);
    const again = [...this.#recounted].flatMap((id) => this.#open.get(id) ?? []);
    const writes = [...raised.flatMap((one) => this.#writesOf(one)), ...this.#counts(again)];
    if (writes.length === 0) return;
    this.#recounted.clear();
    try {
      await this.#parts.database.commit(writes);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      for (const { id } of again) this.#recounted.add(id);
      this.#parts.log.warn({ code: error.code }, "anomalies could not be written; they are kept");
      return;
    }
    for (const { id } of raised) this.#unwritten.delete(id);
    for (const { id, rule, subject } of raised) {
      this.#parts.events.tell("anomaly.raised", { id, rule, subject });
    }
  }

  #writesOf(anomaly: Anomaly): Write[] {
    const { database, audit, keptMax } = this.#parts;
    const { id, rule, subject, count } = anomaly;
    return [
      insertAnomaly(database, anomaly),
      forgetOldest(database, id, keptMax),
      audit.row(SYSTEM, "anomaly.raised", `${id}`, { rule, about: subject, count }),
    ];
  }

  #counts(again: readonly Anomaly[]): Write[] {
    return again
      .filter(({ id }) => !this.#unwritten.has(id))
      .map((anomaly) => saveCount(this.#parts.database, anomaly));
  }
}
