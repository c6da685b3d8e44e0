/** What the person who runs the bench may choose. */
export interface BenchOptions {
  /** Fewer and shorter rounds: to see that it works. */
  readonly short: boolean;
  readonly database: "sqlite" | "postgres";
  /** A folder on the disk to measure; it is removed at the end. */
  readonly folder: string;
}

/** What was measured, beside what it is measured against. */
export interface Measured {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly baseline?: { readonly name: string; readonly value: number };
  /** A goal for the ratio of value and baseline, or for the value itself. */
  readonly goal: Goal;
  /** How it was measured, and what else was seen. */
  readonly notes: readonly string[];
}

/** At least or at most so much. */
export interface Goal {
  readonly of: "ratio" | "value";
  readonly least?: number;
  readonly most?: number;
}

/** One figure of the bench. */
export interface Figure {
  /** For `--only`. */
  readonly name: string;
  readonly measure: (options: BenchOptions) => Promise<readonly Measured[]>;
}

/** Value over baseline; undefined without one. */
export function ratioOf({ value, baseline }: Measured): number | undefined {
  return baseline && value / baseline.value;
}

/** By which factor a goal is missed; undefined when it is met. */
export function missedBy(measured: Measured): number | undefined {
  const { goal, value } = measured;
  const found = goal.of === "ratio" ? (ratioOf(measured) ?? Number.NaN) : value;
  if (goal.least !== undefined && !(found >= goal.least)) return goal.least / found;
  if (goal.most !== undefined && !(found <= goal.most)) return found / goal.most;
  return undefined;
}

/** The middle one. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const [low, high] = [(sorted.length - 1) >> 1, sorted.length >> 1];
  return ((sorted[low] ?? Number.NaN) + (sorted[high] ?? Number.NaN)) / 2;
}

/** The value below which this share of all values lies. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** A figure with as many digits as it is worth. */
export function shown(value: number): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return value.toLocaleString("en", { maximumFractionDigits: digits });
}
