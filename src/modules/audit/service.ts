import type { Caller } from "@/core/caller.ts";
import type { Clock } from "@/ports/clock.ts";
import type { Database, Write } from "@/ports/database.ts";
import { canonicalJson } from "@/std/canonical-json.ts";

/** What may be said of an act besides who, what and whom; never a secret. */
export type AuditDetail = Readonly<Record<string, string | number | boolean | null>>;

/** Keeps who did what: every change puts one of its rows into the same commit. */
export class Audit {
  readonly #database: Database;
  readonly #clock: Clock;

  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  /** The row of one act; `action` is past tense and dotted (`node.left`). */
  row(caller: Caller, action: string, subject: string, detail: AuditDetail = {}): Write {
    const row = {
      at: BigInt(this.#clock.now()),
      actor: caller.id,
      action,
      subject,
      detail: canonicalJson(detail),
    };
    return { query: this.#database.sql.insertInto("audit").values(row).compile(), rows: 1 };
  }
}
