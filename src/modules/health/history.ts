import type { HostSample } from "@/ports/host.ts";

const FINE_MAX = 240;
const COARSE_MAX = 288;
const COARSE_MS = 300_000;
const DAY_MS = 86_400_000;
const RATE_AFTER_MS = 600_000;

/** Readings of this board: the last 240 as they came, and one in five minutes for a day. Bounded. */
export class HostHistory {
  readonly #fine: HostSample[] = [];
  readonly #coarse: HostSample[] = [];
  #first: HostSample | undefined;

  /** Keeps a reading and forgets the oldest. */
  add(sample: HostSample): void {
    this.#first ??= sample;
    this.#fine.push(sample);
    if (this.#fine.length > FINE_MAX) this.#fine.shift();
    const last = this.#coarse.at(-1);
    if (last && Math.abs(sample.atMs - last.atMs) < COARSE_MS) return;
    this.#coarse.push(sample);
    if (this.#coarse.length > COARSE_MAX) this.#coarse.shift();
  }

  /** The newest reading. */
  latest(): HostSample | undefined {
    return this.#fine.at(-1);
  }

  /** Readings in a span of time, oldest first: every one while kept, else one in five minutes. */
  between(fromMs: number, toMs: number): readonly HostSample[] {
    const fineFrom = this.#fine[0]?.atMs ?? 0;
    const older = this.#coarse.filter(({ atMs }) => atMs < fineFrom);
    return [...older, ...this.#fine].filter(({ atMs }) => atMs >= fromMs && atMs <= toMs);
  }

  /** Bytes written to disk in a day at the rate since the start; null in the first ten minutes. */
  writtenBytesPerDay(): number | null {
    const [first, last] = [this.#first, this.latest()];
    if (!first || !last || last.writtenBytes === null || first.writtenBytes === null) return null;
    const passedMs = last.atMs - first.atMs;
    if (passedMs < RATE_AFTER_MS) return null;
    return Math.round(((last.writtenBytes - first.writtenBytes) * DAY_MS) / passedMs);
  }
}
