import { describe, expect, test } from "bun:test";
import { databases } from "#test/support/database.ts";
import { DAY_MS, HOUR_MS, INTERVAL_MS, MoneyWorld, SLOTS } from "#test/support/money-world.ts";
import { codeOf, SYSTEM } from "#test/support/registry.ts";
import type { Standing } from "@/core/ledger/standing.ts";
import { readTransfersAfter } from "@/modules/ledger/transfers.ts";

/** 0.01 USDT an hour is this much per interval of 300 s, without the fraction. */
const perHour = 10_000n;

describe("booking", () => {
  test("an hour at 0.01 USDT is 10000 micro-USDT, to the millionth", async () => {
    await using world = await MoneyWorld.start();
    const pool = await world.pool();
    const node = await world.node(pool);
    world.earn(pool, 1, node);
    await world.ledger.book();
    expect(await world.ledger.owed(pool.id, node.id)).toEqual(standing({ payable: perHour }));
  });

  test("never changes what is owed, at any interval of a day, whatever the fee", async () => {
    await using world = await MoneyWorld.start({
      usdtPerHour: "0.013337",
      booking: { feePermille: 37 },
    });
    const pool = await world.pool();
    const node = await world.node(pool);
    for (let interval = 0; interval < 288; interval++) {
      world.credits.pass(pool.id, { [node.id]: { ticks: 1 + (interval % SLOTS), health: 777 } });
      const before = await world.ledger.owed(pool.id, node.id);
      if (interval % 7 === 3 || interval % 5 === 0) await world.ledger.book();
      const after = await world.ledger.owed(pool.id, node.id);
      expect({ interval, owed: after.owed }).toEqual({ interval, owed: before.owed });
    }
  });

  test("does not depend on how often it is done", async () => {
    const owed = await Promise.all(
      [1, 5, 12, 288].map(async (every) => {
        await using world = await MoneyWorld.start({
          usdtPerHour: "0.009999",
          booking: { feePermille: 33 },
        });
        const pool = await world.pool();
        const node = await world.node(pool);
        for (let interval = 1; interval <= 288; interval++) {
          world.credits.pass(pool.id, { [node.id]: {} });
          if (interval % every === 0) await world.ledger.book();
        }
        return (await world.ledger.owed(pool.id, node.id)).owed;
      }),
    );
    expect(new Set(owed).size).toBe(1);
  });

  test("books nothing twice when asked twice, also at once", async () => {
    await using world = await MoneyWorld.start();
    const pool = await world.pool();
    const node = await world.node(pool);
    world.earn(pool, 2, node);
    await Promise.all([world.ledger.book(), world.ledger.book(), world.ledger.book()]);
    await world.ledger.book();
    expect(await world.ledger.owed(pool.id, node.id)).toEqual(standing({ payable: 2n * perHour }));
    expect(await world.ledger.check()).toEqual([]);
  });

  test("tells the proof of operational time how far it has come", async () => {
    await using world = await MoneyWorld.start();
    const pool = await world.pool();
    world.earn(pool, 1, await world.node(pool));
    await world.ledger.book();
    expect(world.credits.booked).toBe(12n);
  });

  test("keeps the accounts of a node at two pools apart", async () => {
    await using world = await MoneyWorld.start();
    const [one, two] = [await world.pool("one"), await world.pool("two")];
    const node = await world.node(one);
    world.earn(one, 1, node);
    await world.registry.join(SYSTEM, node.id, two.id);
    world.earn(two, 3, node);
    await world.ledger.book();
    expect((await world.ledger.owed(one.id, node.id)).owed).toBe(perHour);
    expect((await world.ledger.owed(two.id, node.id)).owed).toBe(3n * perHour);
  });

  test("parts a booking at midnight, so that a day's money is told apart", async () => {
    await using world = await MoneyWorld.start();
    const pool = await world.pool();
    const node = await world.node(pool);
    world.earn(pool, 13, node);
    await world.ledger.book();
    const transfers = await readTransfersAfter(world.database, 0n, 100);
    const earned = transfers.filter(({ id }) => id.includes(":conv2:"));
    expect(earned.map(({ amount }) => amount)).toEqual([12n * perHour, perHour]);
    expect((await world.ledger.totals()).creditedToday).toBe(perHour);
  });

  test("names the newest claim of what it books", async () => {
    await using world = await MoneyWorld.start();
    const pool = await world.pool();
    const node = await world.node(pool);
    world.earn(pool, 1, node);
    await world.ledger.book();
    const accruals = (await readTransfersAfter(world.database, 0n, 100)).filter(
      ({ code }) => code === "accrue",
    );
    const claim = world.credits.closed.at(-1)?.credits[0]?.claim ?? new Uint8Array();
    expect(accruals.map(({ ref }) => ref)).toEqual([Bun.SHA256.hash(claim, "hex") as string]);
  });

  test("goes on after a rewind of the clock, although slots come again", async () => {
    await using world = await MoneyWorld.start();
    const pool = await world.pool();
    const node = await world.node(pool);
    world.earn(pool, 2, node);
    await world.ledger.book();
    world.clock.jump(-HOUR_MS * 2);
    world.credits.epoch = 1;
    world.earn(pool, 2, node);
    await world.ledger.book();
    expect((await world.ledger.owed(pool.id, node.id)).owed).toBe(4n * perHour);
    expect(await world.ledger.check()).toEqual([]);
  });

  test("books a bad day too: a node below the health that is paid earns nothing", async () => {
    await using world = await MoneyWorld.start();
    const pool = await world.pool();
    const [sick, well] = [await world.node(pool), await world.node(pool)];
    world.credits.pass(pool.id, { [sick.id]: { health: 499 }, [well.id]: { health: 500 } });
    await world.ledger.book();
    expect((await world.ledger.owed(pool.id, sick.id)).owed).toBe(0n);
    expect((await world.ledger.owed(pool.id, well.id)).owed).toBe(416n);
  });
});

describe.each(databases())("a booking that is interrupted ($kind)", ({ place }) => {
  const crashes = (["before", "after"] as const).flatMap((when) =>
    [1, 2, 3].map((commit) => [when, commit] as const),
  );

  test.each(crashes)(
    "%s commit %d of three goes on: 250 nodes, none twice or never",
    async (when, commit) => {
      await using disk = await place();
      await using world = await MoneyWorld.start({ place: disk });
      const pool = await world.pool();
      const ids = Array.from({ length: 250 }, (_, n) => `node${String(n).padStart(4, "0")}`);
      const earners = Object.fromEntries(ids.map((id) => [id, {}]));
      for (let interval = 0; interval < 12; interval++) world.credits.pass(pool.id, earners);
      let commits = 0;
      world[when === "before" ? "crashBefore" : "crashAfter"] = () => {
        commits += 1;
        if (commits === commit) throw new Error("the power is gone");
      };
      await expect(world.ledger.book()).rejects.toThrow("the power is gone");
      world.crashBefore = world.crashAfter = () => {};
      await world.restart();
      expect((await world.ledger.totals()).owed).toBe(250n * perHour);
      await world.ledger.book();
      expect(await world.ledger.totals()).toMatchObject(standing({ payable: 250n * perHour }));
      expect(await world.ledger.check()).toEqual([]);
    },
  );
});

describe("the tariff", () => {
  test("changes at the next interval; what was earned before keeps its rate", async () => {
    await using world = await MoneyWorld.start({ usdtPerHour: "0.01" });
    const pool = await world.pool();
    const node = await world.node(pool);
    world.earn(pool, 1, node);
    await world.ledger.configure({
      microPerHour: 20_000n,
      weights: {},
      dailyBudgetMicro: undefined,
    });
    expect(world.ledger.tariff().microPerHour).toBe(10_000n);
    world.credits.pass(pool.id, { [node.id]: {} });
    world.earn(pool, 1, node);
    await world.ledger.book();
    expect((await world.ledger.owed(pool.id, node.id)).owed).toBe(10_000n + 833n + 20_000n);
    expect(world.ledger.tariffs.map(({ microPerHour }) => microPerHour)).toEqual([
      10_000n,
      20_000n,
    ]);
  });

  test("is remembered, and opens no period when nothing has changed", async () => {
    await using world = await MoneyWorld.start({
      usdtPerHour: "0.02",
      weights: { storage: 1_500 },
    });
    await world.restart();
    await world.ledger.settleTariff();
    expect(world.ledger.tariffs).toHaveLength(1);
    expect(world.ledger.weightOf("storage")).toBe(1_500);
    expect(world.ledger.weightOf("developer")).toBe(1_000);
    await world.restart({ usdtPerHour: "0.03" });
    expect(world.ledger.tariffs).toHaveLength(2);
    world.clock.advance(INTERVAL_MS);
    expect(world.ledger.tariff().microPerHour).toBe(30_000n);
  });

  test("changed twice before the next interval holds one interval later", async () => {
    await using world = await MoneyWorld.start();
    for (const microPerHour of [20_000n, 30_000n]) {
      await world.ledger.configure({ microPerHour, weights: {}, dailyBudgetMicro: undefined });
    }
    const rates: bigint[] = [];
    for (let interval = 0; interval < 3; interval++) {
      rates.push(world.ledger.tariff().microPerHour);
      world.clock.advance(INTERVAL_MS);
    }
    expect(rates).toEqual([10_000n, 20_000n, 30_000n]);
  });
});

describe("maturity", () => {
  test("keeps what was earned out of what is payable until it is old enough", async () => {
    await using world = await MoneyWorld.start({ booking: { maturitySeconds: 7_200 } });
    const pool = await world.pool();
    const node = await world.node(pool);
    world.earn(pool, 1, node);
    await world.ledger.book();
    const { owed } = await world.ledger.owed(pool.id, node.id);
    expect(await world.ledger.owed(pool.id, node.id)).toEqual(standing({ accruing: owed }));
    world.clock.advance(2 * HOUR_MS - 1);
    await world.ledger.book();
    expect((await world.ledger.owed(pool.id, node.id)).payable).toBe(0n);
    world.clock.advance(1);
    await world.ledger.book();
    await world.ledger.book();
    expect(await world.ledger.owed(pool.id, node.id)).toEqual(standing({ payable: perHour }));
    expect(await world.ledger.check()).toEqual([]);
  });
});

describe("a daily budget", () => {
  test("pays nothing before the day closes, then in proportion what fits", async () => {
    await using world = await MoneyWorld.start({ dailyBudget: "0.15" });
    const pool = await world.pool();
    const [one, two] = [await world.node(pool), await world.node(pool)];
    world.earn(pool, 6, one, two);
    world.earn(pool, 6, one);
    await world.ledger.book();
    expect((await world.ledger.totals()).owed).toBe(0n);
    expect(await codeOf(world.ledger.requireNothingOwed(pool.id))).toBe("pool.owes");
    world.earn(pool, 1, two);
    await world.ledger.book();
    expect((await world.ledger.owed(pool.id, one.id)).owed).toBe(100_000n);
    expect((await world.ledger.owed(pool.id, two.id)).owed).toBe(50_000n);
    world.clock.advance(DAY_MS);
    await world.ledger.book();
    expect((await world.ledger.totals()).owed).toBe(150_000n + 10_000n);
    expect(await world.ledger.check()).toEqual([]);
  });

  test("that is taken away lets what waits become money at once", async () => {
    await using world = await MoneyWorld.start({ dailyBudget: "0.000001" });
    const pool = await world.pool();
    const node = await world.node(pool);
    world.earn(pool, 1, node);
    await world.ledger.book();
    await world.restart({ dailyBudget: undefined as never });
    await world.ledger.book();
    expect((await world.ledger.owed(pool.id, node.id)).owed).toBe(perHour);
  });
});

describe("a pool whose nodes are owed money", () => {
  test("is not deleted; one that owes nothing is", async () => {
    await using world = await MoneyWorld.start();
    const pool = await world.pool();
    world.registry.beforePoolDelete((id) => world.ledger.requireNothingOwed(id));
    const node = await world.node(pool);
    world.earn(pool, 1, node);
    await world.registry.remove(SYSTEM, node.id);
    expect(await codeOf(world.registry.deletePool(SYSTEM, pool.id))).toBe("pool.owes");
    const empty = await world.pool("empty");
    expect(await codeOf(world.registry.deletePool(SYSTEM, empty.id))).toBe("allowed");
  });
});

describe("a recount", () => {
  test("is worth what the books say, booked or not", async () => {
    await using world = await MoneyWorld.start({ usdtPerHour: "0.007777" });
    const pool = await world.pool();
    const [one, two] = [await world.node(pool), await world.node(pool)];
    world.earn(pool, 3, one, two);
    await world.ledger.book();
    world.earn(pool, 1, one);
    const credits = world.credits.closed.flatMap((closed) => closed.credits);
    const all = await world.ledger.compare(pool.id, undefined, credits);
    expect(all).toEqual({ recomputedMicroUsdt: 54_439n, ledgerMicroUsdt: 54_439n });
    const mine = credits.filter(({ node }) => node === one.id);
    const alone = await world.ledger.compare(pool.id, one.id, mine);
    expect(alone).toEqual({ recomputedMicroUsdt: 31_108n, ledgerMicroUsdt: 31_108n });
    const less = await world.ledger.compare(pool.id, one.id, mine.slice(12));
    expect(less).toEqual({ recomputedMicroUsdt: 23_331n, ledgerMicroUsdt: 31_108n });
    world.credits.closed.shift();
    expect(await world.ledger.compare(pool.id, undefined, credits)).toBeUndefined();
  });
});

function standing(parts: Partial<Standing>): Standing {
  const { accruing = 0n, payable = 0n, pending = 0n, paid = 0n } = parts;
  return { owed: accruing + payable + pending, accruing, payable, pending, paid };
}
