/** A failed run is tried again so soon. */
const RETRY_MS = 60_000;

/** When payouts run: where the interval begins on the pool's clock, in UTC. */
export class Schedule {
  readonly #intervalMs: number;
  #nextMs: number;

  /** `lastMs` is when it ran last, if it ever did: a run missed while the pool was off is made up. */
  constructor(
    intervalMs: number,
    { nowMs, lastMs }: { nowMs: number; lastMs: number | undefined },
  ) {
    this.#intervalMs = intervalMs;
    this.#nextMs = this.#boundaryAfter(lastMs ?? nowMs);
  }

  /** When it runs next; now, when a run was missed. A clock that was set back is not waited for. */
  nextAtMs(nowMs: number): number {
    const isAhead = this.#nextMs > nowMs + this.#intervalMs;
    if (isAhead) this.#nextMs = this.#boundaryAfter(nowMs);
    return Math.max(this.#nextMs, nowMs);
  }

  /** How long it is overdue. */
  overdueMs(nowMs: number): number {
    return Math.max(0, nowMs - this.#nextMs);
  }

  isDue(nowMs: number): boolean {
    return this.nextAtMs(nowMs) <= nowMs;
  }

  /** It ran. */
  ran(nowMs: number): void {
    this.#nextMs = this.#boundaryAfter(nowMs);
  }

  /** It failed, and is tried again soon. */
  failed(nowMs: number): void {
    this.#nextMs = Math.min(this.#boundaryAfter(nowMs), nowMs + RETRY_MS);
  }

  #boundaryAfter(ms: number): number {
    return (Math.floor(ms / this.#intervalMs) + 1) * this.#intervalMs;
  }
}
