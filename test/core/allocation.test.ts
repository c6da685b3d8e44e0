import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { allocate, isExact, withinBudget } from "@/core/allocation.ts";

const weighted = fc.uniqueArray(
  fc.record({ id: fc.string({ minLength: 1, maxLength: 6 }), weight: fc.bigInt(0n, 2n ** 70n) }),
  { selector: ({ id }) => id, maxLength: 30 },
);
const budgets = fc.bigInt(0n, 2n ** 63n - 1n);

describe("the split of a budget", () => {
  test("sums to the budget exactly, or carries all of it", () => {
    fc.assert(
      fc.property(budgets, weighted, (budget, weights) => {
        const { shares, carried } = allocate(budget, weights);
        expect(isExact(budget - carried, shares)).toBe(true);
        expect(carried === 0n || (carried === budget && shares.length === 0)).toBe(true);
      }),
    );
  });

  test("gives everybody the floor of their part or one unit more, and nothing for no weight", () => {
    fc.assert(
      fc.property(budgets, weighted, (budget, weights) => {
        const total = weights.reduce((sum, { weight }) => sum + weight, 0n);
        const byId = new Map(weights.map(({ id, weight }) => [id, weight]));
        for (const { id, amount } of allocate(budget, weights).shares) {
          const exact = budget * (byId.get(id) ?? 0n);
          const extra = amount - exact / total;
          expect(extra === 0n || (extra === 1n && exact % total > 0n)).toBe(true);
        }
      }),
    );
  });

  test("does not depend on the order of the claims", () => {
    fc.assert(
      fc.property(budgets, weighted, (budget, weights) => {
        expect(allocate(budget, [...weights].reverse())).toEqual(allocate(budget, weights));
      }),
    );
  });

  test("gives the odd unit to the lower id where remainders are equal", () => {
    const claims = ["c", "a", "b"].map((id) => ({ id, weight: 1n }));
    expect(allocate(11n, claims).shares.map(({ amount }) => amount)).toEqual([4n, 4n, 3n]);
  });

  test("gives the odd unit to the larger remainder, whatever the id", () => {
    const claims = [
      { id: "a", weight: 1n },
      { id: "z", weight: 2n },
    ];
    expect(allocate(1n, claims).shares.map(({ amount }) => amount)).toEqual([0n, 1n]);
  });

  test("carries the budget over when nobody has any weight", () => {
    expect(allocate(9n, [{ id: "a", weight: 0n }])).toEqual({ shares: [], carried: 9n });
    expect(allocate(9n, [])).toEqual({ shares: [], carried: 9n });
  });
});

describe("a daily budget", () => {
  const due = [
    { id: "a", amount: 60n },
    { id: "b", amount: 40n },
  ];

  test.each([
    [101n, [60n, 40n]],
    [100n, [60n, 40n]],
    [99n, [59n, 40n]],
    [50n, [30n, 20n]],
    [0n, [0n, 0n]],
  ])("of %p pays %p", (budget, amounts) => {
    expect(withinBudget(budget, due).map(({ amount }) => amount)).toEqual(amounts);
  });
});
