import { describe, expect, test } from "bun:test";
import type { OpenBatch, OpenItem, SettleAnswer } from "@/core/payout/machine.ts";
import { type SettleCommand, settleByHand } from "@/core/payout/settlement.ts";
import { isRefusal } from "@/std/errors.ts";

const open: OpenItem = { id: 1, state: "pending" };
const open2: OpenItem = { id: 2, state: "pending" };
const posted: OpenItem = { id: 1, state: "posted", ref: "r1" };
const posted2: OpenItem = { id: 2, state: "posted", ref: "r1" };
const voided: OpenItem = { id: 2, state: "voided", ref: "closed account" };
const all = (ref: string): SettleCommand => ({ type: "all", ref });
const item = (id: number, ref: string): SettleCommand => ({ type: "items", items: [{ id, ref }] });
const failed = (id: number, why: string): SettleCommand => ({
  type: "items",
  items: [{ id, failed: why }],
});
const cancel: SettleCommand = { type: "cancel", isNotSent: true, by: "ann" };

function settle(items: readonly OpenItem[], command: SettleCommand, needsSecond = false) {
  const batch: OpenBatch = { id: "b1", position: 1, pushAfter: 0, items };
  try {
    return settleByHand(batch, command, needsSecond);
  } catch (thrown) {
    if (isRefusal(thrown)) return thrown.code;
    throw thrown;
  }
}

describe("the operator's word about a batch", () => {
  test.each<[string, readonly OpenItem[], SettleCommand, SettleAnswer | undefined]>([
    ["all paid", [open, open2], all("r1"), { type: "done", proof: "r1" }],
    ["all paid, said again", [posted, posted2], all("r1"), undefined],
    [
      "the rest paid with the same reference",
      [posted, open2],
      all("r1"),
      { type: "done", proof: "r1" },
    ],
    [
      "one paid",
      [open, open2],
      item(1, "r1"),
      { type: "items", posted: [{ item: 1, ref: "r1" }], failed: [] },
    ],
    ["one paid, said again", [posted, open2], item(1, "r1"), undefined],
    [
      "one failed",
      [open, open2],
      failed(2, "closed"),
      { type: "items", posted: [], failed: [{ item: 2, why: "operator", ref: "closed" }] },
    ],
    ["one failed, said again", [open, voided], failed(2, "closed account"), undefined],
    [
      "one said again, one new",
      [posted, open2],
      {
        type: "items",
        items: [
          { id: 1, ref: "r1" },
          { id: 2, ref: "r2" },
        ],
      },
      { type: "items", posted: [{ item: 2, ref: "r2" }], failed: [] },
    ],
    [
      "nothing sent",
      [open, open2],
      cancel,
      { type: "never", proof: "not sent, says ann", isPositionFree: true },
    ],
    [
      "nothing sent of the rest",
      [open, voided],
      cancel,
      { type: "never", proof: "not sent, says ann", isPositionFree: true },
    ],
    ["nothing sent, said again", [voided], cancel, undefined],
  ])("%s", (_, items, command, answer) => {
    expect(settle(items, command)).toEqual(answer);
  });

  test.each<[string, readonly OpenItem[], SettleCommand, string]>([
    [
      "a second, different reference",
      [posted, posted2],
      all("r2"),
      "payout.already_settled_otherwise",
    ],
    [
      "a different one for one item",
      [posted, open2],
      item(1, "r2"),
      "payout.already_settled_otherwise",
    ],
    ["paid what had failed", [open, voided], item(2, "r1"), "payout.already_settled_otherwise"],
    [
      "all paid though one had failed",
      [open, voided],
      all("r1"),
      "payout.already_settled_otherwise",
    ],
    ["failed what was paid", [posted, open2], failed(1, "r1"), "payout.already_settled_otherwise"],
    [
      "failed for another reason",
      [open, voided],
      failed(2, "other"),
      "payout.already_settled_otherwise",
    ],
    ["cancelled after a payment", [posted, open2], cancel, "payout.already_settled_otherwise"],
    [
      "cancelled without saying it was not sent",
      [open],
      { ...cancel, isNotSent: false },
      "payout.not_sent_required",
    ],
    ["an unknown item", [open], item(9, "r"), "payout.item_unknown"],
    [
      "an item twice",
      [open],
      {
        type: "items",
        items: [
          { id: 1, ref: "r" },
          { id: 1, failed: "x" },
        ],
      },
      "payout.item_twice",
    ],
    ["an empty reference", [open], all(""), "payout.ref_malformed"],
    ["a reference that is too long", [open], item(1, "x".repeat(129)), "payout.ref_malformed"],
    ["a reason in other letters", [open], failed(1, "é"), "payout.ref_malformed"],
  ])("%s is refused", (_, items, command, code) => {
    expect(settle(items, command)).toBe(code);
  });

  test.each<[string, SettleCommand, unknown]>([
    ["alone", cancel, "payout.second_person_required"],
    ["twice by the same person", { ...cancel, secondBy: "ann" }, "payout.second_person_required"],
    [
      "by two",
      { ...cancel, secondBy: "bob" },
      { type: "never", proof: "not sent, say ann and bob", isPositionFree: true },
    ],
  ])("where approval is on, cancelling %s", (_, command, answer) => {
    expect(settle([open], command, true)).toEqual(answer as SettleAnswer);
  });
});
