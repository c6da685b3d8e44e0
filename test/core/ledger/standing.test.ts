import { describe, expect, test } from "bun:test";
import type { AccountSums } from "@/core/ledger/account.ts";
import { NO_STANDING, standingOf } from "@/core/ledger/standing.ts";

const sums = (kind: string, parts: Partial<AccountSums> = {}): AccountSums => {
  return { kind, dp: 0n, dq: 0n, cp: 0n, cq: 0n, ...parts };
};

describe("a standing", () => {
  test("of nothing is nothing", () => {
    expect(standingOf({ owed: sums("owed"), payable: sums("payable") }, 0n)).toEqual(NO_STANDING);
  });

  test("parts what is owed into accruing, payable and pending; paid is beside it", () => {
    const owed = sums("owed", { cp: 100n, dp: 70n });
    const payable = sums("payable", { cp: 70n, dp: 40n, dq: 20n });
    const standing = standingOf({ owed, payable }, 5n);
    expect(standing).toEqual({ owed: 65n, accruing: 35n, payable: 10n, pending: 20n, paid: 40n });
  });

  test("does not change when unbooked money is booked", () => {
    const before = standingOf({ owed: sums("owed"), payable: sums("payable") }, 12n);
    const payable = sums("payable", { cp: 12n });
    const after = standingOf({ owed: sums("owed", { cp: 12n, dp: 12n }), payable }, 0n);
    expect(after.owed).toBe(before.owed);
  });
});
