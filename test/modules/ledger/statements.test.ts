import { describe, expect, test } from "bun:test";
import { moneyOverHttp } from "#test/support/money-http.ts";
import { DAY_MS, HOUR_MS, INTERVAL_MS, MoneyWorld, START_MS } from "#test/support/money-world.ts";
import { SYSTEM } from "#test/support/registry.ts";
import { seededRandom } from "#test/support/seeded-random.ts";
import { statementValue } from "@/core/ledger/statement.ts";
import type { Node } from "@/core/node.ts";
import type { Pool } from "@/core/pool.ts";
import { fromBase64, toHex } from "@/std/bytes.ts";
import { canonicalBytes } from "@/std/canonical-json.ts";
import { sha256, verifySignature } from "@/std/crypto.ts";

/** Two days of work with bookings at odd times, and payments in between. */
async function busyDays(world: MoneyWorld) {
  const pool = await world.pool();
  const node = await world.node(pool);
  for (let hour = 0; hour < 50; hour++) {
    world.earn(pool, 1, node);
    if (hour % 3 === 1) await world.ledger.book();
    if (hour % 20 === 19) {
      const [batch] = await world.payouts.process(SYSTEM);
      const command = { type: "all", ref: `bank ${hour}` } as const;
      if (batch) await world.payouts.settle(SYSTEM, { id: batch.id, command });
    }
  }
  await world.ledger.book();
  return { pool, node };
}

const small = { payout: { thresholdMicro: 100_000n }, booking: { feePermille: 25 } };

function stateOf(
  world: MoneyWorld,
  { pool, node }: { pool: Pool; node: Node },
  from: number,
  to: number,
) {
  return world.ledger.statement({ pool: pool.id, node: node.id, fromMs: from, toMs: to });
}

describe("a statement", () => {
  test("adds up day by day to what is owed, and names claims, tariff and payments", async () => {
    await using world = await MoneyWorld.start(small);
    const place = await busyDays(world);
    const { statement } = await stateOf(world, place, START_MS, world.clock.now());
    const { owed, paid } = await world.ledger.owed(place.pool.id, place.node.id);
    expect([statement.opening, statement.closing]).toEqual([0n, owed]);
    expect(statement.days.map(({ day, earned }) => [day, earned])).toEqual([
      ["2026-01-05", 120_000n],
      ["2026-01-06", 240_000n],
      ["2026-01-07", 140_000n],
    ]);
    expect(statement.days.flatMap(({ claims }) => claims).length).toBeGreaterThanOrEqual(20);
    expect(statement.tariffs).toMatchObject([{ microPerHour: 10_000n, feePermille: 25 }]);
    expect(statement.payouts.map(({ batch, ref }) => [batch, ref])).toEqual([
      ["1", "bank 19"],
      ["2", "bank 39"],
    ]);
    expect(statement.payouts.reduce((sum, { amount }) => sum + amount, 0n)).toBe(paid);
  });

  test("begins with what the one before ended with, wherever the time is cut", async () => {
    await using world = await MoneyWorld.start(small);
    const place = await busyDays(world);
    const random = seededRandom(3);
    const cuts = Array.from({ length: 24 }, () => START_MS + Math.floor(random() * 50 * HOUR_MS));
    let fromMs = START_MS;
    let closing = 0n;
    for (const toMs of [...cuts.sort((a, b) => a - b), world.clock.now()]) {
      const { statement } = await stateOf(world, place, fromMs, toMs);
      expect({ toMs, opening: statement.opening }).toEqual({ toMs, opening: closing });
      expect(statement.toMs).toBeLessThanOrEqual(toMs);
      ({ closing } = statement);
      fromMs = statement.toMs;
    }
    expect(closing).toBe((await world.ledger.owed(place.pool.id, place.node.id)).owed);
  });

  test("never counts a part of a booking: it ends where the booking begins", async () => {
    await using world = await MoneyWorld.start();
    const pool = await world.pool();
    const node = await world.node(pool);
    for (let hour = 0; hour < 2; hour++) {
      world.earn(pool, 1, node);
      await world.ledger.book();
    }
    const { statement } = await stateOf(world, { pool, node }, START_MS, START_MS + 1.5 * HOUR_MS);
    expect([statement.toMs, statement.closing]).toEqual([START_MS + HOUR_MS, 10_000n]);
  });

  test("of a time that is over says the same for ever", async () => {
    await using world = await MoneyWorld.start(small);
    const place = await busyDays(world);
    const ask = () => stateOf(world, place, START_MS, world.clock.now());
    const first = await ask();
    const { fromMs, toMs } = first.statement;
    world.earn(place.pool, 30, place.node);
    await world.payouts.process(SYSTEM);
    const again = await stateOf(world, place, fromMs, toMs);
    expect(again).toEqual(first);
  });

  test("ends where the last interval was closed and booked, and books nothing itself", async () => {
    await using world = await MoneyWorld.start();
    const pool = await world.pool();
    const node = await world.node(pool);
    world.earn(pool, 1, node);
    await world.ledger.book();
    world.clock.advance(INTERVAL_MS / 2);
    const ask = () => stateOf(world, { pool, node }, START_MS, START_MS + DAY_MS);
    expect((await ask()).statement.toMs).toBe(START_MS + HOUR_MS);
    world.earn(pool, 1, node);
    expect((await ask()).statement.toMs).toBe(START_MS + HOUR_MS);
    await world.ledger.book();
    expect((await ask()).statement.toMs).toBe(START_MS + 2 * HOUR_MS);
  });

  test("is signed by the pool over its canonical JSON", async () => {
    await using world = await MoneyWorld.start(small);
    const { pool, node } = await busyDays(world);
    const { json } = await moneyOverHttp(world);
    const {
      statement,
      sha256: hash,
      signature,
    } = await json("GET", `/statements/${node.id}`, {
      as: node.id,
    });
    expect(hash).toBe(toHex(sha256(canonicalBytes(statement))));
    const bytes = fromBase64(signature) ?? new Uint8Array();
    const digest = sha256(canonicalBytes(statement));
    expect(verifySignature(pool.publicKey, digest, bytes)).toBe(true);
    const forged = { ...statement, closing_micro_usdt: "1" };
    expect(verifySignature(pool.publicKey, sha256(canonicalBytes(forged)), bytes)).toBe(false);
  });

  test("as a table carries the hash of the JSON and a running balance", async () => {
    await using world = await MoneyWorld.start(small);
    const place = await busyDays(world);
    const { ask } = await moneyOverHttp(world);
    const path = `/statements/${place.node.id}?format=csv`;
    const answer = await ask("GET", path, { as: place.node.id });
    expect(answer.headers.get("content-type")).toContain("text/csv");
    const rows = (await answer.text())
      .trimEnd()
      .split("\r\n")
      .map((row) => row.split(","));
    const registeredDay = START_MS - 12 * HOUR_MS;
    const signed = await stateOf(world, place, registeredDay, world.clock.now());
    const value = statementValue(signed.statement);
    expect(rows.at(-3)?.slice(1, 5)).toEqual([
      "closing",
      "0.000000",
      "0",
      String(value["closing_micro_usdt"]),
    ]);
    expect(rows.at(-2)?.at(-1)).toBe(signed.seal.sha256);
    expect(rows.filter(([, what]) => what === "pool fee")).toHaveLength(3);
  });
});

describe("an explanation", () => {
  test("goes from the balance over transfers to credits and claims, and explains all of it", async () => {
    await using world = await MoneyWorld.start(small);
    const { node } = await busyDays(world);
    world.credits.pass(node.pool, { [node.id]: {} });
    const { json } = await moneyOverHttp(world);
    const view = await json("GET", `/explain?node=${node.id}&from=2026-01-05`, { as: node.id });
    expect(view.unexplained).toEqual([]);
    expect(view.opening_micro_usdt).toBe("0");
    const changes = view.transfers.map((one: { amount_micro_usdt: string }) =>
      BigInt(one.amount_micro_usdt),
    );
    const booked = changes.reduce((sum: bigint, change: bigint) => sum + change, 0n);
    expect(booked + BigInt(view.accruing_micro_usdt)).toBe(BigInt(view.owed_micro_usdt));
    expect(view.transfers.at(-1).balance_micro_usdt).toBe(`${booked}`);
    expect(view.credits).toHaveLength(50 * 12 + 1);
    expect(view.credits.filter(({ booked: done }: { booked: boolean }) => !done)).toHaveLength(1);
    const claim = world.credits.closed.at(-1)?.credits[0]?.claim ?? new Uint8Array();
    expect(view.credits.at(-1).claim_hash).toBe(toHex(sha256(claim)));
  });

  test("of a part of the time begins with what was owed before it", async () => {
    await using world = await MoneyWorld.start();
    const pool = await world.pool();
    const node = await world.node(pool);
    for (let hour = 0; hour < 10; hour++) {
      world.earn(pool, 1, node);
      await world.ledger.book();
    }
    const fromMs = START_MS + 4 * HOUR_MS;
    const request = { pool: pool.id, node: node.id, fromMs, toMs: fromMs + 2 * HOUR_MS - 1 };
    const { opening, transfers, unexplained } = await world.ledger.explain(request);
    expect([opening, unexplained]).toEqual([40_000n, []]);
    expect(transfers.map(({ balance }) => balance)).toEqual([50_000n]);
  });

  test("names a booking whose credits are not the ones that were booked", async () => {
    await using world = await MoneyWorld.start();
    const pool = await world.pool();
    const node = await world.node(pool);
    world.earn(pool, 1, node);
    await world.ledger.book();
    world.credits.closed.splice(3, 1);
    const range = { fromMs: START_MS, toMs: world.clock.now() };
    const { unexplained } = await world.ledger.explain({ pool: pool.id, node: node.id, ...range });
    expect(unexplained).toHaveLength(1);
  });
});
