import { faultsOf } from "@/core/consensus/quorum.ts";
import { Dice, LUCK } from "./dice.ts";
import type { Fixed, Part } from "./options.ts";

/** How many validators a scenario has in a long run: one of ten has seven, of which two are twins. */
export function longTwinsOf(seed: number): number {
  return new Dice(seed).throw(LUCK.size) < 0.9 ? 4 : 7;
}

/**
 * A Twins scenario: some validators run twice with one key, all that goes wrong otherwise is that the
 * network falls into two parts, other ones every few views, with a copy of each twin in each at times.
 * With f twins nothing may happen; with f + 1 there must be a fork, or the checker is blind.
 */
export function twinsOf(seed: number, n: number, excess = 0): Fixed {
  const stream = new Dice(seed).stream(LUCK.twins);
  const twins = stream.shuffle(Array.from({ length: n }, (_, id) => id));
  const count = faultsOf(n) + excess;
  const parts = Array.from(
    { length: n },
    (_, id): Part => (twins.indexOf(id) < count ? "twin" : "honest"),
  );
  return {
    n,
    parts,
    excess,
    syncPeriod: stream.chance(0.3) ? faultsOf(n) + 1 : 1,
    observers: 0,
    epochChanges: 0,
    healMs: stream.logUniform(1_500, 6_000),
    loss: 0,
    drizzle: 0,
    lossy: [],
    duplication: 0,
    delayMsMin: 2,
    delayMsMax: stream.logUniform(10, 80),
    slow: -1,
    partition: "split",
    partitionMs: stream.logUniform(30, 1_500),
    crashes: 0,
    fsyncMsMax: 1,
    skewMs: 0,
    clockTrouble: false,
    timeoutMsMax: 2_000,
    txs: 12,
    txEveryMs: stream.logUniform(10, 400),
    codec: false,
  };
}
