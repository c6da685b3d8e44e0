import { describe, expect, test } from "bun:test";
import { nodeIdOf } from "@/core/ids.ts";
import { learnPoolTime, nodeSlotAt, poolTimeAt, skewMs } from "@/core/poot/node-clock.ts";
import { nextHeartbeatMs } from "@/core/poot/schedule.ts";
import {
  intervalFirstSlot,
  intervalLastSlot,
  slotAt,
  slotStartMs,
  slotsIn,
  slotsPerInterval,
} from "@/core/poot/slot.ts";
import {
  countHeard,
  newSlotWindow,
  noteHeard,
  wasHeard,
  windowSlotsFor,
} from "@/core/poot/slot-window.ts";
import { addCounts, recoverSlots, uptimePermille } from "@/core/poot/uptime.ts";
import { S, T } from "./world.ts";

describe("slots", () => {
  test.each([
    [0, 0],
    [29_999, 0],
    [30_000, 1],
    [1_770_000_000_000, 59_000_000],
  ])("%d ms lie in slot %d", (ms, slot) => {
    expect(slotAt(ms, T)).toBe(slot);
    expect(slotStartMs(slot, T)).toBeLessThanOrEqual(ms);
  });

  test("make intervals", () => {
    expect([S, S + 9, S + 10].map((slot) => intervalFirstSlot(slot, 10))).toEqual([S, S, S + 10]);
    expect(intervalLastSlot({ epoch: 0, firstSlot: S, slots: 10 })).toBe(S + 9);
    expect(slotsIn(100, 30)).toBe(3);
  });

  test.each([
    [300, 30, 10],
    [300, 300, 1],
    [300, 5, 60],
    [3600, 300, 12],
  ])("an interval of %d s with slots of %d s has %d", (interval, slot, count) => {
    expect(slotsPerInterval(interval, slot)).toBe(count);
  });

  test.each([
    [300, 4],
    [300, 301],
    [300, 7],
    [600, 600],
    [300, 7.5],
    [300, 0],
    [300, 1],
  ])("an interval of %d s with slots of %d s is refused", (interval, slot) => {
    expect(() => slotsPerInterval(interval, slot)).toThrow(
      expect.objectContaining({ kind: "invalid", code: "poot.slot_seconds" }),
    );
  });

  test("of one second are for the demo", () => {
    expect(slotsPerInterval(10, 1, 1)).toBe(10);
  });
});

describe("the window of a node's last slots", () => {
  test("forgets what has gone out of it, and nothing else", () => {
    const window = newSlotWindow(32);
    for (let slot = S; slot < S + 100; slot += 3) noteHeard(window, slot, false);
    for (let slot = S - 5; slot < S + 120; slot++) {
      const isIn = slot > S + 99 - 32 && slot <= S + 99;
      expect(wasHeard(window, slot)).toBe(isIn && (slot - S) % 3 === 0);
    }
    expect(countHeard(window, S, S + 99)).toBe(11);
    expect(countHeard(window, S + 90, S + 95)).toBe(2);
  });

  test("takes a slot that comes late, but not one it has left behind", () => {
    const window = newSlotWindow(32);
    noteHeard(window, S + 40, false);
    noteHeard(window, S + 30, false);
    noteHeard(window, S + 8, false);
    expect([S + 8, S + 30, S + 40].map((slot) => wasHeard(window, slot))).toEqual([
      false,
      true,
      true,
    ]);
  });

  test("leaps over any gap", () => {
    const window = newSlotWindow(32);
    noteHeard(window, S, false);
    noteHeard(window, S + 1_000_000, false);
    expect(countHeard(window, S, S + 1_000_000)).toBe(1);
  });

  test.each([
    [10, 32],
    [1, 32],
    [60, 180],
    [300, 900],
  ])("for intervals of %d slots remembers %d", (slots, remembered) => {
    expect(windowSlotsFor(slots)).toBe(remembered);
  });
});

describe("the next heartbeat", () => {
  const node = nodeIdOf(Uint8Array.of(1));
  test("comes in the next slot, always at the same place of it", () => {
    const now = S * T * 1000;
    const places = [0, 1, 14_000, 29_999].map((shift) => {
      const at = now + shift + nextHeartbeatMs(node, now + shift, T);
      return at - now;
    });
    expect(new Set(places).size).toBe(1);
    expect(slotAt(now + (places[0] ?? 0), T)).toBe(S + 1);
  });

  test("is spread over the slot, away from its edges", () => {
    const counts = new Array(10).fill(0);
    for (let at = 0; at < 1000; at++) {
      const ms = nextHeartbeatMs(nodeIdOf(Uint8Array.of(at >> 8, at & 255)), 0, T) - T * 1000;
      counts[Math.floor(ms / 3000)]++;
    }
    expect(counts[0] + counts[8] + counts[9]).toBe(0);
    expect(Math.min(...counts.slice(1, 7))).toBeGreaterThan(120);
  });
});

describe("a node's clock", () => {
  const clock = learnPoolTime({
    poolTimeMs: 1_000_000,
    slotSeconds: T,
    sentMs: 100,
    receivedMs: 300,
  });
  test("goes on from what the pool said, half way between question and answer", () => {
    expect(poolTimeAt(clock, 200)).toBe(1_000_000);
    expect(poolTimeAt(clock, 20_200)).toBe(1_020_000);
    expect(nodeSlotAt(clock, 200)).toBe(33);
    expect(nodeSlotAt(clock, 20_200)).toBe(34);
  });

  test("shows by how much the wall clock is off", () => {
    expect(skewMs(clock, 1_007_000, 200)).toBe(7000);
    expect(skewMs(clock, 993_000, 200)).toBe(-7000);
  });
});

describe("uptime", () => {
  test.each([
    [0, 0, null],
    [1, 0, 1000],
    [0, 1, 0],
    [2, 1, 666],
    [999, 1, 999],
    [9999, 1, 999],
  ])("of %d UP and %d DOWN is %p", (up, down, permille) => {
    expect(uptimePermille({ up, down })).toBe(permille);
  });

  test("adds up over intervals, and counts recovered slots as UP", () => {
    const one = { up: 3, down: 1, unobserved: 4, planned: 2 };
    const sum = addCounts([one, one]);
    expect(sum).toEqual({ up: 6, down: 2, unobserved: 8, planned: 4 });
    expect(recoverSlots(sum, 3)).toEqual({ up: 9, down: 2, unobserved: 5, planned: 4 });
    expect(recoverSlots(one, 9)).toEqual({ up: 7, down: 1, unobserved: 0, planned: 2 });
  });
});
