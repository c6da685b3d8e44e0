import { describe, expect, test } from "bun:test";
import { EMPTY_PAYLOAD, newBlock, sumUp } from "@/core/consensus/block.ts";
import { type Hash, NO_HASH, type PublicKey, type Tx } from "@/core/consensus/types.ts";
import { type AppBugs, Application, newTx, VALID_MS } from "./consensus/application.ts";
import { runBatch } from "./consensus/batch.ts";
import { theCore } from "./consensus/core.ts";
import { minimise } from "./consensus/minimise.ts";
import { differenceOf, runWithBoth } from "./consensus/real-signatures.ts";
import { run } from "./consensus/run.ts";
import { twinsOf } from "./consensus/twins.ts";

const SEEDS = 300;
const TWINS = 60;
const FORKS_WITHIN = 10_000;

describe("replicas of the consensus core, simulated", () => {
  test(`${SEEDS} seeds of everything that can go wrong break no promise`, () => {
    const { violations, failed, tally, reports } = runBatch({
      from: 0,
      to: SEEDS,
      nodes: null,
      isTwins: false,
    });
    expect({ violations, failed, reports }).toEqual({ violations: 0, failed: [], reports: [] });
    expect(tally.commits).toBeGreaterThan(SEEDS * 5);
    expect(tally.restarts).toBeGreaterThan(SEEDS);
    expect(tally.events).toBeLessThan(SEEDS * 3_000);
  }, 60_000);

  test(`${TWINS} scenarios with f twins break no promise`, () => {
    const terms = { from: 0, to: TWINS, isTwins: true };
    expect(runBatch({ ...terms, nodes: 4 }).failed).toEqual([]);
    expect(runBatch({ ...terms, to: TWINS / 6, nodes: 7 }).failed).toEqual([]);
  }, 60_000);

  test("with f + 1 twins there is a fork, so the checker is not blind", () => {
    let seed = 0;
    const isFork = (check: string | undefined): boolean =>
      check !== undefined && /^S[1-4]$/.test(check);
    while (seed < FORKS_WITHIN) {
      const { violation } = run({ seed, core: theCore, fixed: twinsOf(seed, 4, 1) });
      if (isFork(violation?.check)) break;
      seed++;
    }
    expect(seed).toBeLessThan(FORKS_WITHIN);
  }, 60_000);

  test("real signatures change nothing", () => {
    const seeds = [1, 2, 3, 7, 12, 20];
    const differences = seeds.map((seed) =>
      differenceOf(runWithBoth({ seed, fixed: { txs: 10 } })),
    );
    expect(differences).toEqual(seeds.map(() => null));
  }, 60_000);

  test("a failing run is made smaller and still fails in the same way", () => {
    const bugs = { sendsBeforeSync: true, disk: { lies: false } };
    const fixed = { n: 4, crashes: 4, loss: 0.2, delayMsMax: 2_000 };
    const terms = { seed: 1, core: theCore, bugs, fixed };
    const failed = run(terms);
    const { outcome } = minimise(terms, failed);
    expect(failed.violation?.check).toBe("S7");
    expect(outcome.violation?.check).toBe("S7");
    expect(outcome.faults.length).toBeLessThanOrEqual(failed.faults.length);
    expect(outcome.faults.length).toBeLessThan(5);
  }, 60_000);
});

describe("a transaction of the simulation", () => {
  const app = new Application([]);
  const txs = (validUntilMs: number): Tx => newTx({ id: 1, validUntilMs, members: null });

  test.each([
    ["is due until its time, to the millisecond", 1_000, 1_000, true],
    ["is expired a millisecond later", 1_000, 1_001, false],
    ["is due ten minutes before its time", 1_000 + VALID_MS, 1_000, true],
    ["and not a millisecond earlier", 1_001 + VALID_MS, 1_000, false],
  ])("%s", (_, validUntilMs, timestampMs, isDue) => {
    expect(app.isDue(txs(validUntilMs), timestampMs)).toBe(isDue);
  });

  test.each([
    ["is executed once, however often it is committed", {}, 1],
    ["the same, were it forgotten", { forgetsExecuted: true }, 0],
  ] as const)("%s", (_, bugs: AppBugs, executed) => {
    const one = new Application([], bugs);
    const genesis = one.genesis(NO_HASH, [] as PublicKey[], 0);
    const once = one.execute(genesis, blockOf(1, [txs(5_000), txs(5_000)]));
    expect(one.execute(once, blockOf(2, [txs(5_000)])).executed.size).toBe(executed);
  });
});

function blockOf(height: number, inline: readonly Tx[]) {
  const payload = { inline, batches: [] };
  const header = {
    ver: 1,
    chainId: NO_HASH,
    epoch: 1,
    view: height,
    height,
    parent: NO_HASH,
    justifyView: 0,
    proposer: 0,
    timestampMs: 1_000 + height,
    ...sumUp(inline.length > 0 ? payload : EMPTY_PAYLOAD),
    execHeight: 0,
    execRoot: NO_HASH as Hash,
    evidenceRoot: NO_HASH,
    nextValidatorsHash: null,
    closing: null,
  } as const;
  return newBlock(header, payload);
}
