import { describe, expect, test } from "bun:test";
import { HostHistory } from "@/modules/health/history.ts";
import type { HostSample } from "@/ports/host.ts";

const STEP_MS = 30_000;

function sampleAt(atMs: number, writtenBytes: number | null = 0): HostSample {
  return {
    atMs,
    cpuUsed: null,
    load1: null,
    memoryTotalBytes: null,
    memoryAvailableBytes: null,
    diskTotalBytes: null,
    diskFreeBytes: null,
    temperatureCelsius: null,
    throttled: null,
    networkReceivedBytes: null,
    networkSentBytes: null,
    writtenBytes,
    residentBytes: null,
  };
}

function historyOf(count: number, written: (n: number) => number | null = () => 0): HostHistory {
  const history = new HostHistory();
  for (let n = 0; n < count; n++) history.add(sampleAt(n * STEP_MS, written(n)));
  return history;
}

describe("the history of this board", () => {
  test("keeps two hours of readings, and one in five minutes for a day", () => {
    const history = historyOf(3 * 2_880);
    const kept = history.between(0, Number.POSITIVE_INFINITY);
    const newestMs = (3 * 2_880 - 1) * STEP_MS;
    expect(kept.length).toBeLessThanOrEqual(240 + 288);
    expect(kept.filter(({ atMs }) => atMs > newestMs - 2 * 3_600_000)).toHaveLength(240);
    expect(newestMs - (kept[0]?.atMs ?? 0)).toBeGreaterThan(23 * 3_600_000);
  });

  test("answers a span of time, oldest first, each reading once", () => {
    const times = historyOf(1_000)
      .between(5 * STEP_MS, 990 * STEP_MS)
      .map(({ atMs }) => atMs);
    expect(times).toEqual([...new Set(times)].sort((a, b) => a - b));
    expect(times.at(-1)).toBe(990 * STEP_MS);
  });

  test("does not guess bytes a day in the first ten minutes", () => {
    expect(historyOf(19, (n) => n * 1_000).writtenBytesPerDay()).toBeNull();
  });

  test("says bytes a day by the rate since the start", () => {
    expect(historyOf(21, (n) => n * 1_000).writtenBytesPerDay()).toBe(2_880 * 1_000);
  });

  test("knows no bytes a day where the kernel does not count them", () => {
    expect(historyOf(50, () => null).writtenBytesPerDay()).toBeNull();
  });
});
