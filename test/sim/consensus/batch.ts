import { theCore } from "./core.ts";
import { addFaults, type FaultCounts, noFaults } from "./faults.ts";
import { type Fixed, longSizeOf } from "./options.ts";
import { isRepeatable, reportOf } from "./report.ts";
import { type Outcome, type RunTerms, run } from "./run.ts";
import { EMPTY_TALLY, type Tally } from "./run-watch.ts";
import { longTwinsOf, twinsOf } from "./twins.ts";
import { Violation } from "./violation.ts";

/**
 * How many validators there are. Null leaves it to the seed, "long" too, but with more than seven now
 * and then, for which a test that has to be short has no time.
 */
export type Nodes = number | "long" | null;

/** Which seeds of which sort are run. */
export interface BatchTerms {
  readonly from: number;
  /** The first seed that is not run any more. */
  readonly to: number;
  readonly nodes: Nodes;
  readonly isTwins: boolean;
}

/** What came of some seeds; of what failed there is a report for the first ones only. */
export interface BatchSum {
  readonly seeds: number;
  readonly violations: number;
  readonly failed: readonly number[];
  readonly reports: readonly string[];
  readonly tally: Tally;
  readonly faults: FaultCounts;
  /** How many seeds had so many validators, and how many each parameter E. */
  readonly sizes: Counts;
  readonly periods: Counts;
  /** The most events of one seed. */
  readonly eventsMax: number;
  /** Seeds of more events than one should have. */
  readonly long: number;
  /** The longest recovery, as a part of what it may take. */
  readonly recovery: number;
}

type Counts = Readonly<Record<string, number>>;

export const EMPTY_SUM: BatchSum = {
  seeds: 0,
  violations: 0,
  failed: [],
  reports: [],
  tally: EMPTY_TALLY,
  faults: noFaults(),
  sizes: {},
  periods: {},
  eventsMax: 0,
  long: 0,
  recovery: 0,
};

/** Every so many seeds one is run twice and has to come out the same (S14). */
const TWICE_EVERY = 100;
/** Events of a seed that are enough to tell its story. */
export const EVENTS_USUAL = 3_000;
const REPORTS_MAX = 3;
const FAILED_MAX = 50;

/** The run of one seed. */
export function termsOf(
  seed: number,
  { nodes, isTwins }: Omit<BatchTerms, "from" | "to">,
): RunTerms {
  const n = sizeOf(seed, { nodes, isTwins });
  const fixed: Fixed = isTwins ? twinsOf(seed, n ?? 4) : n === null ? {} : { n };
  return { seed, core: theCore, fixed };
}

function sizeOf(seed: number, { nodes, isTwins }: Omit<BatchTerms, "from" | "to">): number | null {
  if (nodes !== "long") return nodes;
  return isTwins ? longTwinsOf(seed) : longSizeOf(seed);
}

/** Runs some seeds; `each` hears of the sum so far after each. */
export function runBatch(terms: BatchTerms, each: (sum: BatchSum) => void = () => {}): BatchSum {
  let sum = EMPTY_SUM;
  for (let seed = terms.from; seed < terms.to; seed++) {
    sum = add(sum, sumOf(termsOf(seed, terms), commandOf(seed, terms), sum.violations));
    each(sum);
  }
  return sum;
}

function sumOf(terms: RunTerms, command: string, earlier: number): BatchSum {
  const outcome = checkedTwice(terms, run(terms));
  const { violation, tally, recovery, counts, options } = outcome;
  const sum: BatchSum = {
    ...EMPTY_SUM,
    seeds: 1,
    tally,
    faults: counts,
    sizes: { [options.n]: 1 },
    periods: { [options.syncPeriod]: 1 },
    eventsMax: tally.events,
    long: tally.events > EVENTS_USUAL ? 1 : 0,
  };
  if (!violation) return { ...sum, recovery };
  const reports = earlier < REPORTS_MAX ? [reportOf(terms, outcome, command)] : [];
  return { ...sum, violations: 1, failed: [terms.seed], reports };
}

function checkedTwice(terms: RunTerms, outcome: Outcome): Outcome {
  if (terms.seed % TWICE_EVERY !== 0 || isRepeatable(terms, outcome)) return outcome;
  const violation = new Violation("S14", "the same seed gives another run");
  return { ...outcome, violation: outcome.violation ?? violation };
}

/** How to run a seed again. */
export function commandOf(
  seed: number,
  { nodes, isTwins }: Omit<BatchTerms, "from" | "to">,
): string {
  const n = sizeOf(seed, { nodes, isTwins });
  const options = [...(n === null ? [] : ["--nodes", n]), ...(isTwins ? ["--twins"] : [])];
  return ["npm run sim -- --replay", seed, ...options].join(" ");
}

/** Two sums in one. */
export function add(a: BatchSum, b: BatchSum): BatchSum {
  const tally = { ...a.tally };
  for (const name of Object.keys(tally) as (keyof Tally)[]) tally[name] += b.tally[name];
  return {
    seeds: a.seeds + b.seeds,
    violations: a.violations + b.violations,
    failed: [...a.failed, ...b.failed].slice(0, FAILED_MAX),
    reports: [...a.reports, ...b.reports].slice(0, REPORTS_MAX),
    tally,
    faults: addFaults(a.faults, b.faults),
    sizes: addCounts(a.sizes, b.sizes),
    periods: addCounts(a.periods, b.periods),
    eventsMax: Math.max(a.eventsMax, b.eventsMax),
    long: a.long + b.long,
    recovery: Math.max(a.recovery, b.recovery),
  };
}

function addCounts(a: Counts, b: Counts): Counts {
  const sum: Record<string, number> = { ...a };
  for (const [name, count] of Object.entries(b)) sum[name] = (sum[name] ?? 0) + count;
  return sum;
}
