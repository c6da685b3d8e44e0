import { describe, expect, test } from "bun:test";
import { refusalCode } from "#test/support/refusal-code.ts";
import { readTime } from "@/std/time-text.ts";

describe("a time in words", () => {
  test.each([
    ["2026-01-31", Date.UTC(2026, 0, 31)],
    ["2026-01-31T12:30:00Z", Date.UTC(2026, 0, 31, 12, 30)],
    ["2026-01-31t12:30:00.5z", Date.UTC(2026, 0, 31, 12, 30, 0, 500)],
    ["2026-01-31T12:30:00+02:00", Date.UTC(2026, 0, 31, 10, 30)],
  ])("%s is understood", (text, ms) => {
    expect(readTime(text, "query.from")).toBe(ms);
  });

  test.each([
    "",
    "now",
    "1767614700",
    "2026",
    "2026-02-30",
    "2026-13-01",
    "2026-01-31T12:30",
    "2026-01-31 12:30:00Z",
    "2026-01-31T12:30:00",
    "2026-01-31T25:00:00Z",
  ])("%p is refused", (text) => {
    expect(refusalCode(() => readTime(text, "query.from"))).toBe("request.invalid");
  });
});
