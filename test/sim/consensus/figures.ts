import { type BatchSum, EVENTS_USUAL } from "./batch.ts";
import { FAULT_SORTS } from "./faults.ts";

/** What was run, how fast, what went wrong on purpose and what was promised and kept, in words. */
export function figuresOf(sum: BatchSum, seconds: number): readonly string[] {
  const { seeds, violations, failed, tally, faults, sizes, periods, eventsMax, long, recovery } =
    sum;
  const rate = (count: number): string => (count / Math.max(seconds, 0.001)).toFixed(0);
  const parts = (counts: Readonly<Record<string, number>>): string =>
    Object.entries(counts)
      .map(([name, count]) => `${name}: ${count}`)
      .join(", ");
  const happened = FAULT_SORTS.map((sort) => `${faults[sort]} ${FAULT_WORDS[sort]}`).join(", ");
  return [
    `${rate(seeds)} seeds/s, ${rate(tally.events)} events/s, ` +
      `${(tally.events / Math.max(1, seeds)).toFixed(0)} events a seed, ${eventsMax} at most, ` +
      `more than ${EVENTS_USUAL} in ${long}`,
    `validators ${parts(sizes)}; E ${parts(periods)}`,
    `${happened}; ${tally.restarts} restarts, ${tally.lost} messages lost or cut off`,
    `${tally.commits} commits, ${tally.timeouts} wishes, ${tally.evidence} offences shown, ${tally.heard} of them due`,
    `${tally.followed} timeouts followed by all, ${tally.backed} proposals of honest leaders backed`,
    `the slowest recovery took ${(100 * recovery).toFixed(0)} % of the time it has, (f + 2) τ_max and more for a backlog`,
    ...(failed.length > 0 ? [`seeds that failed: ${failed.join(" ")}`] : []),
    `${seeds} seeds, ${tally.events} events, ${violations} violations`,
  ];
}

const FAULT_WORDS = {
  lose: "messages lost",
  repeat: "repeated",
  delay: "late",
  cut: "partitions",
  crash: "crashes around a send or a sync",
  torn: "of them with a torn log",
  disk: "disks rotten, full, stale or wiped",
  behind: "chains behind their record at a start",
  clock: "clocks wrong",
  lie: "Byzantine acts",
} as const;
