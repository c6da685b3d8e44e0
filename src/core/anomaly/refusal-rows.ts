import type { Refused } from "./signal.ts";

/** A refusal with where it was made, and for what. */
export interface RefusedAt extends Refused {
  readonly door: string;
}

/** Refusals that are alike, as one row of the audit. */
export interface RefusalRow {
  readonly refused: RefusedAt;
  readonly count: number;
}

/** What one flush writes: rows, and how many refusals have no row of their own. */
export interface RefusalRows {
  readonly rows: readonly RefusalRow[];
  readonly others: number;
}

/** Kinds that say something about who asks, the gravest first. */
const GRAVE = ["denied", "conflict", "exhausted", "unauthenticated"];
const SUBJECTS_MAX = 1_000;
/** Of these kinds, only some codes say anything. */
const CODES: Readonly<Record<string, RegExp>> = {
  conflict: /^poot\.behind$/,
  exhausted: /[._](blocked|locked|locked_out)$/,
};

/** Whether a refusal belongs into the audit: a typing mistake or a full queue does not. */
export function isForAudit({ kind, code }: Refused): boolean {
  if (!GRAVE.includes(kind)) return false;
  return CODES[kind]?.test(code) ?? true;
}

/** Gathers refusals until they are written: alike ones are one row, and memory is bounded. */
export class RefusalGathering {
  #rows = new Map<string, { readonly refused: RefusedAt; count: number }>();
  #others = 0;

  add(refused: RefusedAt, count = 1): void {
    const { door, code, caller, address, subject } = refused;
    const key = JSON.stringify([door, code, caller ?? address, subject]);
    const known = this.#rows.get(key);
    if (known) known.count += count;
    else if (this.#rows.size < SUBJECTS_MAX) this.#rows.set(key, { refused, count });
    else this.#others += count;
  }

  /** What was gathered, the gravest and most frequent first; nothing is left. */
  take(rowsMax: number): RefusalRows {
    const all = [...this.#rows.values()].sort(
      (one, other) =>
        GRAVE.indexOf(one.refused.kind) - GRAVE.indexOf(other.refused.kind) ||
        other.count - one.count,
    );
    const rest = all.slice(rowsMax).reduce((sum, { count }) => sum + count, 0);
    const taken = { rows: all.slice(0, rowsMax), others: this.#others + rest };
    this.#rows = new Map();
    this.#others = 0;
    return taken;
  }

  /** Puts back what could not be written. */
  putBack({ rows, others }: RefusalRows): void {
    for (const { refused, count } of rows) this.add(refused, count);
    this.#others += others;
  }
}
