import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Run, Sequence } from "@/core/audit/sequence.ts";

function placed(rows: readonly bigint[], sequence = new Sequence()): Run[] {
  return rows.flatMap((row) => sequence.place(row) ?? []);
}

describe("the sequence of a log", () => {
  test("needs no run while rows leave no gap", () => {
    const sequence = new Sequence();
    expect(placed([1n, 2n, 3n], sequence)).toEqual([]);
    expect([sequence.size, sequence.next, sequence.hasGaps]).toEqual([3, 4n, false]);
    expect([sequence.rowOf(2), sequence.leafOf(3n), sequence.leafOf(4n)]).toEqual([
      3n,
      2,
      undefined,
    ]);
  });

  test("begins a run at a gap, at a late row, and where it goes on after it", () => {
    expect(placed([1n, 2n, 5n, 6n, 4n, 7n])).toEqual([
      { leaf: 2, row: 5n },
      { leaf: 4, row: 4n },
      { leaf: 5, row: 7n },
    ]);
  });

  test("that does not begin with row 1 begins with a run", () => {
    const sequence = new Sequence();
    expect(placed([9n, 1n, 2n], sequence)).toEqual([
      { leaf: 0, row: 9n },
      { leaf: 1, row: 1n },
    ]);
    expect([0, 1, 2].map((leaf) => sequence.rowOf(leaf))).toEqual([9n, 1n, 2n]);
  });

  test("is the same again from its runs and the rows after them", () => {
    const rows = fc.uniqueArray(fc.bigInt({ min: 1n, max: 60n }), { maxLength: 40 });
    fc.assert(
      fc.property(rows, (order) => {
        const sequence = new Sequence();
        const runs = placed(order, sequence);
        expect(order.map((_, leaf) => sequence.rowOf(leaf))).toEqual(order);
        expect(order.map((row) => sequence.leafOf(row))).toEqual(order.map((_, leaf) => leaf));
        const again = new Sequence(runs);
        expect(placed(order.slice(again.size), again)).toEqual(
          again.size < order.length ? [] : placed(order.slice(again.size)),
        );
        expect(order.map((_, leaf) => again.rowOf(leaf))).toEqual(order);
        const end = order.reduce((most, row) => (row >= most ? row + 1n : most), 1n);
        expect([sequence.frontier, again.frontier]).toEqual([end, end]);
      }),
    );
  });
});
