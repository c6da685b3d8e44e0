import { describe, expect, test } from "bun:test";
import {
  closeStatement,
  type Statement,
  statementTable,
  statementValue,
} from "@/core/ledger/statement.ts";
import { canonicalJson } from "@/std/canonical-json.ts";

const open: Omit<Statement, "closing"> = {
  pool: "p",
  poolKey: "00",
  node: "n",
  fromMs: 0,
  toMs: 86_400_000,
  opening: 5_000_000n,
  days: [
    { day: "1970-01-01", cu: 3n, earned: 300n, fee: 3n, claims: ["c1", "c2"] },
    { day: "1970-01-02", cu: 1n, earned: 100n, fee: 0n, claims: [] },
  ],
  tariffs: [{ fromMs: 0, microPerHour: 10_000n, feePermille: 10, weights: { storage: 900 } }],
  adjustments: [{ atMs: 1_000, code: "slash", amount: -97n, ref: "E1" }],
  payouts: [
    {
      atMs: 2_000,
      batch: "7",
      item: 1,
      rail: "manual",
      asset: "USDT",
      amount: 5_000_000n,
      ref: "=1+1",
    },
  ],
};

describe("a statement", () => {
  test("closes with what was there, what was earned and adjusted, less what was paid", () => {
    expect(closeStatement(open).closing).toBe(300n);
  });

  test("that does not add up is our own fault", () => {
    expect(() => closeStatement({ ...open, opening: 0n })).toThrow("nobody owes the pool");
  });

  test("is one text, with amounts as decimal text", () => {
    const value = statementValue(closeStatement(open));
    expect(value).toMatchObject({
      format: "galaxy-pool statement 1",
      from: "1970-01-01T00:00:00.000Z",
      opening_micro_usdt: "5000000",
      days: [{ cu: "3", fee_micro_usdt: "3", claim_hashes: ["c1", "c2"] }, {}],
      tariffs: [{ micro_usdt_per_hour: "10000", weights_permille: { storage: 900 } }],
      adjustments: [{ code: "slash", amount_micro_usdt: "-97" }],
      payouts: [{ batch: "7", item: 1, amount_micro_usdt: "5000000" }],
      closing_micro_usdt: "300",
    });
    expect(canonicalJson(value)).toStartWith('{"adjustments":[');
  });

  test("is a table with a running balance that no spreadsheet takes for a formula", () => {
    const table = statementTable(closeStatement(open), { sha256: "ab", signature: "cd=" });
    const rows = table
      .trimEnd()
      .split("\r\n")
      .map((row) => row.split(","));
    expect(rows.map(([, what, , , balance]) => [what, balance])).toEqual([
      ["what", "balance_micro_usdt"],
      ["opening", "5000000"],
      ["earned", "5000300"],
      ["pool fee", "5000297"],
      ["earned", "5000397"],
      ["slash", "5000300"],
      ["payout 7/1", "300"],
      ["closing", "300"],
      ["sha256", ""],
      ["signature", ""],
    ]);
    expect(rows[6]?.at(-1)).not.toStartWith("=");
    expect(rows.at(-1)?.at(-1)).toContain("cd=");
  });
});
