import type { Block } from "@/core/consensus/types.ts";
import { type AppState, readTx, VALID_MS } from "./application.ts";
import type { Host } from "./host.ts";
import { promise } from "./violation.ts";

/**
 * S9: what is committed is executed once, when it is due. Whether it is due follows from the date of its
 * block alone (§11), and whether it was executed before from what was seen here: the application's own
 * memory of it is not asked.
 */
export class ExecutionWatch {
  readonly #chain: readonly Block[];
  /** At which height of the one chain each transaction was executed. */
  readonly #heights = new Map<number, number>();
  readonly #seen = new WeakSet<AppState>();

  constructor(chain: readonly Block[]) {
    this.#chain = chain;
  }

  /** The application of an honest process, and all before it that nobody has shown yet. */
  look(host: Host, state: AppState): void {
    const fresh: AppState[] = [];
    for (let at: AppState | null = state; at && !this.#seen.has(at); at = at.before) fresh.push(at);
    for (const one of fresh.toReversed()) {
      this.#check(host, one);
      this.#seen.add(one);
    }
  }

  #check({ id: host }: Host, { height, ran }: AppState): void {
    const due = this.#dueAt(height);
    const done = new Set<number>();
    for (const id of ran) {
      const at = done.has(id) ? height : this.#heights.get(id);
      const isFirst = at === undefined || (at === height && !done.has(id));
      promise(isFirst, "S9", () => `${host} executes ${id} at ${height}, and it was at ${at}`);
      promise(due.has(id), "S9", () => `${host} executes ${id} at ${height}, where it is not due`);
      done.add(id);
    }
    const left = [...due].find((id) => !done.has(id));
    promise(left === undefined, "S9", () => `${host} does not execute ${left} at ${height}`);
    for (const id of ran) this.#heights.set(id, height);
  }

  /** What the block of a height has to execute: B.ts ≤ validUntil ≤ B.ts + 10 min, and not before. */
  #dueAt(height: number): ReadonlySet<number> {
    const due = new Set<number>();
    const { header, payload } = this.#chain[height] ?? {};
    if (!header) return due;
    for (const tx of payload?.inline ?? []) {
      const { id, validUntilMs } = readTx(tx);
      const validMs = validUntilMs - header.timestampMs;
      const isNew = (this.#heights.get(id) ?? height) === height;
      if (isNew && validMs >= 0 && validMs <= VALID_MS) due.add(id);
    }
    return due;
  }
}
