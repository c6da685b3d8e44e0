import { describe, expect, test } from "bun:test";
import { refusalCode } from "#test/support/refusal-code.ts";
import { seededRandom } from "#test/support/seeded-random.ts";
import {
  accrualOf,
  appendTariff,
  cuOf,
  firstRating,
  HOUR,
  owedBy,
  poolFeeOf,
  rateRows,
  secondsToThreshold,
  type Tariff,
  tariffAt,
  weightOf,
} from "@/core/tariff.ts";

const first: Tariff = { fromSlot: 0, microPerHour: 10_000n, weights: {} };
const second: Tariff = { fromSlot: 100, microPerHour: 20_001n, weights: { storage: 500 } };
const tariffs = [first, second];
const whole = { ticks: 1, slotSeconds: 30, weight: 1_000, health: 1_000 };

describe("work credits", () => {
  test.each([
    ["an hour of 30 s slots", { ...whole, ticks: 120 }, HOUR],
    ["half the weight", { ...whole, ticks: 120, weight: 500 }, HOUR / 2n],
    ["the least health that earns", { ...whole, health: 500 }, 15_000_000n],
    ["just below it", { ...whole, health: 499 }, 0n],
    ["no weight", { ...whole, weight: 0 }, 0n],
    [
      "the largest claim there is",
      { ...whole, ticks: 2 ** 32 - 1, slotSeconds: 300, weight: 10_000 },
      12_884_901_885_000_000_000n,
    ],
  ])("of %s", (_, work, cu) => {
    expect(cuOf(work)).toBe(cu);
  });

  test.each([{ weight: 10_001 }, { weight: -1 }, { health: 1_001 }, { health: -1 }])(
    "never come from %p",
    (wrong) => {
      expect(() => cuOf({ ...whole, ...wrong })).toThrow("out of range");
    },
  );
});

describe("what a node is owed", () => {
  test("is worth the rate after one hour", () => {
    const rating = rateRows(tariffs, firstRating(tariffs, 0), [{ slot: 5, cu: HOUR }]);
    expect(owedBy(tariffs, rating)).toBe(10_000n);
  });

  test("drifts by less than one millionth per tariff period, however often it is booked", () => {
    const random = seededRandom(7);
    let rating = firstRating(tariffs, 0);
    let booked = 0n;
    let exact = 0n;
    for (let slot = 0; slot < 20_000; slot++) {
      const cu = cuOf({ ...whole, health: 500 + Math.floor(random() * 501) });
      const accrual = accrualOf(tariffs, rating, [{ slot, cu }]);
      booked += accrual.micro;
      rating = accrual.rating;
      exact += cu * tariffAt(tariffs, slot).microPerHour;
    }
    expect(booked).toBe(owedBy(tariffs, rating));
    expect(exact - booked * HOUR).toBeGreaterThanOrEqual(0n);
    expect(exact - booked * HOUR).toBeLessThan(2n * HOUR);
  });

  test("is the same booked row by row and all at once", () => {
    const rows = Array.from({ length: 300 }, (_, slot) => ({ slot, cu: 29_000_001n }));
    const once = rateRows(tariffs, firstRating(tariffs, 0), rows);
    const steps = rows.reduce((now, row) => rateRows(tariffs, now, [row]), firstRating(tariffs, 0));
    expect(steps).toEqual(once);
  });

  test("keeps what was owed and drops the fraction when the tariff changes", () => {
    const rows = [
      { slot: 99, cu: (HOUR * 3n) / 2n + 359_999n },
      { slot: 100, cu: HOUR },
    ];
    const rating = rateRows(tariffs, firstRating(tariffs, 0), rows);
    expect(rating).toEqual({ fromSlot: 100, base: 15_000n, cu: HOUR });
    expect(owedBy(tariffs, rating)).toBe(35_001n);
  });

  test("rates a late row by the tariff of its slot", () => {
    const rows = [
      { slot: 100, cu: HOUR },
      { slot: 99, cu: HOUR },
      { slot: 101, cu: HOUR },
    ];
    expect(accrualOf(tariffs, firstRating(tariffs, 0), rows)).toMatchObject({
      micro: 50_002n,
      cu: 3n * HOUR,
    });
  });

  test("does not change without rows", () => {
    const rating = { fromSlot: 100, base: 5n, cu: 7n };
    expect(accrualOf(tariffs, rating, [])).toEqual({ micro: 0n, cu: 0n, rating });
  });
});

describe("a tariff", () => {
  const terms = { firstOpenSlot: 150, slotsPerInterval: 10 };
  const next: Tariff = { fromSlot: 150, microPerHour: 0n, weights: { a: 0, b: 10_000 } };

  test("is added at the first open interval", () => {
    expect(appendTariff(tariffs, next, terms)).toEqual([first, second, next]);
    expect(appendTariff([], { ...next, fromSlot: 0 }, { ...terms, firstOpenSlot: 0 })).toHaveLength(
      1,
    );
  });

  test.each<[string, Partial<Tariff>, string]>([
    ["in an interval already closed", { fromSlot: 140 }, "tariff.too_early"],
    ["inside an interval", { fromSlot: 151 }, "tariff.inside_interval"],
    ["with a negative rate", { microPerHour: -1n }, "tariff.rate_negative"],
    ["with a weight too large", { weights: { a: 10_001 } }, "tariff.weight_out_of_range"],
    ["with a negative weight", { weights: { a: -1 } }, "tariff.weight_out_of_range"],
    ["with a broken weight", { weights: { a: 0.5 } }, "tariff.weight_out_of_range"],
  ])("is refused %s", (_, change, code) => {
    expect(refusalCode(() => appendTariff(tariffs, { ...next, ...change }, terms))).toBe(code);
  });

  test("is refused at or before the one before it", () => {
    const open = { ...terms, firstOpenSlot: 0 };
    expect(refusalCode(() => appendTariff(tariffs, { ...next, fromSlot: 100 }, open))).toBe(
      "tariff.too_early",
    );
    expect(refusalCode(() => appendTariff(tariffs, { ...next, fromSlot: 110 }, open))).toBe(
      "allowed",
    );
  });

  test("weighs what it does not name with 1000, also names every object has", () => {
    expect(weightOf(second, "storage")).toBe(500);
    expect(weightOf(second, "developer")).toBe(1_000);
    expect(weightOf(second, "constructor")).toBe(1_000);
  });

  test.each([
    [0, first],
    [99, first],
    [100, second],
    [5_000, second],
  ])("of slot %p is the last that has begun", (slot, tariff) => {
    expect(tariffAt(tariffs, slot)).toBe(tariff);
  });

  test("the first also covers slots before it", () => {
    expect(tariffAt([second], 3)).toBe(second);
  });
});

describe("the estimate until the threshold", () => {
  const pace = {
    balance: 0n,
    threshold: 10_000_000n,
    microPerHour: 10_000n,
    weight: 1_000,
    health: 1_000,
  };

  test.each([
    ["is 1,000 hours at the defaults", pace, 3_600_000],
    ["is rounded up", { ...pace, balance: 9_999_999n, microPerHour: 7_200n }, 1],
    ["is 0 when the threshold is reached", { ...pace, balance: 10_000_000n }, 0],
    ["is unknown when nothing is earned", { ...pace, weight: 0 }, undefined],
    ["is unknown when an hour is worth nothing", { ...pace, microPerHour: 0n }, undefined],
  ])("%s", (_, given, seconds) => {
    expect(secondsToThreshold(given)).toBe(seconds);
  });
});

describe("the pool's fee", () => {
  test.each([
    [999n, 1, 0n],
    [1_000n, 1, 1n],
    [1_000n, 0, 0n],
    [1_000n, 1_000, 1_000n],
  ])("of %p at %p ‰ is %p", (micro, permille, fee) => {
    expect(poolFeeOf(micro, permille)).toBe(fee);
  });

  test.each([-1, 1_001, 0.5])("is never %p ‰", (permille) => {
    expect(() => poolFeeOf(1n, permille)).toThrow("fee out of range");
  });
});
