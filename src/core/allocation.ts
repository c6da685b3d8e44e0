import { assert } from "@/std/assert.ts";

/** Something with a claim on a part of a budget. */
export interface Weighted {
  readonly id: string;
  readonly weight: bigint;
}

/** The part of a budget that one claim gets. */
export interface Share {
  readonly id: string;
  readonly amount: bigint;
}

/** How a budget is split: shares and what is carried over always sum to the budget exactly. */
export interface Allocation {
  readonly shares: readonly Share[];
  readonly carried: bigint;
}

/**
 * Splits a budget by weight, by largest remainder: everybody gets the floor of their part, and the
 * units left over go to the largest remainders, to the lower id where they are equal. Without any
 * weight nobody gets anything and the budget is carried over. Shares come in the order of ids.
 */
export function allocate(budget: bigint, weights: readonly Weighted[]): Allocation {
  assert(budget >= 0n, "a budget is not negative");
  assert(
    weights.every(({ weight }) => weight >= 0n),
    "a weight is not negative",
  );
  assert(new Set(weights.map(({ id }) => id)).size === weights.length, "ids are unique");
  const total = weights.reduce((sum, { weight }) => sum + weight, 0n);
  if (total === 0n) return { shares: [], carried: budget };

  const parts = weights.map(({ id, weight }) => ({
    id,
    amount: (budget * weight) / total,
    remainder: (budget * weight) % total,
  }));
  const left = budget - parts.reduce((sum, { amount }) => sum + amount, 0n);
  const lucky = new Set(
    parts
      .sort(byRemainder)
      .slice(0, Number(left))
      .map(({ id }) => id),
  );
  const shares = parts
    .map(({ id, amount }) => ({ id, amount: lucky.has(id) ? amount + 1n : amount }))
    .sort(byId);
  assert(isExact(budget, shares), "an allocation sums to its budget");
  return { shares, carried: 0n };
}

/** What is due, whole while it fits the budget, else the budget by what is due. */
export function withinBudget(budget: bigint, due: readonly Share[]): readonly Share[] {
  const total = due.reduce((sum, { amount }) => sum + amount, 0n);
  if (total <= budget) return due;
  return allocate(
    budget,
    due.map(({ id, amount }) => ({ id, weight: amount })),
  ).shares;
}

/** Invariant 9 of money.md, section 1.4: the shares sum to the budget. */
export function isExact(budget: bigint, shares: readonly Share[]): boolean {
  return shares.reduce((sum, { amount }) => sum + amount, 0n) === budget;
}

interface Part extends Share {
  readonly remainder: bigint;
}

function byRemainder(a: Part, b: Part): number {
  if (a.remainder !== b.remainder) return a.remainder > b.remainder ? -1 : 1;
  return byId(a, b);
}

/** By code unit, so that it is the same order in every language and place. */
function byId(a: Share, b: Share): number {
  return a.id < b.id ? -1 : 1;
}
