import { describe, expect, test } from "bun:test";
import { refusalCode } from "#test/support/refusal-code.ts";
import { tariffTermsOf } from "@/modules/ledger/settings.ts";
import { Schedule } from "@/modules/payouts/schedule.ts";
import { type PayoutConfig, settingsOf } from "@/modules/payouts/settings.ts";

const config: PayoutConfig = {
  threshold_usdt: "10.0",
  interval_seconds: 3_600,
  approval: "none",
  batch_payments_max: 100,
};
const tariff = { usdt_per_hour: "0.01", weights: {}, daily_budget_usdt: "off" };

describe("the settings of payouts", () => {
  test("are read exactly", () => {
    const settings = settingsOf({ ...config, threshold_usdt: 2.5 });
    expect(settings).toEqual({ thresholdMicro: 2_500_000n, intervalMs: 3_600_000, itemsMax: 100 });
  });

  test.each<[string, Partial<PayoutConfig>, string]>([
    ["a threshold of seven decimals", { threshold_usdt: "10.0000001" }, "config.invalid"],
    ["a threshold that is no number", { threshold_usdt: "ten" }, "config.invalid"],
    ["a threshold below nothing", { threshold_usdt: "-1" }, "config.invalid"],
    ["approval by a second person", { approval: "always" }, "config.unsupported"],
    ["approval above an amount", { approval: "above:100" }, "config.unsupported"],
    ["approval by a word nobody knows", { approval: "maybe" }, "payout.approval_malformed"],
  ])("%s is refused", (_, change, code) => {
    expect(refusalCode(() => settingsOf({ ...config, ...change }))).toBe(code);
  });
});

describe("the settings of the tariff", () => {
  test("are read exactly, also from a number", () => {
    const terms = tariffTermsOf({ ...tariff, usdt_per_hour: 0.012345, daily_budget_usdt: "1.5" });
    expect([terms.microPerHour, terms.dailyBudgetMicro]).toEqual([12_345n, 1_500_000n]);
    expect(tariffTermsOf(tariff).dailyBudgetMicro).toBeUndefined();
  });

  test.each([
    [{ usdt_per_hour: "0.0000001" }],
    [{ usdt_per_hour: 1e-7 }],
    [{ usdt_per_hour: "1e3" }],
    [{ daily_budget_usdt: "never" }],
  ])("%p is refused", (change) => {
    expect(refusalCode(() => tariffTermsOf({ ...tariff, ...change }))).toBe("config.invalid");
  });
});

describe("a schedule", () => {
  const hour = 3_600_000;

  test.each([
    ["begins at the next boundary", undefined, 90 * 60_000, 2 * hour],
    ["at a boundary waits for the one after it", undefined, hour, 2 * hour],
    ["makes up for a run that was missed", hour, 5 * hour + 1, 5 * hour + 1],
    ["goes on from the last run", 2 * hour, 2 * hour + 1, 3 * hour],
    ["does not wait for a time that was wrong", 500 * hour, 2 * hour + 1, 3 * hour],
  ])("%s", (_, lastMs, nowMs, nextMs) => {
    expect(new Schedule(hour, { nowMs, lastMs }).nextAtMs(nowMs)).toBe(nextMs);
  });

  test("tries a failed run again in a minute, and at the next boundary at the latest", () => {
    const schedule = new Schedule(hour, { nowMs: 0, lastMs: undefined });
    schedule.failed(hour);
    expect(schedule.nextAtMs(hour)).toBe(hour + 60_000);
    expect(schedule.overdueMs(hour + 90_000)).toBe(30_000);
    schedule.failed(2 * hour - 1);
    expect(schedule.nextAtMs(2 * hour - 1)).toBe(2 * hour);
    schedule.ran(2 * hour);
    expect([schedule.nextAtMs(2 * hour), schedule.isDue(2 * hour)]).toEqual([3 * hour, false]);
  });
});
