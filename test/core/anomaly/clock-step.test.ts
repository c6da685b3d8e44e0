import { describe, expect, test } from "bun:test";
import { clockStep } from "@/core/anomaly/clock-step.ts";

describe("a clock that was set", () => {
  const look = (wallMs: number, monotonicMs: number, isSynchronised: boolean | null = true) => ({
    wallMs,
    monotonicMs,
    isSynchronised,
  });

  test.each([
    ["runs on", look(0, 0), look(5_000, 5_000), undefined],
    ["drifts", look(0, 0), look(5_400, 5_000), undefined],
    ["just below what counts", look(0, 0), look(64_999, 5_000), undefined],
    ["forward", look(0, 0), look(65_000, 5_000), 60_000],
    ["back", look(100_000, 0), look(45_000, 5_000), -60_000],
    ["stood while the process did", look(0, 0), look(900_000, 900_000), undefined],
    ["for the first time", look(0, 0, false), look(9e9, 5_000, true), undefined],
    ["by hand before it is synchronised", look(0, 0, false), look(65_000, 5_000, false), 60_000],
    ["where the kernel does not say", look(0, 0, null), look(65_000, 5_000, null), 60_000],
    ["and lost its source", look(0, 0, true), look(65_000, 5_000, false), 60_000],
  ])("%s", (_, before, now, stepMs) => {
    expect(clockStep(before, now, 60_000)).toBe(stepMs);
  });
});
