import { expect, test } from "bun:test";
import { TestClock } from "./clock.ts";

test("timers run in the order they fall due, each at its own moment", () => {
  const clock = new TestClock(0);
  const seen: string[] = [];
  clock.after(30, () => seen.push(`after ${clock.now()}`));
  const end = clock.every(20, () => seen.push(`every ${clock.now()}`));
  clock.after(10, () => clock.after(15, () => seen.push(`inner ${clock.now()}`)));
  const cancel = clock.after(5, () => seen.push("cancelled"));
  cancel();
  clock.advance(40);
  end();
  clock.advance(40);
  expect(seen).toEqual(["every 20", "inner 25", "after 30", "every 40"]);
  expect([clock.now(), clock.monotonic(), clock.waiting]).toEqual([80, 80, 0]);
});

test("a jump moves the wall clock only, and wakes nobody", () => {
  const clock = new TestClock(1_000);
  let woken = 0;
  clock.after(10, () => woken++);
  clock.jump(-500);
  expect([clock.now(), clock.monotonic(), woken]).toEqual([500, 0, 0]);
  clock.advance(10);
  expect([clock.now(), clock.monotonic(), woken]).toEqual([510, 10, 1]);
});
