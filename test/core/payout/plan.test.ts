import { describe, expect, test } from "bun:test";
import { refusalCode } from "#test/support/refusal-code.ts";
import { type NodeId, nodeIdOf, poolIdOf } from "@/core/ids.ts";
import {
  type Candidate,
  keepItems,
  type NotPaid,
  needsApproval,
  parseApproval,
  planHash,
  planPayouts,
  planValue,
  requireApprovable,
} from "@/core/payout/plan.ts";
import {
  type IneligibleReason,
  isFinalPayout,
  listIneligible,
  type Payee,
} from "@/core/payout/policy.ts";
import { utf8 } from "@/std/bytes.ts";
import { canonicalJson } from "@/std/canonical-json.ts";

const poolKey = new Uint8Array(32).fill(7);
const node: NodeId = nodeIdOf(utf8("node 1"));
const other: NodeId = nodeIdOf(utf8("node 2"));
const third: NodeId = nodeIdOf(utf8("node 3"));
const head = {
  number: 4,
  pool: poolIdOf(poolKey),
  poolKey,
  rail: "manual",
  asset: "USDT",
  expiresAt: 3_600_000,
};
const limits = { threshold: 10_000_000n, feeEstimate: 0n, itemsMax: 100 };
const payee: Payee = {
  payable: 10_000_000n,
  holds: [],
  hasOpenPayout: false,
  hasLeft: false,
  hadFinalPayout: false,
};
const left = { hasLeft: true, payable: 9_999_999n };
const due = (name: NodeId, dueSince: number, change: Partial<Candidate> = {}): Candidate => ({
  ...payee,
  node: name,
  dueSince,
  address: { rail: "manual", address: `to ${dueSince}`, statement: "s" },
  ...change,
});

describe("a payee", () => {
  test.each<[string, Partial<Payee>, bigint, readonly IneligibleReason[]]>([
    ["at the threshold is paid", {}, 0n, []],
    ["one below it is not", { payable: 9_999_999n }, 0n, ["below_threshold"]],
    ["with nothing is not, whatever else", { payable: 0n, hasLeft: true }, 0n, ["nothing_payable"]],
    ["may cost a quarter in fees", {}, 2_500_000n, []],
    ["may not cost more", {}, 2_500_001n, ["fee_too_high"]],
    ["that has left is paid below the threshold", left, 0n, []],
    ["but only once", { ...left, hadFinalPayout: true }, 0n, ["below_threshold"]],
    ["and not for more than a quarter in fees", left, 2_500_000n, ["fee_too_high"]],
    ["with an open payout waits", { hasOpenPayout: true }, 0n, ["payout_open"]],
    [
      "with a changing address waits",
      { addressHold: "address_changing" },
      0n,
      ["address_changing"],
    ],
    [
      "hears all its reasons",
      { payable: 1n, holds: ["no_trust", "line_full"], addressHold: "no_address" },
      1n,
      ["no_trust", "line_full", "no_address", "below_threshold", "fee_too_high"],
    ],
  ])("%s", (_, change, feeEstimate, reasons) => {
    expect(listIneligible({ ...payee, ...change }, { ...limits, feeEstimate })).toEqual([
      ...reasons,
    ]);
  });

  test.each<[string, Partial<Payee>, boolean]>([
    ["below the threshold uses it up", left, true],
    ["at the threshold does not", { hasLeft: true }, false],
    ["that stays has none", { payable: 1n }, false],
  ])("%s: its one payout after leaving", (_, change, isFinal) => {
    expect(isFinalPayout({ ...payee, ...change }, limits)).toBe(isFinal);
  });
});

describe("a plan", () => {
  test("pays whole balances, the longest due first", () => {
    const { plan, notPaid } = planPayouts(
      head,
      [due(node, 9, { payable: 12_000_001n }), due(other, 3)],
      limits,
    );
    expect(plan.items).toEqual([
      { node: other, address: "to 3", amount: 10_000_000n, feeBound: 0n },
      { node, address: "to 9", amount: 12_000_001n, feeBound: 0n },
    ]);
    expect(plan.total).toBe(22_000_001n);
    expect(notPaid).toEqual([]);
  });

  test.each<[string, Partial<Candidate>, object, readonly NotPaid["reasons"][]]>([
    ["what is funded to the last unit", {}, { funds: 30_000_000n }, []],
    ["not the one that is not", {}, { funds: 29_999_999n }, [["unfunded"]]],
    [
      "nobody after the first that is not",
      { payable: 20_000_001n },
      { funds: 30_000_000n },
      [["unfunded"], ["unfunded"]],
    ],
    ["no more than a batch holds", {}, { itemsMax: 2 }, [["batch_full"]]],
    [
      "nobody whose address is on another rail",
      { address: { rail: "stellar", address: "G", statement: "s" } },
      {},
      [["other_rail"]],
    ],
    ["nobody without an address", { addressHold: "no_address" }, {}, [["no_address"]]],
  ])("pays %s", (_, change, limit, reasons) => {
    const candidates = [due(node, 1), due(other, 2, change), due(third, 3)];
    const { plan, notPaid } = planPayouts(head, candidates, { ...limits, ...limit });
    expect(notPaid.map((entry) => [...entry.reasons])).toEqual(reasons.map((list) => [...list]));
    expect(plan.items.length).toBe(3 - reasons.length);
    expect(plan.total).toBe(plan.items.reduce((sum, { amount }) => sum + amount, 0n));
  });

  test("is the same whatever order the payees come in, the lower id first where due alike", () => {
    const candidates = [due(node, 5), due(other, 5), due(third, 1)];
    const { hash } = planPayouts(head, candidates, limits);
    expect(planPayouts(head, [...candidates].reverse(), limits).hash).toBe(hash);
  });

  test("has exactly this spelling and hash", () => {
    const { plan, hash } = planPayouts(head, [due(node, 1)], limits);
    expect(canonicalJson(planValue(plan))).toBe(
      `{"asset":"USDT","expires_at":3600000,"format":"galaxy-pool plan 1","items":[` +
        `{"address":"to 1","amount_micro_usdt":"10000000","fee_bound_micro_usdt":"0",` +
        `"node":"3nhltfnsh2uo74cjwc6umc5z6t"}],"number":4,"pool":"joyg7dsohj3rluqb2vz5bkscg5",` +
        `"pool_key":"${"07".repeat(32)}","rail":"manual","total_micro_usdt":"10000000"}`,
    );
    expect(hash).toBe("5623c729cd21b44b9092ea2642d2942a32b1491b78438e2e1a3740ee0be58369");
  });

  test("has another hash when anything in it differs", () => {
    const { plan, hash } = planPayouts(head, [due(node, 1)], limits);
    const [item] = plan.items;
    if (!item) throw new Error("the plan has an item");
    const others = [
      { ...plan, number: 5 },
      { ...plan, poolKey: new Uint8Array(32) },
      { ...plan, rail: "evm" },
      { ...plan, asset: "USDC" },
      { ...plan, expiresAt: 1 },
      { ...plan, items: [{ ...item, amount: 1n }] },
      { ...plan, items: [{ ...item, address: "x" }] },
      { ...plan, items: [{ ...item, feeBound: 1n }] },
      { ...plan, items: [{ ...item, node: other }] },
      { ...plan, items: [] },
    ];
    expect(new Set([hash, ...others.map(planHash)]).size).toBe(others.length + 1);
  });
});

describe("sealing a plan", () => {
  const { plan } = planPayouts(head, [due(node, 1), due(other, 2)], limits);
  const [first, second] = plan.items;
  if (!first || !second) throw new Error("the plan has two items");

  test.each([
    ["all of it", [first, second], 0, "allowed"],
    ["a part of it", [second], 3_599_999, "allowed"],
    ["nothing", [], 0, "allowed"],
    ["an item twice", [first, first], 0, "payout.not_as_planned"],
    ["an item of nobody planned", [{ ...first, node: third }], 0, "payout.not_as_planned"],
    ["a higher amount", [{ ...first, amount: first.amount + 1n }], 0, "payout.not_as_planned"],
    ["another address", [{ ...first, address: "thief" }], 0, "payout.not_as_planned"],
    ["a higher fee", [{ ...first, feeBound: 1n }], 0, "payout.not_as_planned"],
    ["an expired plan", [first], 3_600_000, "payout.plan_expired"],
  ])("with %s", (_, kept, now, code) => {
    expect(refusalCode(() => keepItems(plan, kept, now))).toBe(code);
  });

  test.each([
    ["as it was shown", planHash(plan), 3_599_999, "allowed"],
    ["too late", planHash(plan), 3_600_000, "payout.plan_expired"],
    ["by another hash", "0", 0, "payout.plan_changed"],
  ])("after approving it %s", (_, hash, now, code) => {
    expect(refusalCode(() => requireApprovable(plan, hash, now))).toBe(code);
  });
});

describe("approval", () => {
  test.each([
    ["none", 10n ** 12n, false],
    ["always", 1n, true],
    ["above:100", 100_000_000n, false],
    ["above:100", 100_000_001n, true],
    ["above:0.5", 500_001n, true],
  ])("%s is needed for %p: %p", (text, total, needed) => {
    expect(needsApproval(parseApproval(text), total)).toBe(needed);
  });

  test.each([
    ["sometimes", "payout.approval_malformed"],
    ["above:", "money.malformed"],
    ["above:-1", "money.malformed"],
  ])("%p is refused", (text, code) => {
    expect(refusalCode(() => parseApproval(text))).toBe(code);
  });
});
