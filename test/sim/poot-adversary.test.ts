import { expect, test } from "bun:test";
import { runAdversaries } from "./poot-adversary.ts";

const RUNS = 500;

test(`in ${RUNS} random worlds nobody earns a slot in which no heartbeat was accepted`, () => {
  const { accepted, credited } = runAdversaries(0, RUNS);
  expect(credited).toBeGreaterThan(RUNS * 20);
  expect(credited).toBeLessThanOrEqual(accepted);
}, 60_000);
