import type { Clock } from "@/ports/clock.ts";
import { isRefusal, PoolError } from "@/std/errors.ts";
import { networkOf } from "@/std/network.ts";
import { blocked, FailureLimit } from "../failure-limit.ts";

/** How many failed sign-ins are borne within which time, and for how long nobody may try then. */
export interface LoginTerms {
  readonly burst: {
    readonly failuresMax: number;
    readonly windowMs: number;
    readonly blockMs: number;
  };
  readonly day: {
    readonly failuresMax: number;
    readonly windowMs: number;
    readonly blockMs: number;
  };
  /** Failures in a row of one person from one address. */
  readonly inRow: { readonly failuresMax: number; readonly blockMs: number };
  /** How many addresses are remembered; beyond that the oldest are forgotten. */
  readonly addressesMax: number;
}

interface Row {
  readonly failures: number;
  readonly blockedUntilMs: number;
}

/**
 * Who guesses is kept out by his address, never the person by his name: the same person gets in from
 * anywhere else. Attempts under way count like failures, so that many at once are no way around.
 */
export class LoginLimit {
  readonly #clock: Clock;
  readonly #terms: LoginTerms;
  readonly #burst: FailureLimit;
  readonly #day: FailureLimit;
  readonly #rows = new Map<string, Row>();
  /** Who got in from where. */
  readonly #welcome = new Map<string, true>();
  readonly #underWay = new Map<string, number>();

  constructor(clock: Clock, terms: LoginTerms) {
    const { addressesMax } = terms;
    this.#clock = clock;
    this.#terms = terms;
    this.#burst = new FailureLimit(clock, { ...terms.burst, addressesMax });
    this.#day = new FailureLimit(clock, { ...terms.day, addressesMax });
  }

  /** Lets somebody try, unless this address (`access.blocked`) or too many of it at once did. */
  async attempt<Value>(name: string, address: string, act: () => Promise<Value>): Promise<Value> {
    const network = networkOf(address);
    const row = `${network} ${name}`;
    this.#require(network, row);
    this.#count(network, 1);
    try {
      const value = await act();
      this.#rows.delete(row);
      this.#remember(this.#welcome, row, true);
      return value;
    } catch (error) {
      if (isRefusal(error) && error.kind === "unauthenticated") this.#failed(network, row);
      throw error;
    } finally {
      this.#count(network, -1);
    }
  }

  /**
   * Where somebody stands in a queue: first who got in from there before, then who has failed less
   * within a day and has fewer attempts under way.
   */
  rank(name: string, address: string): number {
    const network = networkOf(address);
    if (this.#welcome.has(`${network} ${name}`)) return 0;
    return this.#day.recent(network) + (this.#underWay.get(network) ?? 0);
  }

  /** How many addresses are blocked now. */
  blockedCount(): number {
    return this.#burst.blockedCount() + this.#day.blockedCount();
  }

  #require(network: string, row: string): void {
    this.#day.require(network);
    this.#burst.require(network);
    const leftMs = (this.#rows.get(row)?.blockedUntilMs ?? 0) - this.#clock.monotonic();
    if (leftMs > 0) throw blocked(Math.ceil(leftMs / 1000));
    const underWay = this.#underWay.get(network) ?? 0;
    if (this.#burst.recent(network) + underWay >= this.#terms.burst.failuresMax) throw oneByOne();
  }

  #failed(network: string, row: string): void {
    const { failuresMax, blockMs } = this.#terms.inRow;
    this.#burst.failed(network);
    this.#day.failed(network);
    const failures = (this.#rows.get(row)?.failures ?? 0) + 1;
    const isBlocked = failures >= failuresMax;
    const blockedUntilMs = isBlocked ? this.#clock.monotonic() + blockMs : 0;
    this.#remember(this.#rows, row, { failures: isBlocked ? 0 : failures, blockedUntilMs });
  }

  /** The newest stands last, so that the first is the one to forget. */
  #remember<Value>(all: Map<string, Value>, row: string, value: Value): void {
    all.delete(row);
    const [oldest] = all.keys();
    if (oldest !== undefined && all.size >= this.#terms.addressesMax) all.delete(oldest);
    all.set(row, value);
  }

  #count(network: string, by: number): void {
    const now = (this.#underWay.get(network) ?? 0) + by;
    if (now > 0) this.#underWay.set(network, now);
    else this.#underWay.delete(network);
  }
}

function oneByOne(): PoolError {
  return new PoolError(
    "exhausted",
    "access.busy",
    "Too many attempts from this address are under way. Wait for their answers, then try again.",
    { retryAfterSeconds: 2 },
  );
}
