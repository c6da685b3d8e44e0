import type { Tx } from "@/core/consensus/types.ts";
import { readTx } from "./application.ts";

/** Transactions that are not committed yet, in the order they came. */
export class Mempool {
  readonly #txs = new Map<number, Tx>();
  /** Counts changes, so that who looks again can see that nothing has changed. */
  version = 0;

  get size(): number {
    return this.#txs.size;
  }

  has(tx: Tx): boolean {
    return this.#txs.has(readTx(tx).id);
  }

  /** False when it was there. */
  add(tx: Tx): boolean {
    const { id } = readTx(tx);
    if (this.#txs.has(id)) return false;
    this.#txs.set(id, tx);
    this.version++;
    return true;
  }

  /** Forgets those that this holds for: executed or expired. */
  drop(isDone: (tx: Tx) => boolean): void {
    for (const [id, tx] of this.#txs)
      if (isDone(tx)) {
        this.#txs.delete(id);
        this.version++;
      }
  }

  /** Whether there is one beside these. */
  hasBeside(ids: ReadonlySet<number>): boolean {
    if (this.#txs.size > ids.size) return true;
    for (const id of this.#txs.keys()) if (!ids.has(id)) return true;
    return false;
  }

  /** The oldest beside these. */
  oldest(limit: number, beside: ReadonlySet<number> = new Set()): readonly Tx[] {
    const oldest: Tx[] = [];
    for (const [id, tx] of this.#txs) {
      if (oldest.length >= limit) break;
      if (!beside.has(id)) oldest.push(tx);
    }
    return oldest;
  }
}
