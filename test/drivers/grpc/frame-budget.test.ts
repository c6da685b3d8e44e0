import { describe, expect, test } from "bun:test";
import { frame, PREFACE } from "#test/support/http2-frames.ts";
import { FrameBudget } from "@/drivers/grpc/frame-budget.ts";

const PER_SECOND = 3;

function spentBy(bytes: Uint8Array, nowMs = 0): boolean {
  return new FrameBudget(PER_SECOND, 0).spend(Buffer.concat([PREFACE, bytes]), nowMs);
}

const many = (count: number, one: Uint8Array) => Buffer.concat(new Array(count).fill(one));

describe("a budget of frames", () => {
  test.each([
    ["data", 30, frame(0, 0, 1, new Uint8Array(100))],
    ["headers", 30, frame(1, 4, 1, new Uint8Array(100))],
    ["pings", 10, frame(6, 0, 0, new Uint8Array(8))],
    ["settings", 10, frame(4, 0, 0)],
    ["resets", 10, frame(3, 0, 1, new Uint8Array(4))],
    ["continuations of one byte", 10, frame(9, 0, 1, new Uint8Array(1))],
    ["empty data", 10, frame(0, 0, 1)],
    ["unknown frames", 10, frame(77, 0, 0, new Uint8Array(50))],
  ])("holds %s ten seconds' worth at once, and not one more", (_, count, one) => {
    expect(spentBy(many(count, one))).toBe(true);
    expect(spentBy(many(count + 1, one))).toBe(false);
  });

  test("grows again with time, to no more than it was", () => {
    const budget = new FrameBudget(PER_SECOND, 0);
    const ping = frame(6, 0, 0, new Uint8Array(8));
    expect(budget.spend(Buffer.concat([PREFACE, many(10, ping)]), 0)).toBe(true);
    expect(budget.spend(ping, 1_000)).toBe(true);
    expect(budget.spend(many(10, ping), 60_000)).toBe(true);
    expect(budget.spend(ping, 60_000)).toBe(false);
  });

  test("counts the same however the bytes are cut", () => {
    const bytes = Buffer.concat([PREFACE, many(10, frame(6, 0, 0, new Uint8Array(8)))]);
    for (const size of [1, 2, 3, 7, 16, 33]) {
      const budget = new FrameBudget(PER_SECOND, 0);
      let isIn = true;
      for (let at = 0; at < bytes.length; at += size) {
        isIn = budget.spend(bytes.subarray(at, at + size), 0) && isIn;
      }
      expect(isIn).toBe(true);
      expect(budget.spend(frame(4, 0, 0), 0)).toBe(false);
    }
  });
});
