import { assert } from "@/std/assert.ts";
import { PoolError } from "@/std/errors.ts";

/** One operational hour at weight 1.000 and health 1.000, in work credits. */
export const HOUR = 3_600_000_000n;
/** The highest weight a specialization may have, in thousandths. */
export const WEIGHT_MAX = 10_000;
/** Below this health, in thousandths, work earns nothing. */
export const HEALTH_MIN = 500;

const WEIGHT_DEFAULT = 1_000;

/** What an hour is worth from a slot on. Tariffs are only ever appended; history is never re-rated. */
export interface Tariff {
  readonly fromSlot: number;
  /** Millionths of one USDT per operational hour. */
  readonly microPerHour: bigint;
  /** Thousandths by specialization; what is not named weighs 1000. */
  readonly weights: Readonly<Record<string, number>>;
}

/** Ticks of a node with what they weigh; `slotSeconds` is T of poot.md. */
export interface Work {
  readonly ticks: number;
  readonly slotSeconds: number;
  readonly weight: number;
  readonly health: number;
}

/** How far a node's work is rated: what it was owed when the tariff period began, and work since. */
export interface Rating {
  readonly fromSlot: number;
  readonly base: bigint;
  readonly cu: bigint;
}

/** A credit row to be rated: the slot decides which tariff applies. */
export interface RatedRow {
  readonly slot: number;
  readonly cu: bigint;
}

/** Work credits of a credit row: ticks × T × weight × health, an integer. */
export function cuOf({ ticks, slotSeconds, weight, health }: Work): bigint {
  assert(weight >= 0 && weight <= WEIGHT_MAX, `weight ${weight} out of range`);
  assert(health >= 0 && health <= 1_000, `health ${health} out of range`);
  if (health < HEALTH_MIN) return 0n;
  return BigInt(ticks) * BigInt(slotSeconds) * BigInt(weight) * BigInt(health);
}

/** The weight of a specialization, in thousandths. */
export function weightOf(tariff: Tariff, specialization: string): number {
  if (!Object.hasOwn(tariff.weights, specialization)) return WEIGHT_DEFAULT;
  return tariff.weights[specialization] ?? WEIGHT_DEFAULT;
}

/** The tariff of a slot: the last one that begins no later. The first one also covers what was before. */
export function tariffAt<T extends Tariff>(tariffs: readonly T[], slot: number): T {
  const tariff = tariffs.findLast(({ fromSlot }) => fromSlot <= slot) ?? tariffs[0];
  assert(tariff, "there is a tariff");
  return tariff;
}

/** A node that has earned nothing yet. */
export function firstRating(tariffs: readonly Tariff[], slot: number): Rating {
  return { fromSlot: tariffAt(tariffs, slot).fromSlot, base: 0n, cu: 0n };
}

/**
 * What a node was ever owed: cumulative, with one floor for a whole tariff period, so that however
 * often it is booked, nothing but a fraction below one millionth per period is lost.
 */
export function owedBy(tariffs: readonly Tariff[], rating: Rating): bigint {
  const { microPerHour } = tariffAt(tariffs, rating.fromSlot);
  return rating.base + (rating.cu * microPerHour) / HOUR;
}

/** Rates rows by the tariff at their slots; another tariff begins a new period at what was owed then. */
export function rateRows(
  tariffs: readonly Tariff[],
  rating: Rating,
  rows: readonly RatedRow[],
): Rating {
  let { fromSlot, base, cu } = rating;
  for (const row of rows) {
    const period = tariffAt(tariffs, row.slot).fromSlot;
    if (period !== fromSlot) {
      base = owedBy(tariffs, { fromSlot, base, cu });
      fromSlot = period;
      cu = 0n;
    }
    cu += row.cu;
  }
  return { fromSlot, base, cu };
}

/** What rows add to what a node is owed, and how far it is rated afterwards. */
export function accrualOf(
  tariffs: readonly Tariff[],
  rating: Rating,
  rows: readonly RatedRow[],
): { readonly micro: bigint; readonly cu: bigint; readonly rating: Rating } {
  const after = rateRows(tariffs, rating, rows);
  const micro = owedBy(tariffs, after) - owedBy(tariffs, rating);
  return { micro, cu: rows.reduce((sum, row) => sum + row.cu, 0n), rating: after };
}

/** The pool's part of an accrual, rounded in favour of the node. */
export function poolFeeOf(micro: bigint, permille: number): bigint {
  assert(Number.isInteger(permille) && permille >= 0 && permille <= 1_000, "fee out of range");
  return (micro * BigInt(permille)) / 1_000n;
}

/** Where a tariff may begin: no slot before `firstOpenSlot`, and only where an interval begins. */
export interface TariffTerms {
  readonly firstOpenSlot: number;
  readonly slotsPerInterval: number;
}

/** The tariffs with one more; refuses one that would change what is rated already. */
export function appendTariff(
  tariffs: readonly Tariff[],
  tariff: Tariff,
  { firstOpenSlot, slotsPerInterval }: TariffTerms,
): readonly Tariff[] {
  requireTariff(tariff);
  const after = Math.max(firstOpenSlot, (tariffs.at(-1)?.fromSlot ?? -1) + 1);
  if (tariff.fromSlot < after) throw tariffTooEarly(tariff.fromSlot, after);
  if (tariff.fromSlot % slotsPerInterval !== 0) throw tariffInsideInterval(tariff.fromSlot);
  return [...tariffs, tariff];
}

/** What an estimate needs: what there is, what is wanted, and how fast it grows. */
export interface Pace {
  readonly balance: bigint;
  readonly threshold: bigint;
  readonly microPerHour: bigint;
  readonly weight: number;
  readonly health: number;
}

/** Seconds of operation until the balance reaches the threshold; undefined when it never will. */
export function secondsToThreshold(pace: Pace): number | undefined {
  const missing = pace.threshold - pace.balance;
  if (missing <= 0n) return 0;
  const perSecond = cuOf({ ...pace, ticks: 1, slotSeconds: 1 }) * pace.microPerHour;
  return perSecond === 0n ? undefined : Number((missing * HOUR + perSecond - 1n) / perSecond);
}

function requireTariff({ microPerHour, weights }: Tariff): void {
  if (microPerHour < 0n) {
    throw new PoolError("invalid", "tariff.rate_negative", "An hour cannot be worth less than 0.");
  }
  for (const [specialization, weight] of Object.entries(weights)) {
    if (!Number.isInteger(weight) || weight < 0 || weight > WEIGHT_MAX) {
      throw new PoolError(
        "invalid",
        "tariff.weight_out_of_range",
        `The weight of ${specialization} must be a whole number from 0 to ${WEIGHT_MAX}.`,
      );
    }
  }
}

const tariffTooEarly = (slot: number, first: number) =>
  new PoolError(
    "precondition",
    "tariff.too_early",
    `A tariff from slot ${slot} would change what is rated already; begin at slot ${first} or later.`,
    { firstSlot: first },
  );

const tariffInsideInterval = (slot: number) =>
  new PoolError(
    "invalid",
    "tariff.inside_interval",
    `Slot ${slot} is inside an interval; a tariff begins where an interval begins.`,
  );
