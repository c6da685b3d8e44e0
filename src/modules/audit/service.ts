import type { Offer } from "@/core/audit/witness.ts";
import type { Caller } from "@/core/caller.ts";
import type { NodeId } from "@/core/ids.ts";
import type { Clock } from "@/ports/clock.ts";
import type { Database, Write } from "@/ports/database.ts";
import { canonicalJson } from "@/std/canonical-json.ts";
import { scrub } from "@/std/scrub.ts";

declare module "@/kernel/events.ts" {
  interface EventMap {
    /** The log is not what was signed, or lost its end: a line says which. */
    "audit.doubted": { readonly why: string };
  }
}

/** What may be said of an act besides who, what and whom; never a secret. */
export type AuditDetail = Readonly<Record<string, string | number | boolean | null>>;

/** The nodes as witnesses of the log: what each says it has, and what to offer it. */
export interface CheckpointWitnesses {
  take(node: NodeId, note: string): void;
  offerFor(node: NodeId): Offer | undefined;
}

/** What the signed log is good for to others, once it is there. */
export interface SignedLog {
  readonly witnesses: CheckpointWitnesses;
  /** The newest checkpoint as a note, cosigned if one is. */
  newestNote(): string | undefined;
}

/** Keeps who did what: every change puts one of its rows into the same commit. */
export class Audit {
  readonly #database: Database;
  readonly #clock: Clock;
  #made = 0;
  #signedLog: SignedLog | undefined;

  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  /** The log over the rows; undefined where nobody signs them. */
  get signedLog(): SignedLog | undefined {
    return this.#signedLog;
  }

  /** Who signs the rows says so once. */
  signWith(log: SignedLog): void {
    this.#signedLog = log;
  }

  /** How many rows were made since the start, committed or not. */
  get made(): number {
    return this.#made;
  }

  /** The row of one act; `action` is past tense and dotted (`node.left`). */
  row(caller: Caller, action: string, subject: string, detail: AuditDetail = {}): Write {
    this.#made++;
    const row = {
      at: BigInt(this.#clock.now()),
      actor: caller.id,
      action,
      subject,
      detail: scrub(canonicalJson(detail)),
    };
    return { query: this.#database.sql.insertInto("audit").values(row).compile(), rows: 1 };
  }
}
