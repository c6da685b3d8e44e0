import { describe, expect, test } from "bun:test";
import {
  dayOfLedgerSlot,
  ledgerSlotMs,
  ledgerSlotOf,
  poolSlotOf,
} from "@/core/ledger/ledger-slot.ts";

describe("a slot of the ledger", () => {
  test("is the pool's slot in the first epoch, and higher in each one after it", () => {
    expect(ledgerSlotOf(0, 58_920_490)).toBe(58_920_490);
    expect(ledgerSlotOf(1, 0)).toBeGreaterThan(ledgerSlotOf(0, 9_999_999_999));
    expect(poolSlotOf(ledgerSlotOf(3, 58_920_490))).toBe(58_920_490);
  });

  test.each([
    [-1, 0],
    [100, 0],
    [0, -1],
    [0, 1e10],
  ])("epoch %d, slot %d is out of range", (epoch, slot) => {
    expect(() => ledgerSlotOf(epoch, slot)).toThrow();
  });

  test("knows its time, and its day apart from the same day of another epoch", () => {
    const slot = ledgerSlotOf(1, 2_880);
    expect(ledgerSlotMs(slot, 30)).toBe(86_400_000);
    expect(dayOfLedgerSlot(slot, 30)).toBe("1:1");
    expect(dayOfLedgerSlot(slot - 1, 30)).toBe("1:0");
    expect(dayOfLedgerSlot(2_880, 30)).toBe("0:1");
  });
});
