import { describe, expect, test } from "bun:test";
import { earnedBy, type FeeTariff } from "@/core/earning.ts";
import { firstRating, HOUR, type RatedRow } from "@/core/tariff.ts";

const tariffs: readonly FeeTariff[] = [
  { fromSlot: 0, microPerHour: 10_001n, weights: {}, feePermille: 0 },
  { fromSlot: 100, microPerHour: 9_999n, weights: {}, feePermille: 33 },
  { fromSlot: 200, microPerHour: 20_000n, weights: {}, feePermille: 1_000 },
];
const rows: readonly RatedRow[] = Array.from({ length: 30 }, (_, n) => {
  return { slot: n * 10, cu: (HOUR * BigInt(n + 1)) / 7n };
});

describe("what rows earn", () => {
  test("is nothing for no rows", () => {
    const rating = firstRating(tariffs, 0);
    expect(earnedBy(tariffs, rating, [])).toEqual({ cu: 0n, micro: 0n, fee: 0n, rating });
  });

  test("is rated and charged by the tariff at each slot", () => {
    const rating = firstRating(tariffs, 0);
    const at = (slot: number) => earnedBy(tariffs, rating, [{ slot, cu: HOUR }]);
    expect([at(99).micro, at(99).fee]).toEqual([10_001n, 0n]);
    expect([at(100).micro, at(100).fee]).toEqual([9_999n, 329n]);
    expect([at(200).micro, at(200).fee]).toEqual([20_000n, 20_000n]);
  });

  test("is the same however the rows are parted", () => {
    const whole = earnedBy(tariffs, firstRating(tariffs, 0), rows);
    for (let size = 1; size < rows.length; size++) {
      let [rating, micro, fee, cu] = [firstRating(tariffs, 0), 0n, 0n, 0n];
      for (let at = 0; at < rows.length; at += size) {
        const part = earnedBy(tariffs, rating, rows.slice(at, at + size));
        [rating, micro, fee, cu] = [part.rating, micro + part.micro, fee + part.fee, cu + part.cu];
      }
      expect({ size, micro, fee, cu, rating }).toEqual({ size, ...whole });
    }
  });

  test("never has a fee above the money, whatever it is worth", () => {
    let { rating } = earnedBy(tariffs, firstRating(tariffs, 0), []);
    for (const { slot } of rows) {
      const { micro, fee, rating: next } = earnedBy(tariffs, rating, [{ slot, cu: HOUR / 9_000n }]);
      expect(fee).toBeLessThanOrEqual(micro);
      rating = next;
    }
  });
});
