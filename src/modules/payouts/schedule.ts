/** A failed run is tried again so soon. */
const RETRY_MS = 60_000;

/** When payouts run: where the interval begins on the pool's clock, in UTC. */
export class Schedule {
  readonly #intervalMs: number;
  #nextMs: number | undefined;
  #lastMs: number | undefined;

  /** `lastMs` is when it ran last, if it ever did: a run missed while the pool was off is made up. */
  constructor(intervalMs: number, lastMs: number | undefined) {
    this.#intervalMs = intervalMs;
    this.#lastMs = lastMs;
  }

  /** When it runs next; now, when a run was missed. */
  nextAtMs(nowMs: number): number {
    const known = this.#nextMs ?? this.#boundaryAfter(this.#lastMs ?? nowMs);
    const isAhead = known > nowMs + this.#intervalMs;
    this.#nextMs = isAhead ? this.#boundaryAfter(nowMs) : known;
    return Math.max(this.#nextMs, nowMs);
  }

  /** How long it is overdue. */
  overdueMs(nowMs: number): number {
    return Math.max(0, nowMs - (this.#nextMs ?? nowMs));
  }

  isDue(nowMs: number): boolean {
    return this.nextAtMs(nowMs) <= nowMs;
  }

  /** It ran. */
  ran(nowMs: number): void {
    this.#lastMs = nowMs;
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
