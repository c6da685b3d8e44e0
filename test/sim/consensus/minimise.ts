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
  const check = failed.violation?.check;
  let best = failed;
  let without: ReadonlySet<string> = new Set(terms.without);
  let tries = 0;
  let parts = 2;
  while (tries < TRIES_MAX) {
    const names = best.faults.map(({ name }) => name);
    if (names.length === 0) break;
    const size = Math.ceil(names.length / parts);
    let smaller: Outcome | undefined;
    for (let from = 0; from < names.length && !smaller && tries < TRIES_MAX; from += size) {
      const fewer = new Set([...without, ...names.slice(from, from + size)]);
      const outcome = run({ ...terms, without: fewer });
      tries++;
      if (outcome.violation?.check !== check) continue;
      smaller = outcome;
      without = fewer;
    }
    if (smaller) {
      best = smaller;
      parts = Math.max(2, parts - 1);
    } else if (size === 1) break;
    else parts = Math.min(names.length, parts * 2);
  }
  return { outcome: best, tries };
}
