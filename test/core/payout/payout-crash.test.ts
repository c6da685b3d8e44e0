import { describe, expect, test } from "bun:test";
import { type PayoutMutant, runPayoutCrash } from "#test/sim/payout-crash.ts";

const seeds = Array.from({ length: 300 }, (_, seed) => seed);

describe("an engine that crashes at any point", () => {
  test("pays every node exactly what it earned, on 300 seeds", () => {
    for (const seed of seeds) {
      const { crashes, ...run } = runPayoutCrash(seed);
      const whole = { overpaid: [], underpaid: [], violations: [], stoppedBy: undefined };
      expect({ seed, ...run }).toEqual({ seed, ...whole });
      expect(crashes).toBeGreaterThan(5);
    }
  });

  test("runs the same again from the same seed", () => {
    expect(runPayoutCrash(42)).toEqual(runPayoutCrash(42));
  });

  test.each<[PayoutMutant]>([["push_before_store"], ["timeout_is_failure"]])(
    "is caught paying twice when it does %s",
    (mutant) => {
      expect(seeds.some((seed) => runPayoutCrash(seed, mutant).overpaid.length > 0)).toBe(true);
    },
  );

  test("is stopped by the lane's position where a chain has one, instead of paying twice", () => {
    const stops = seeds
      .filter((seed) => seed % 2 === 0)
      .map((seed) => runPayoutCrash(seed, "push_before_store"));
    expect(stops.flatMap(({ overpaid }) => overpaid)).toEqual([]);
    expect(stops.some(({ stoppedBy }) => stoppedBy === "position_differs")).toBe(true);
  });
});
