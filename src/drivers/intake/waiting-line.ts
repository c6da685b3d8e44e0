/** What one class may have under way and waiting. */
export interface LineTerms {
  readonly atOnce: number;
  readonly waiting: number;
  readonly ageMs: number;
}

/** Why something was shed. */
export type ShedReason = "full" | "old" | "lag" | "memory";

interface Waiting {
  readonly sinceMs: number;
  readonly go: () => void;
  readonly shed: (reason: ShedReason) => void;
}

/** In a line that has not been empty for its age limit, only this part of the limit is borne. */
const STANDING_SHARE = 10;

/**
 * The places of one class and who waits for one. As with CoDel a short burst may wait for long, while
 * a standing line is cut: what is too old by then would be answered to nobody.
 */
export class WaitingLine {
  readonly #terms: LineTerms;
  readonly #waiting: Waiting[] = [];
  #atWork = 0;
  #emptyMs = 0;

  constructor(terms: LineTerms) {
    this.#terms = terms;
  }

  get atWork(): number {
    return this.#atWork;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Whether there is a place, and nobody to pass by taking it. */
  get isFree(): boolean {
    return this.#waiting.length === 0 && this.#atWork < this.#terms.atOnce;
  }

  /** Whether there is a place for who comes now; half of them are left to those who wait. */
  get isPassable(): boolean {
    return this.isFree || this.#atWork < Math.floor(this.#terms.atOnce / 2);
  }

  get canServe(): boolean {
    return this.#waiting.length > 0 && this.#atWork < this.#terms.atOnce;
  }

  /** How long the first has waited. */
  ageMs(nowMs: number): number {
    return nowMs - (this.#waiting[0]?.sinceMs ?? nowMs);
  }

  take(): void {
    this.#atWork++;
  }

  leave(): void {
    this.#atWork--;
  }

  /** Whether there was room to wait. */
  wait(waiting: Waiting): boolean {
    if (this.#waiting.length >= this.#terms.waiting) return false;
    if (this.#waiting.length === 0) this.#emptyMs = waiting.sinceMs;
    this.#waiting.push(waiting);
    return true;
  }

  /** Lets the first in that is not too old. */
  serve(nowMs: number): void {
    this.shedOld(nowMs);
    const next = this.#waiting.shift();
    if (this.#waiting.length === 0) this.#emptyMs = nowMs;
    if (!next) return;
    this.#atWork++;
    next.go();
  }

  /** Sends away who has waited for too long. */
  shedOld(nowMs: number): void {
    const { ageMs } = this.#terms;
    const isStanding = nowMs - this.#emptyMs > ageMs;
    const bearMs = isStanding ? ageMs / STANDING_SHARE : ageMs;
    while (this.#waiting.length > 0 && this.ageMs(nowMs) > bearMs) {
      this.#waiting.shift()?.shed("old");
    }
    if (this.#waiting.length === 0) this.#emptyMs = nowMs;
  }
}
