import type { Clock } from "@/ports/clock.ts";
import { PoolError } from "@/std/errors.ts";
import { networkOf } from "@/std/network.ts";

/** How many failures from one address are borne, and what follows. */
export interface FailureTerms {
  readonly failuresMax: number;
  readonly windowMs: number;
  readonly blockMs: number;
  /** How many addresses are remembered; beyond that the oldest are forgotten. */
  readonly addressesMax: number;
}

interface Failures {
  readonly atMs: readonly number[];
  readonly blockedUntilMs: number;
}

/** Blocks addresses from which too many proofs have failed. Time is monotonic, memory is bounded. */
export class FailureLimit {
  readonly #clock: Clock;
  readonly #terms: FailureTerms;
  readonly #failures = new Map<string, Failures>();

  constructor(clock: Clock, terms: FailureTerms) {
    this.#clock = clock;
    this.#terms = terms;
  }

  /** Refuses an address that is blocked (`access.blocked`). */
  require(address: string): void {
    const until = this.#failures.get(networkOf(address))?.blockedUntilMs ?? 0;
    const leftMs = until - this.#clock.monotonic();
    if (leftMs > 0) throw blocked(Math.ceil(leftMs / 1000));
  }

  /** How many failures from an address count at this moment. */
  recent(address: string): number {
    const since = this.#clock.monotonic() - this.#terms.windowMs;
    const atMs = this.#failures.get(networkOf(address))?.atMs ?? [];
    return atMs.filter((at) => at > since).length;
  }

  /** Counts a failure; true when the address becomes blocked by it. */
  failed(address: string): boolean {
    const now = this.#clock.monotonic();
    const network = networkOf(address);
    const before = this.#failures.get(network);
    const recent = (before?.atMs ?? []).filter((at) => now - at < this.#terms.windowMs);
    const atMs = [...recent, now];
    const isBlocked = atMs.length >= this.#terms.failuresMax;
    const blockedUntilMs = isBlocked ? now + this.#terms.blockMs : (before?.blockedUntilMs ?? 0);
    this.#remember(network, { atMs: isBlocked ? [] : atMs, blockedUntilMs });
    return isBlocked;
  }

  /** How many addresses are blocked now. */
  blockedCount(): number {
    const now = this.#clock.monotonic();
    return [...this.#failures.values()].filter((failures) => failures.blockedUntilMs > now).length;
  }

  /** The newest stands last, so that the first is the one to forget. */
  #remember(network: string, failures: Failures): void {
    this.#failures.delete(network);
    const [oldest] = this.#failures.keys();
    if (oldest !== undefined && this.#failures.size >= this.#terms.addressesMax) {
      this.#failures.delete(oldest);
    }
    this.#failures.set(network, failures);
  }
}

/** The refusal of whoever has failed too often. */
export function blocked(retryAfterSeconds: number): PoolError {
  return new PoolError(
    "exhausted",
    "access.blocked",
    "Too many attempts from this address have failed. Wait, check the token, then try again.",
    { retryAfterSeconds },
  );
}
