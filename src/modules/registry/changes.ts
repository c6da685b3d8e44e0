import type { NodeId, PoolId } from "@/core/ids.ts";
import { PoolError } from "@/std/errors.ts";

/** How many changes are remembered for those who watch. */
const CHANGES_MAX = 16_384;
/** How many may watch at once. */
const WATCHERS_MAX = 1_000;
/** A version is the epoch of a run, then this many bits of number. */
const NUMBER_BITS = 40n;
const NUMBER_MASK = (1n << NUMBER_BITS) - 1n;

/** That a node changed; what it is now is looked up when it is told. */
export interface Change {
  readonly id: NodeId;
  /** The pool it was in before. */
  readonly pool: PoolId;
  /** It may match other filters now: membership, pool, specialization or org changed. */
  readonly reshaped: boolean;
}

/**
 * The newest changes, numbered. Watchers keep a position and read on from it, so that a slow one
 * costs no memory: when its position is forgotten it is cut.
 */
export class Changes {
  readonly #epoch: bigint;
  readonly #ring: Change[] = [];
  readonly #max: number;
  /** The number of the newest change. */
  #newest = 0;
  #watchers = 0;
  #wake = Promise.withResolvers<void>();

  /** The epoch tells the numbers of this run from those of another. */
  constructor(epoch: number, max = CHANGES_MAX) {
    this.#epoch = BigInt(epoch);
    this.#max = max;
  }

  /** A number as watchers keep it across runs. */
  versionOf(number: number): bigint {
    return (this.#epoch << NUMBER_BITS) | BigInt(number);
  }

  /** The number of a version, if everything that followed it is still known. */
  numberOf(version: bigint): number | undefined {
    if (version >> NUMBER_BITS !== this.#epoch) return undefined;
    const number = Number(version & NUMBER_MASK);
    return this.reaches(number) ? number : undefined;
  }

  get newest(): number {
    return this.#newest;
  }

  add(change: Change): void {
    this.#newest += 1;
    this.#ring[this.#newest % this.#max] = change;
    if (this.#watchers === 0) return;
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }

  /** Whether all changes after this number are still known. */
  reaches(number: number): boolean {
    return number <= this.#newest && number >= this.#newest - Math.min(this.#newest, this.#max);
  }

  /** The change of a number; refuses one that is forgotten (`watch.too_slow`). */
  at(number: number): Change {
    const change = this.reaches(number - 1) ? this.#ring[number % this.#max] : undefined;
    if (!change) throw watchTooSlow();
    return change;
  }

  /** Counts one more watcher; the answer counts it out again. */
  enter(): () => void {
    if (this.#watchers >= WATCHERS_MAX) throw watchTooMany();
    this.#watchers += 1;
    let left = false;
    return () => {
      if (!left) this.#watchers -= 1;
      left = true;
    };
  }

  /** Waits until a change follows this number, or the signal ends it. */
  async after(number: number, signal: AbortSignal): Promise<void> {
    if (this.#newest > number || signal.aborted) return;
    const ended = Promise.withResolvers<void>();
    const end = () => ended.resolve();
    signal.addEventListener("abort", end, { once: true });
    await Promise.race([this.#wake.promise, ended.promise]);
    signal.removeEventListener("abort", end);
  }
}

const watchTooSlow = () =>
  new PoolError(
    "exhausted",
    "watch.too_slow",
    "This watcher fell too far behind; watch again from version 0 to get a snapshot.",
  );

const watchTooMany = () =>
  new PoolError(
    "exhausted",
    "watch.too_many",
    `More than ${WATCHERS_MAX} watch already; try again later.`,
    { retryAfterSeconds: 30 },
  );
