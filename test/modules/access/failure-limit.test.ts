import { describe, expect, test } from "bun:test";
import { TestClock } from "#test/support/clock.ts";
import { refusalCode } from "#test/support/refusal-code.ts";
import { FailureLimit } from "@/modules/access/failure-limit.ts";
import { networkOf } from "@/std/network.ts";

const TERMS = { failuresMax: 3, windowMs: 1_000, blockMs: 5_000, addressesMax: 4 };

describe("a limit of failures", () => {
  test("blocks at the last failure it bears, and says so once", () => {
    const limit = new FailureLimit(new TestClock(), TERMS);
    expect([limit.failed("a"), limit.failed("a"), limit.failed("a")]).toEqual([false, false, true]);
    expect(refusalCode(() => limit.require("a"))).toBe("access.blocked");
    expect(refusalCode(() => limit.require("b"))).toBe("allowed");
    expect(limit.blockedCount()).toBe(1);
  });

  test("counts anew after a block", () => {
    const clock = new TestClock();
    const limit = new FailureLimit(clock, TERMS);
    for (let at = 0; at < 3; at++) limit.failed("a");
    clock.advance(5_000);
    expect(refusalCode(() => limit.require("a"))).toBe("allowed");
    expect([limit.failed("a"), limit.failed("a"), limit.failed("a")]).toEqual([false, false, true]);
  });

  test("counts what lies within the window, wherever it began", () => {
    const clock = new TestClock();
    const limit = new FailureLimit(clock, TERMS);
    limit.failed("a");
    clock.advance(600);
    limit.failed("a");
    clock.advance(400);
    expect(limit.failed("a")).toBe(false);
    expect(limit.failed("a")).toBe(true);
  });

  test("does not care about the wall clock", () => {
    const clock = new TestClock();
    const limit = new FailureLimit(clock, TERMS);
    for (let at = 0; at < 3; at++) limit.failed("a");
    clock.jump(1_000_000);
    expect(refusalCode(() => limit.require("a"))).toBe("access.blocked");
  });

  test("forgets the oldest address when it knows too many", () => {
    const limit = new FailureLimit(new TestClock(), TERMS);
    for (const address of ["a", "a", "b", "c", "d", "e"]) limit.failed(address);
    expect([limit.failed("a"), limit.failed("e")]).toEqual([false, false]);
    expect(limit.failed("e")).toBe(true);
  });
});

describe("what one stranger has", () => {
  test.each([
    ["192.0.2.1", "192.0.2.1"],
    ["192.0.2.1:50051", "192.0.2.1"],
    ["ipv4:192.0.2.1:50051", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["[::ffff:192.0.2.1]:443", "192.0.2.1"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2"],
    ["2001:0db8:0001:0002::9", "2001:db8:1:2"],
    ["[2001:DB8:1:2::9]:443", "2001:db8:1:2"],
    ["fe80::1%eth0", "fe80:0:0:0"],
    ["::1", "0:0:0:0"],
    ["2001:db8::", "2001:db8:0:0"],
  ])("of %s is %s", (address, network) => {
    expect(networkOf(address)).toBe(network);
  });
});
