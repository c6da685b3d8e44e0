import { type Outcome, type RunTerms, run } from "./run.ts";

/** Runs tried at most, so that a report does not take for ever. */
const TRIES_MAX = 400;

/** What is left of a failing run when every fault is left out that it does not need. */
export interface Minimal {
  readonly outcome: Outcome;
  readonly tries: number;
}

/**
 * Delta debugging over the faults that happened: leaves out ever smaller parts of them as long as the
 * same promise is broken. A fault that is left out leaves the luck of all others as it was.
 */
export function minimise(terms: RunTerms, failed: Outcome): Minimal {
  const search = new Search(terms, failed);
  for (let parts = 2; parts > 0; ) parts = search.narrow(parts);
  return { outcome: search.best, tries: search.tries };
}

class Search {
  best: Outcome;
  tries = 0;
  readonly #terms: RunTerms;
  readonly #check: string | undefined;
  #without: ReadonlySet<string>;

  constructor(terms: RunTerms, failed: Outcome) {
    this.#terms = terms;
    this.best = failed;
    this.#check = failed.violation?.check;
    this.#without = new Set(terms.without);
  }

  /** Leaves out one of so many parts; the number of parts to try next, 0 when there is no use. */
  narrow(parts: number): number {
    const names = this.best.faults.map(({ name }) => name);
    const size = Math.ceil(names.length / parts);
    for (let from = 0; from < names.length && this.tries < TRIES_MAX; from += size)
      if (this.#failsWithout(names.slice(from, from + size))) return Math.max(2, parts - 1);
    const isDone = size <= 1 || this.tries >= TRIES_MAX;
    return isDone ? 0 : Math.min(names.length, parts * 2);
  }

  #failsWithout(names: readonly string[]): boolean {
    const without = new Set([...this.#without, ...names]);
    const outcome = run({ ...this.#terms, without });
    this.tries++;
    if (outcome.violation?.check !== this.#check) return false;
    this.best = outcome;
    this.#without = without;
    return true;
  }
}
