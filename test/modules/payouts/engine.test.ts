import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { databases } from "#test/support/database.ts";
import { DAY_MS, HOUR_MS, MoneyWorld } from "#test/support/money-world.ts";
import { codeOf, SYSTEM } from "#test/support/registry.ts";
import type { Caller } from "@/core/caller.ts";
import type { SettleCommand } from "@/core/payout/settlement.ts";
import type { Batch } from "@/modules/payouts/batches.ts";

/** So long does a node work for 10 USDT. */
const HOURS = 1_000;
const OPERATOR: Caller = { type: "operator", id: "operator:local", roles: ["admin"] };
const paid = (ref: string): SettleCommand => ({ type: "all", ref });
const cancelled: SettleCommand = { type: "cancel", isNotSent: true, by: OPERATOR.id };

/** A pool with a node that is due, and the batch that pays it. */
async function due(world: MoneyWorld, count = 1) {
  const pool = await world.pool();
  const nodes = await Promise.all(
    Array.from({ length: count }, (_, n) => world.node(pool, `bank ${n + 1}`)),
  );
  world.earnAtOnce(pool, HOURS, ...nodes);
  return { pool, nodes, node: nodes[0] as NonNullable<(typeof nodes)[0]> };
}

async function seal(world: MoneyWorld): Promise<Batch> {
  const [batch] = await world.payouts.process(OPERATOR);
  if (!batch) throw new Error("nothing was sealed");
  return batch;
}

describe("a payout run", () => {
  test("pays a node at the threshold, not below it", async () => {
    await using world = await MoneyWorld.start();
    const pool = await world.pool();
    const [below, at] = [await world.node(pool), await world.node(pool)];
    world.credits.pass(pool.id, {
      [below.id]: { ticks: HOURS * 120 - 1 },
      [at.id]: { ticks: HOURS * 120 },
    });
    const batch = await seal(world);
    expect(batch.payments.map(({ node, amount }) => [node, amount])).toEqual([
      [at.id, 10_000_000n],
    ]);
    expect((await world.ledger.owed(pool.id, at.id)).pending).toBe(10_000_000n);
  });

  test("writes what is to be paid as files, the same bytes each time", async () => {
    await using world = await MoneyWorld.start();
    await due(world);
    await seal(world);
    const read = () =>
      ["json", "csv", "sha256"].map((ending) =>
        Bun.file(`${world.folder.path}/payouts/batch-000001.${ending}`).text(),
      );
    const before = await Promise.all(read());
    expect(JSON.parse(before[0] ?? "")).toMatchObject({
      number: 1,
      total_micro_usdt: "10000000",
      items: [{ address: "bank 1", amount_micro_usdt: "10000000" }],
    });
    await world.restart();
    await world.payouts.resume();
    expect(await Promise.all(read())).toEqual(before);
  });

  test("seals no second batch while one is open; the next has the next number", async () => {
    await using world = await MoneyWorld.start();
    const { pool, node } = await due(world);
    const first = await seal(world);
    world.earnAtOnce(pool, HOURS, node, await world.node(pool));
    expect(await world.payouts.process(OPERATOR)).toEqual([]);
    await world.payouts.settle(OPERATOR, { id: first.id, command: paid("a") });
    const second = await seal(world);
    expect([first.number, second.number, second.position]).toEqual([1, 2, 2]);
  });

  test("asked many times at once makes one batch", async () => {
    await using world = await MoneyWorld.start();
    const { pool, node } = await due(world);
    const runs = await Promise.all(
      Array.from({ length: 5 }, () => world.payouts.process(OPERATOR)),
    );
    expect(runs.flat()).toHaveLength(1);
    expect((await world.ledger.owed(pool.id, node.id)).pending).toBe(10_000_000n);
  });

  test("pays each pool by a batch of its own, all in one run", async () => {
    await using world = await MoneyWorld.start();
    const one = await world.pool("one");
    world.clock.advance(1);
    const two = await world.pool("two");
    const [a, b] = [await world.node(one), await world.node(two)];
    world.earnAtOnce(one, HOURS, a);
    world.earnAtOnce(two, HOURS, b);
    const batches = await world.payouts.process(OPERATOR);
    expect(batches.map(({ id, pool }) => [id, pool])).toEqual([
      ["1", one.id],
      ["2", two.id],
    ]);
  });

  test("takes the longest due first, and no more than a batch holds", async () => {
    await using world = await MoneyWorld.start({ payout: { itemsMax: 2 } });
    const { nodes } = await due(world, 3);
    const first = await seal(world);
    expect(first.payments).toHaveLength(2);
    await world.payouts.settle(OPERATOR, { id: first.id, command: paid("a") });
    const second = await seal(world);
    const left = nodes.filter(({ id }) => !first.payments.some(({ node }) => node === id));
    expect(second.payments.map(({ node }) => node)).toEqual(left.map(({ id }) => id));
  });

  test("is refused while the pool's clock is not believed", async () => {
    await using world = await MoneyWorld.start();
    await due(world);
    world.credits.trusted = false;
    expect(await codeOf(world.payouts.process(OPERATOR))).toBe("clock.untrusted");
    expect(world.payouts.nextRunAtMs()).toBeNull();
  });

  test("shows the same beforehand, without booking anything", async () => {
    await using world = await MoneyWorld.start();
    const { pool, node } = await due(world);
    const poor = await world.node(pool, null);
    world.credits.pass(pool.id, { [poor.id]: { ticks: 120 } });
    const [plan] = await world.payouts.plan();
    expect(plan?.plan.items.map((item) => [item.node, item.amount])).toEqual([
      [node.id, 10_000_000n],
    ]);
    expect(plan?.notPaid).toEqual([{ node: poor.id, reasons: ["no_address", "below_threshold"] }]);
    expect((await world.ledger.owed(pool.id, node.id)).payable).toBe(0n);
    expect((await seal(world)).total).toBe(plan?.plan.total ?? 0n);
  });
});

describe("settling", () => {
  test("a whole batch pays everybody once, whoever says it again", async () => {
    await using world = await MoneyWorld.start();
    const { pool, nodes } = await due(world, 3);
    const batch = await seal(world);
    for (let again = 0; again < 3; again++) {
      const ended = await world.payouts.settle(OPERATOR, { id: batch.id, command: paid("bank 7") });
      expect([ended.state, ended.ref]).toEqual(["settled", "bank 7"]);
    }
    for (const { id } of nodes) {
      const { owed, paid: sum } = await world.ledger.owed(pool.id, id);
      expect([owed, sum]).toEqual([0n, 10_000_000n]);
    }
    expect(await world.ledger.check()).toEqual([]);
    expect(world.payouts.openBatch()).toBeNull();
  });

  test.each<[string, SettleCommand, SettleCommand, string]>([
    ["another reference", paid("a"), paid("b"), "payout.already_settled_otherwise"],
    ["a settlement after a cancel", cancelled, paid("a"), "payout.already_settled_otherwise"],
    ["a cancel after a settlement", paid("a"), cancelled, "payout.already_settled_otherwise"],
    [
      "failed after paid",
      paid("a"),
      { type: "items", items: [{ id: 1, failed: "no" }] },
      "payout.already_settled_otherwise",
    ],
    [
      "paid after failed",
      { type: "items", items: [{ id: 1, failed: "no" }] },
      paid("a"),
      "payout.already_settled_otherwise",
    ],
    ["the same cancel again", cancelled, cancelled, "allowed"],
  ])("%s is answered as it should", async (_, first, second, code) => {
    await using world = await MoneyWorld.start();
    await due(world);
    const { id } = await seal(world);
    await world.payouts.settle(OPERATOR, { id, command: first });
    expect(await codeOf(world.payouts.settle(OPERATOR, { id, command: second }))).toBe(code);
    expect(await world.ledger.check()).toEqual([]);
  });

  test.each<[string, string, SettleCommand, string]>([
    ["an unknown batch", "9", paid("a"), "payout.batch_unknown"],
    ["an empty reference", "1", paid(""), "payout.ref_malformed"],
    ["a reference of two lines", "1", paid("a\nb"), "payout.ref_malformed"],
    [
      "an unknown payment",
      "1",
      { type: "items", items: [{ id: 9, ref: "a" }] },
      "payout.item_unknown",
    ],
    [
      "a payment named twice",
      "1",
      {
        type: "items",
        items: [
          { id: 1, ref: "a" },
          { id: 1, failed: "b" },
        ],
      },
      "payout.item_twice",
    ],
    [
      "a cancel without the word that nothing was sent",
      "1",
      { type: "cancel", isNotSent: false, by: "x" },
      "payout.not_sent_required",
    ],
  ])("%s is refused and changes nothing", async (_, id, command, code) => {
    await using world = await MoneyWorld.start();
    const { pool, node } = await due(world);
    await seal(world);
    expect(await codeOf(world.payouts.settle(OPERATOR, { id, command }))).toBe(code);
    expect((await world.ledger.owed(pool.id, node.id)).pending).toBe(10_000_000n);
  });

  test("payment by payment: what failed is payable again, and its payee held", async () => {
    await using world = await MoneyWorld.start();
    const { pool, nodes } = await due(world, 3);
    const { id, payments } = await seal(world);
    const say = (...items: Extract<SettleCommand, { type: "items" }>["items"]) =>
      world.payouts.settle(OPERATOR, { id, command: { type: "items", items } });
    expect((await say({ id: 1, ref: "p1" })).state).toBe("sealed");
    const ended = await say({ id: 2, failed: "no such account" }, { id: 3, ref: "p3" });
    expect(ended.state).toBe("settled");
    const failed = payments[1]?.node;
    const standing = failed && (await world.ledger.owed(pool.id, failed));
    expect([standing?.payable, standing?.pending]).toEqual([10_000_000n, 0n]);
    expect(await world.payouts.process(OPERATOR)).toEqual([]);
    const [plan] = await world.payouts.plan();
    expect(plan?.notPaid).toEqual([{ node: failed as never, reasons: ["operator"] }]);
    const node = nodes.find((one) => one.id === failed);
    if (!node) throw new Error("the payee is a node");
    await world.payouts.release(OPERATOR, pool.id, node.id);
    expect(await codeOf(world.payouts.release(OPERATOR, pool.id, node.id))).toBe("payout.not_held");
    expect((await seal(world)).total).toBe(10_000_000n);
  });

  test("a payee held for a failed payment is paid at another address", async () => {
    await using world = await MoneyWorld.start();
    const { pool, node } = await due(world);
    const { id } = await seal(world);
    const command: SettleCommand = { type: "items", items: [{ id: 1, failed: "closed" }] };
    await world.payouts.settle(OPERATOR, { id, command });
    world.clock.advance(HOUR_MS);
    await world.setAddress(node, pool, "bank 99");
    expect(await world.payouts.process(OPERATOR)).toEqual([]);
    world.clock.advance(DAY_MS);
    expect((await seal(world)).payments[0]?.address).toBe("bank 99");
  });

  test("a cancelled batch is payable again, at the same place of the lane", async () => {
    await using world = await MoneyWorld.start();
    const { pool, node } = await due(world);
    const { id } = await seal(world);
    await world.payouts.settle(OPERATOR, { id, command: cancelled, note: "wrong bank" });
    expect((await world.ledger.owed(pool.id, node.id)).payable).toBe(10_000_000n);
    const next = await seal(world);
    expect([next.number, next.position]).toEqual([2, 1]);
  });
});

describe("who is held", () => {
  test("a node that never said where to pay it", async () => {
    await using world = await MoneyWorld.start();
    const pool = await world.pool();
    world.earnAtOnce(pool, HOURS, await world.node(pool, null));
    expect(await world.payouts.process(OPERATOR)).toEqual([]);
  });

  test("a node for a day after it changed its key", async () => {
    await using world = await MoneyWorld.start();
    const { pool, node } = await due(world);
    world.rotatedAtMs.set(node.id, world.clock.now());
    expect(await world.payouts.process(OPERATOR)).toEqual([]);
    expect((await world.payouts.paymentsOf(node.id, pool.id)).holds).toEqual(["key_changed"]);
    world.clock.advance(DAY_MS - 1);
    expect(await world.payouts.process(OPERATOR)).toEqual([]);
    world.clock.advance(1);
    expect(await world.payouts.process(OPERATOR)).toHaveLength(1);
  });

  test("a node below the threshold that has left is paid once, then waits for the threshold", async () => {
    await using world = await MoneyWorld.start();
    const pool = await world.pool();
    const node = await world.node(pool);
    world.earnAtOnce(pool, 3, node);
    expect(await world.payouts.process(OPERATOR)).toEqual([]);
    await world.registry.leave(SYSTEM, node.id);
    const last = await seal(world);
    expect([last.total, last.payments[0]?.isFinal]).toEqual([30_000n, true]);
    await world.payouts.settle(OPERATOR, { id: last.id, command: cancelled });
    const again = await seal(world);
    await world.payouts.settle(OPERATOR, { id: again.id, command: paid("bye") });
    world.credits.pass(pool.id, { [node.id]: {} });
    expect(await world.payouts.process(OPERATOR)).toEqual([]);
  });

  test("a node that moved to another pool is paid what the old one owes", async () => {
    await using world = await MoneyWorld.start();
    const [old, next] = [await world.pool("old"), await world.pool("next")];
    const node = await world.node(old);
    world.earnAtOnce(old, 5, node);
    await world.registry.join(SYSTEM, node.id, next.id);
    expect((await seal(world)).pool).toBe(old.id);
  });
});

describe("the schedule", () => {
  test("runs where the interval begins, and makes up for a run it missed while off", async () => {
    await using world = await MoneyWorld.start();
    const { pool, node } = await due(world);
    const firstMs = world.payouts.nextRunAtMs() ?? 0;
    expect(firstMs % HOUR_MS).toBe(0);
    await world.payouts.processWhenDue();
    expect(world.payouts.openBatch()).toBeNull();
    world.clock.advance(firstMs - world.clock.now());
    await world.payouts.processWhenDue();
    const first = world.payouts.openBatch();
    expect(first?.id).toBe("1");
    await world.payouts.settle(OPERATOR, { id: "1", command: paid("a") });
    expect(world.payouts.nextRunAtMs()).toBe(firstMs + HOUR_MS);
    world.earnAtOnce(pool, HOURS, node);
    world.clock.advance(5 * HOUR_MS);
    await world.restart();
    expect(world.payouts.nextRunAtMs()).toBe(world.clock.now());
    await world.payouts.processWhenDue();
    expect(world.payouts.openBatch()?.id).toBe("2");
  });

  test("tries again a minute after a run that failed, and says why", async () => {
    await using world = await MoneyWorld.start();
    await due(world);
    world.clock.advance(HOUR_MS);
    world.crashBefore = (what) => {
      if (what === "commit") throw new Error("the disk is full");
    };
    await expect(world.payouts.processWhenDue()).rejects.toThrow("the disk is full");
    expect(world.payouts.lastFault).toBe("the disk is full");
    world.crashBefore = () => {};
    await world.payouts.processWhenDue();
    expect(world.payouts.openBatch()).toBeNull();
    world.clock.advance(60_000);
    await world.payouts.processWhenDue();
    expect([world.payouts.openBatch()?.id, world.payouts.lastFault]).toEqual(["1", undefined]);
  });

  test("pushes a batch again that could not be pushed", async () => {
    await using world = await MoneyWorld.start();
    await due(world);
    world.crashBefore = (what) => {
      if (what === "push") throw new Error("no room for files");
    };
    await seal(world);
    expect(world.payouts.lastFault).toBe("batch 1 was not pushed");
    world.crashBefore = () => {};
    await world.payouts.process(OPERATOR);
    expect(world.payouts.lastFault).toBeUndefined();
    expect(readdirSync(`${world.folder.path}/payouts`)).toHaveLength(3);
  });
});

describe.each(databases())("the process ended at any point ($kind)", ({ place }) => {
  const points = (["before", "after"] as const).flatMap((when) =>
    Array.from({ length: 6 }, (_, at) => [when, at + 1] as const),
  );

  test.each(points)("%s deed %d leaves one payment per payee", async (when, at) => {
    await using disk = await place();
    await using world = await MoneyWorld.start({ place: disk });
    const { pool, nodes } = await due(world, 2);
    let deeds = 0;
    world[when === "before" ? "crashBefore" : "crashAfter"] = () => {
      deeds += 1;
      if (deeds === at) throw new Crash();
    };
    const steps = [
      () => world.payouts.process(OPERATOR),
      () => settleOpen(world, (id) => ({ type: "items", items: [{ id, ref: `paid ${id}` }] })),
      () => world.payouts.process(OPERATOR),
      () => settleOpen(world, (id) => ({ type: "items", items: [{ id, ref: `paid ${id}` }] })),
    ];
    for (const step of steps) {
      await step().catch(raiseUnlessCrash);
      await world.restart();
      await expectStored(world);
      await world.payouts.resume().catch(raiseUnlessCrash);
    }
    expect(deeds).toBeGreaterThanOrEqual(at);
    world.crashBefore = world.crashAfter = () => {};
    await world.payouts.process(OPERATOR);
    await settleOpen(world, (id) => ({ type: "items", items: [{ id, ref: `paid ${id}` }] }));
    const batches = await world.payouts.batches({ limit: 10 });
    const payments = batches.flatMap((batch) => batch.payments);
    const ends = payments.map(({ node, state }) => `${node} ${state}`);
    expect(ends.sort()).toEqual(nodes.map(({ id }) => `${id} posted`).sort());
    for (const { id } of nodes) {
      expect(await world.ledger.owed(pool.id, id)).toMatchObject({ owed: 0n, paid: 10_000_000n });
    }
    expect(await world.ledger.check()).toEqual([]);
    for (const batch of batches) {
      const name = `batch-${String(batch.number).padStart(6, "0")}.json`;
      const bytes = await Bun.file(`${world.folder.path}/payouts/${name}`).bytes();
      expect(Bun.SHA256.hash(bytes, "hex") as string).toBe(batch.hash);
    }
  });
});

class Crash extends Error {}

/** Nothing is ever pushed that is not stored. */
async function expectStored(world: MoneyWorld): Promise<void> {
  const stored = (await world.payouts.batches({ limit: 10 })).map(({ number }) => number);
  const glob = new Bun.Glob("payouts/batch-*.json");
  for (const path of glob.scanSync(world.folder.path)) {
    expect(stored).toContain(Number(/\d{6}/.exec(path)?.[0]));
  }
}

function raiseUnlessCrash(error: unknown): void {
  if (!(error instanceof Crash)) throw error;
}

/** The operator reports every open payment, one after the other. */
async function settleOpen(world: MoneyWorld, commandFor: (id: number) => SettleCommand) {
  for (const batch of await world.payouts.batches({ limit: 10, state: "sealed" })) {
    for (const { id, state } of batch.payments) {
      if (state !== "pending") continue;
      await world.payouts.settle(OPERATOR, { id: batch.id, command: commandFor(id) });
    }
  }
}
