import { describe, expect, test } from "bun:test";
import { nodeIdOf, poolIdOf } from "@/core/ids.ts";
import {
  accrueAndConvert,
  mature,
  payoutPending,
  payoutPost,
  payoutVoid,
} from "@/core/ledger/acts.ts";
import { explainBalance } from "@/core/payout/explain.ts";
import { cuOf } from "@/core/tariff.ts";
import { utf8 } from "@/std/bytes.ts";

const pool = poolIdOf(utf8("pool"));
const node = nodeIdOf(utf8("node"));
const other = nodeIdOf(utf8("other"));
const line = (slot: number, ticks: number) => ({
  slot,
  ticks,
  slotSeconds: 30,
  weight: 1_000,
  health: 1_000,
  claim: `claim ${slot}`,
});
const credits = [line(19, 10), line(29, 9), line(139, 10)];
const cuOfFirst = cuOf(line(0, 19));
const earn = (slot: number, cu: bigint, micro: bigint, whose = node) =>
  accrueAndConvert({ pool, node: whose, slot, at: slot, ref: "blob", cu, micro, feeMicro: 10n });
const sealed = (batch: string, amount: bigint) =>
  payoutPending({
    batch,
    slot: 200,
    rail: "manual",
    at: 200,
    items: [{ item: 1, pool, node, amount }],
  });
const transfers = [
  ...earn(19, cuOfFirst, 1_000n),
  ...earn(19, 5n, 77n, other),
  ...earn(139, cuOf(line(0, 10)), 500n),
  ...mature({ pool, node, slot: 140, at: 140, ref: "m" }, 1_480n),
  ...sealed("b1", 400n),
  ...payoutPost(sealed("b1", 400n), "receipt 1", 201),
  ...sealed("b2", 300n),
  ...payoutVoid(sealed("b2", 300n), "expired", 202),
  ...sealed("b3", 200n),
];

describe("the explanation of a balance", () => {
  const explained = explainBalance({ pool, node, transfers, credits });

  test("adds up: earned, less fees, less paid, is the balance", () => {
    const { earned, paid, pending, balance } = explained;
    expect({ earned, paid, pending, balance }).toEqual({
      earned: 1_500n,
      paid: 400n,
      pending: 200n,
      balance: 1_080n,
    });
    expect(explained.transfers.reduce((sum, { change }) => sum + change, 0n)).toBe(balance);
    expect(explained.transfers.at(-1)?.balance).toBe(balance);
  });

  test("leads from each earning to its slots and claims", () => {
    const earnings = explained.transfers.filter(({ code }) => code === "convert");
    expect(earnings.map((entry) => entry.credits.map(({ claim }) => claim))).toEqual([
      ["claim 19", "claim 29"],
      ["claim 139"],
    ]);
    expect(explained.unexplained).toEqual([]);
  });

  test("leaves out other nodes, and moves inside the node's own accounts", () => {
    const codes = explained.transfers.map(({ code, kind }) => `${code} ${kind}`);
    expect(codes).toEqual([
      "convert single",
      "pool_fee single",
      "convert single",
      "pool_fee single",
      "payout pending",
      "payout post",
      "payout pending",
      "payout void",
      "payout pending",
    ]);
  });

  test("names the bookings that their rows do not explain", () => {
    const { unexplained } = explainBalance({ pool, node, transfers, credits: credits.slice(1) });
    expect(unexplained).toEqual([`000000000019:accr:${pool}:${node}`]);
  });
});
