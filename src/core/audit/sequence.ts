import { assert } from "@/std/assert.ts";

/** Where rows without a gap begin: leaf by leaf, row by row. */
export interface Run {
  readonly leaf: number;
  readonly row: bigint;
}

/**
 * Which row is which leaf of the log. Rows become leaves in the order of their numbers; a number that
 * is skipped, or that turns up after later ones, begins a run. Once given, a place is never changed.
 */
export class Sequence {
  readonly #runs: Run[];
  #size: number;
  #frontier = 1n;

  /** With the runs so far; the first row of a log without any is row 1. */
  constructor(runs: readonly Run[] = []) {
    this.#runs = runs[0]?.leaf === 0 ? [...runs] : [{ leaf: 0, row: 1n }, ...runs];
    this.#size = this.#last.leaf;
    for (const [at, { leaf, row }] of this.#runs.entries()) {
      const end = row + BigInt((this.#runs[at + 1]?.leaf ?? leaf) - leaf);
      if (end > row) this.#reach(end);
    }
  }

  /** How many leaves have a place. */
  get size(): number {
    return this.#size;
  }

  /** Every row from here on has no place yet; of those before, some may turn up late. */
  get frontier(): bigint {
    return this.#frontier;
  }

  /** The row that is next, unless a run begins. */
  get next(): bigint {
    return this.#last.row + BigInt(this.#size - this.#last.leaf);
  }

  /** Whether rows ever came out of order or left a gap. */
  get hasGaps(): boolean {
    return this.#runs.length > 1;
  }

  /** Gives the row the next place; answers the run that it begins, which must be kept first. */
  place(row: bigint): Run | undefined {
    const begins = row === this.next ? undefined : { leaf: this.#size, row };
    if (begins) this.#begin(begins);
    this.#size++;
    this.#reach(row + 1n);
    return begins;
  }

  /** The row of a leaf. */
  rowOf(leaf: number): bigint {
    let [low, high] = [0, this.#runs.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.#at(middle).leaf <= leaf) low = middle;
      else high = middle - 1;
    }
    const run = this.#at(low);
    return run.row + BigInt(leaf - run.leaf);
  }

  /** The leaf of a row; undefined while it has no place. */
  leafOf(row: bigint): number | undefined {
    for (let index = this.#runs.length - 1; index >= 0; index--) {
      const { leaf, row: first } = this.#at(index);
      const end = this.#runs[index + 1]?.leaf ?? this.#size;
      if (row >= first && row < first + BigInt(end - leaf)) return leaf + Number(row - first);
    }
    return undefined;
  }

  #reach(frontier: bigint): void {
    if (frontier > this.#frontier) this.#frontier = frontier;
  }

  #begin(run: Run): void {
    if (run.leaf === this.#last.leaf) this.#runs.pop();
    this.#runs.push(run);
  }

  #at(index: number): Run {
    const run = this.#runs[index];
    assert(run, "a sequence has this run");
    return run;
  }

  get #last(): Run {
    return this.#at(this.#runs.length - 1);
  }
}
