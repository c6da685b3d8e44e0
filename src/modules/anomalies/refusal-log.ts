import { isForAudit, RefusalGathering, type RefusalRow } from "@/core/anomaly/refusal-rows.ts";
import { type Caller, systemCaller } from "@/core/caller.ts";
import type { Logger } from "@/kernel/log.ts";
import type { Audit } from "@/modules/audit/service.ts";
import type { Database, Write } from "@/ports/database.ts";
import type { RequestRefused } from "@/ports/refusal.ts";
import { isRefusal } from "@/std/errors.ts";

/** What the log of refusals works with. */
export interface RefusalLogParts {
  readonly database: Database;
  readonly audit: Audit;
  readonly log: Pick<Logger, "warn">;
  /** How many rows one flush may write. */
  readonly rowsMax: number;
}

/** Puts refusals into the audit: they have no commit of their own, so alike ones share a row. */
export class RefusalLog {
  readonly #parts: RefusalLogParts;
  readonly #gathering = new RefusalGathering();

  constructor(parts: RefusalLogParts) {
    this.#parts = parts;
  }

  /** Remembers a refusal until the next flush. */
  add(refused: RequestRefused): void {
    if (isForAudit(refused)) this.#gathering.add(refused);
  }

  /** Writes what was gathered; what the disk refuses waits for the next time. */
  async flush(): Promise<void> {
    const { database, log, rowsMax } = this.#parts;
    const taken = this.#gathering.take(rowsMax);
    const writes = taken.rows.map((row) => this.#writeOf(row));
    if (taken.others > 0) writes.push(this.#others(taken.others));
    if (writes.length === 0) return;
    try {
      await database.commit(writes);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      this.#gathering.putBack(taken);
      log.warn({ code: error.code }, "refusals could not be written to the audit; they are kept");
    }
  }

  #writeOf({ refused, count }: RefusalRow): Write {
    const { door, kind, code, address, caller, subject } = refused;
    const who: Caller = { type: "system", id: caller ?? `address:${address}`, roles: [] };
    const detail = { door, kind, code, address, count };
    return this.#parts.audit.row(who, "request.refused", subject ?? "", detail);
  }

  #others(count: number): Write {
    return this.#parts.audit.row(systemCaller("anomalies"), "request.refused", "others", { count });
  }
}
