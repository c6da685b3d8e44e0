import { describeFault } from "./faults.ts";
import { minimise } from "./minimise.ts";
import { type Outcome, type RunTerms, run } from "./run.ts";

const EVENTS_SHOWN = 200;
const FAULTS_SHOWN = 200;

/** Everything one needs to understand a seed that failed, and to run it again. */
export function reportOf(terms: RunTerms, failed: Outcome, command: string): string {
  const { outcome, tries } = minimise(terms, failed);
  const faults = outcome.faults.map(describeFault);
  return [
    `seed ${terms.seed}: ${failed.violation?.message ?? "no violation"}`,
    `again: ${command}`,
    `options: ${JSON.stringify(failed.options)}`,
    `the last ${EVENTS_SHOWN} events:`,
    ...failed.lastEvents(EVENTS_SHOWN),
    `of ${failed.faults.length} faults these ${faults.length} are enough (${tries} runs):`,
    ...faults.slice(-FAULTS_SHOWN),
    `and end with: ${outcome.violation?.message ?? "no violation"}`,
    ...outcome.lastEvents(40),
  ].join("\n");
}

/** Whether a second run of the same seed is the same run (S14). */
export function isRepeatable(terms: RunTerms, first: Outcome): boolean {
  return run(terms).hash === first.hash;
}
