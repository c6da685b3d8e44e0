import { signInBusy } from "./refusals.ts";

/** How many hashes are made at once, and how many more may wait. */
export interface HashTerms {
  readonly atOnce: number;
  readonly waitingMax: number;
}

interface Waiting {
  readonly rank: number;
  readonly go: () => void;
  readonly giveUp: (why: Error) => void;
}

/**
 * Slow hashes take memory, so few are made at once and a bounded number waits. Who has
 * the lower rank goes first, and a full queue drops who has the highest: a flood of guesses does not
 * keep people out.
 */
export class HashQueue {
  readonly #terms: HashTerms;
  readonly #waiting: Waiting[] = [];
  #running = 0;

  constructor(terms: HashTerms) {
    this.#terms = terms;
  }

  /** Runs once there is room; refused (`access.busy`) when others of no higher rank fill the queue. */
  async run<Value>(rank: number, hash: () => Promise<Value>): Promise<Value> {
    if (this.#running < this.#terms.atOnce) this.#running += 1;
    else await this.#room(rank);
    try {
      return await hash();
    } finally {
      const next = this.#waiting.shift();
      if (next) next.go();
      else this.#running -= 1;
    }
  }

  /** Whoever ends hands its place over. */
  #room(rank: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const found = this.#waiting.findIndex((other) => other.rank > rank);
    const at = found < 0 ? this.#waiting.length : found;
    this.#waiting.splice(at, 0, { rank, go: resolve, giveUp: reject });
    if (this.#waiting.length > this.#terms.waitingMax) this.#waiting.pop()?.giveUp(signInBusy());
    return promise;
  }
}
