import {
  owedBy,
  poolFeeOf,
  type RatedRow,
  type Rating,
  rateRows,
  type Tariff,
  tariffAt,
} from "./tariff.ts";

/** A tariff with the part of the earnings that the pool keeps, in thousandths. */
export interface FeeTariff extends Tariff {
  readonly feePermille: number;
}

/** What rows earned: work credits, the money they are worth, and the pool's fee of it. */
export interface Earned {
  readonly cu: bigint;
  readonly micro: bigint;
  readonly fee: bigint;
  readonly rating: Rating;
}

/**
 * What rows add to what a node earned, and how far it is rated afterwards. Money and fee are
 * differences of cumulative figures, so they are the same however the rows are parted into bookings.
 */
export function earnedBy(
  tariffs: readonly FeeTariff[],
  before: Rating,
  rows: readonly RatedRow[],
): Earned {
  let earned: Earned = { cu: 0n, micro: 0n, fee: 0n, rating: before };
  for (const { period, part } of partsByPeriod(tariffs, rows)) {
    const rating = rateRows(tariffs, earned.rating, part);
    const [from, to] = [owedBy(tariffs, earned.rating), owedBy(tariffs, rating)];
    earned = {
      cu: part.reduce((sum, { cu }) => sum + cu, earned.cu),
      micro: earned.micro + to - from,
      fee: earned.fee + poolFeeOf(to, period.feePermille) - poolFeeOf(from, period.feePermille),
      rating,
    };
  }
  return earned;
}

interface PeriodPart {
  readonly period: FeeTariff;
  readonly part: RatedRow[];
}

/** The rows in their order, parted where another tariff holds. */
function partsByPeriod(
  tariffs: readonly FeeTariff[],
  rows: readonly RatedRow[],
): readonly PeriodPart[] {
  const parts: PeriodPart[] = [];
  for (const row of rows) {
    const period = tariffAt(tariffs, row.slot);
    const last = parts.at(-1);
    if (last?.period === period) last.part.push(row);
    else parts.push({ period, part: [row] });
  }
  return parts;
}
