import { describe, expect, test } from "bun:test";
import { nodeIdOf, poolIdOf } from "@/core/ids.ts";
import {
  type Account,
  availableOf,
  balanceOf,
  hotAccount,
  isAccountId,
  isWithinGuard,
  nodeAccount,
  openAccount,
  pendingOf,
} from "@/core/ledger/account.ts";
import {
  accrueAndConvert,
  fund,
  mature,
  payoutPending,
  payoutPost,
  refund,
} from "@/core/ledger/acts.ts";
import { checkLedger } from "@/core/ledger/check.ts";
import { accountsTouched } from "@/core/ledger/ledger.ts";
import { MemoryLedger } from "@/core/ledger/memory-ledger.ts";
import type { Transfer } from "@/core/ledger/transfer.ts";
import { utf8 } from "@/std/bytes.ts";

const pool = poolIdOf(utf8("pool"));
const node = nodeIdOf(utf8("node"));
const payable = nodeAccount(pool, node, "payable");
const items = [{ item: 1, pool, node, amount: 40n }];
const pending = payoutPending({ batch: "b", slot: 4, rail: "stellar", at: 4, items });
const log: readonly Transfer[] = [
  ...accrueAndConvert({ pool, node, slot: 1, at: 1, ref: "c", cu: 7n, micro: 50n, feeMicro: 0n }),
  ...mature({ pool, node, slot: 2, at: 2, ref: "m" }, 50n),
  ...fund({ rail: "stellar", slot: 3, at: 3, fact: "f", amount: 60n }),
  ...pending,
  ...payoutPost(pending, "p", 5),
];

/** The transfers in a fresh ledger, booked one by one. */
function booked(transfers: readonly Transfer[]): MemoryLedger {
  const ledger = new MemoryLedger().open(...accountsTouched(transfers).map(({ id }) => id));
  ledger.book(transfers);
  return ledger;
}

function numbersOf(accounts: readonly Account[], transfers: readonly Transfer[]) {
  return [...new Set(checkLedger(accounts, transfers).map(({ invariant }) => invariant))].sort(
    (a, b) => a - b,
  );
}

describe("the nightly check", () => {
  test("finds nothing in a ledger that is whole", () => {
    expect(checkLedger(booked(log).accounts, log)).toEqual([]);
    expect(checkLedger([], [])).toEqual([]);
  });

  test("finds a balance somebody changed", () => {
    const forged = booked(log).accounts.map((account) =>
      account.id === payable ? { ...account, cp: account.cp + 1n } : account,
    );
    expect(numbersOf(forged, log)).toEqual([1, 2, 10]);
  });

  test("finds a pending amount somebody changed", () => {
    const forged = booked(log).accounts.map((account) =>
      account.id === payable ? { ...account, dq: 1n } : account,
    );
    expect(numbersOf(forged, log)).toEqual([1, 2, 10]);
  });

  test("finds an account that is missing", () => {
    const accounts = booked(log).accounts.filter(({ id }) => id !== payable);
    expect(numbersOf(accounts, log)).toEqual([1, 2]);
  });

  test("finds a transfer that is missing", () => {
    expect(numbersOf(booked(log).accounts, log.slice(0, -1))).toEqual([2, 10]);
  });

  test("finds a reservation that no guard would have allowed", () => {
    const early = [...log.slice(0, 3), ...log.slice(4), ...log.slice(3, 4)];
    expect(numbersOf(booked(log).accounts, early)).toContain(3);
  });

  test("finds a payment resolved twice, and the node paid beyond what it earned", () => {
    const twice = payoutPost(pending, "p", 6).map((post) => ({ ...post, id: `${post.id}:again` }));
    expect(numbersOf(booked(log).accounts, [...log, ...twice])).toEqual([2, 4, 7, 10]);
  });

  test("counts what came back as not paid", () => {
    const again = payoutPending({ batch: "c", slot: 8, rail: "stellar", at: 8, items });
    const back = { rail: "stellar", slot: 7, at: 7, fact: "tx", amount: 40n };
    const whole = [...log, ...refund(back, pool, node), ...again, ...payoutPost(again, "p", 9)];
    expect(checkLedger(booked(whole).accounts, whole)).toEqual([]);
  });

  test("finds a resolution of nothing", () => {
    const orphan = log.filter(({ kind }) => kind !== "pending");
    expect(numbersOf(booked(log).accounts, orphan)).toContain(4);
  });
});

describe("the chart of accounts", () => {
  test.each([
    [nodeAccount(pool, node, "cu"), 1, 1],
    [nodeAccount(pool, node, "owed"), 2, 1],
    [payable, 2, 1],
    [hotAccount("stellar"), 2, 2],
    [hotAccount("manual"), 2, 0],
    [`pool:${pool}:fee` as const, 2, 0],
    ["work:issued" as const, 1, 0],
    ["slashed" as const, 2, 0],
  ])("%s is on its ledger with its guard", (id, ledger, guard) => {
    expect(openAccount(id)).toMatchObject({ ledger, guard, dp: 0n, dq: 0n, cp: 0n, cq: 0n });
  });

  test.each([
    "",
    "node:a:b",
    "node:a:b:c",
    "node:a:b:owed:x",
    "node::b:owed",
    "pool:a",
    "asset:hot:",
    "asset:hot:a:b",
    "toString",
    "asset:cold:x",
  ])("%p is not on it", (text) => {
    expect(isAccountId(text)).toBe(false);
  });

  test("balances grow on the side of their kind, and reservations leave less", () => {
    const hot = { ...openAccount(hotAccount("stellar")), dp: 10n, cp: 3n, cq: 2n };
    expect([balanceOf(hot), pendingOf(hot), availableOf(hot)]).toEqual([7n, 2n, 5n]);
    const due = { ...openAccount(payable), cp: 10n, dp: 3n, dq: 2n };
    expect([balanceOf(due), pendingOf(due), availableOf(due)]).toEqual([7n, 2n, 5n]);
  });

  test.each([
    [hotAccount("stellar"), { dp: 5n, cp: 3n, cq: 2n }, true],
    [hotAccount("stellar"), { dp: 5n, cp: 3n, cq: 3n }, false],
    [hotAccount("manual"), { dp: 0n, cp: 3n, cq: 3n }, true],
    [payable, { cp: 5n, dp: 3n, dq: 2n }, true],
    [payable, { cp: 5n, dp: 3n, dq: 3n }, false],
  ])("%s with %p is within its guard: %p", (id, sums, within) => {
    expect(isWithinGuard({ ...openAccount(id), ...sums })).toBe(within);
  });
});
