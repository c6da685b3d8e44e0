import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { killPool } from "#test/support/killing.ts";

setDefaultTimeout(90_000);

const KILLS = 8;
const BACK_MS_MAX = 5_000;

describe("a pool that is killed again and again, with live nodes and payments under way", () => {
  test("loses no tick, credits none twice, pays everybody once, and is back soon", async () => {
    const seed = Date.now() % 1_000_000;
    const figures = await killPool({ kills: KILLS, nodes: 3, seed, database: "sqlite" });
    const { proven, payments, batches, backMs, ...rest } = figures;
    const slowest = Math.round(Math.max(...backMs));
    process.stdout.write(
      `seed ${seed}: ${KILLS} kills, ${proven} slots, ${payments} payments in ${batches} batches, back in at most ${slowest} ms\n`,
    );
    expect(rest).toEqual({ kills: KILLS, lost: 0, doubled: 0, faults: [] });
    expect(proven).toBeGreaterThan(KILLS);
    expect(payments).toBeGreaterThan(0);
    expect(slowest).toBeLessThan(BACK_MS_MAX);
  });
});
