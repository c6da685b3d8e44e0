import { describe, expect, test } from "bun:test";
import { isWorkDone, solveWork, WORK_BITS_MAX, workBits } from "@/core/enrolment-work.ts";

const WORK = { challenge: new Uint8Array(83).fill(1), nodeKey: new Uint8Array(32), bits: 8 };

describe("the work of a stranger", () => {
  test.each([
    ["is the usual while nobody is there", { pending: 0, pendingMax: 20, recent: 0 }, 18],
    ["rises as the door fills", { pending: 10, pendingMax: 20, recent: 0 }, 21],
    ["is hardest at the last place", { pending: 20, pendingMax: 20, recent: 0 }, 24],
    ["rises with those who ask", { pending: 0, pendingMax: 20, recent: 28 }, 21],
    ["has an end", { pending: 99, pendingMax: 1, recent: 1e9 }, WORK_BITS_MAX],
  ] as const)("%s", (_, load, bits) => {
    expect(workBits(18, load)).toBe(bits);
  });

  test("is found by trying, and checked by one hash", () => {
    const counter = solveWork(WORK, 0, 100_000);
    expect(counter).toBeDefined();
    expect(isWorkDone(WORK, counter ?? -1)).toBe(true);
    expect(solveWork(WORK, 0, counter ?? 0)).toBeUndefined();
  });

  test("is for one challenge and one key", () => {
    const counter = solveWork(WORK, 0, 100_000) ?? -1;
    const others = [
      { ...WORK, bits: 24 },
      { ...WORK, bits: 40, nodeKey: new Uint8Array(32).fill(2) },
      { ...WORK, bits: 40, challenge: new Uint8Array(83).fill(2) },
    ];
    expect(others.map((work) => isWorkDone(work, counter))).toEqual([false, false, false]);
    expect(isWorkDone({ ...WORK, bits: 0 }, 5)).toBe(true);
  });
});
