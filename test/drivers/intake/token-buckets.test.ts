import { expect, test } from "bun:test";
import { TokenBuckets } from "@/drivers/intake/token-buckets.ts";

test("buckets remember so many flows, and the first is forgotten", () => {
  const buckets = new TokenBuckets({ perSecond: 1, burst: 1 }, 2);
  expect(["a", "b", "c"].map((flow) => buckets.take(flow, 0))).toEqual([0, 0, 0]);
  expect(buckets.size).toBe(2);
  expect(buckets.take("c", 0)).toBe(1);
  expect(buckets.take("a", 0)).toBe(0);
});

test("a bucket never holds more than its burst", () => {
  const buckets = new TokenBuckets({ perSecond: 10, burst: 2 }, 9);
  const taken = [0, 1, 2].map(() => buckets.take("a", 60_000));
  expect(taken).toEqual([0, 0, 0.1]);
  expect(buckets.take("a", 60_100)).toBe(0);
});
