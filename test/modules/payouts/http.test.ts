import { describe, expect, test } from "bun:test";
import { moneyOverHttp } from "#test/support/money-http.ts";
import { DAY_MS, MoneyWorld } from "#test/support/money-world.ts";
import { toBase64, toHex } from "@/std/bytes.ts";

const HOURS = 1_000;

/** A node that is due, one that is not, and everything over HTTP. */
async function start() {
  const world = await MoneyWorld.start({ booking: { feePermille: 10 } });
  const pool = await world.pool();
  const [due, poor] = [await world.node(pool, "bank 1"), await world.node(pool, "bank 2")];
  world.credits.pass(pool.id, { [due.id]: { ticks: 2 * HOURS * 120 }, [poor.id]: { ticks: 77 } });
  return { world, pool, due, poor, ...(await moneyOverHttp(world)) };
}

const PARTS = ["owed", "accruing", "payable", "pending", "paid"] as const;
type Figures = Readonly<Record<string, string>>;

function figuresIn(view: Figures): Figures {
  return Object.fromEntries(PARTS.map((part) => [part, view[`${part}_micro_usdt`] ?? ""]));
}

describe("every way of looking", () => {
  test("shows the same numbers: payouts, list, explain, metrics", async () => {
    const { world, due, poor, json } = await start();
    await json("POST", "/payouts/process", { as: "admin", json: {} }, 202);
    world.credits.pass(due.pool, { [due.id]: {}, [poor.id]: {} });
    const { items } = await json("GET", "/payouts", { as: "operator" });
    const shown: Figures[] = [];
    for (const { id } of [due, poor]) {
      const figures = figuresIn(await json("GET", `/payouts/${id}`, { as: id }));
      const listed = items.find((one: { node_id: string }) => one.node_id === id);
      const explained = await json("GET", `/explain?node=${id}`, { as: "auditor" });
      expect([figuresIn(listed), figuresIn(explained)]).toEqual([figures, figures]);
      expect(figures["accruing"]).not.toBe("0");
      shown.push(figures);
    }
    const sumOf = (part: string) => shown.reduce((sum, one) => sum + BigInt(one[part] ?? ""), 0n);
    expect(sumOf("accruing") + sumOf("payable") + sumOf("pending")).toBe(sumOf("owed"));
    const { text } = await world.metrics.scrape(false);
    expect(text).toContain(`galaxy_owed_micro_usdt ${sumOf("owed")}\n`);
    expect(text).toContain(`galaxy_pending_micro_usdt ${sumOf("pending")}\n`);
    expect(text).toContain(`galaxy_paid_micro_usdt_total ${sumOf("paid")}\n`);
    expect(text).toContain('galaxy_payout_batches{state="sealed"} 1');
  });

  test("so do statement and table, as far as it is booked", async () => {
    const { world, due, poor, json, ask } = await start();
    await world.ledger.book();
    for (const { id } of [due, poor]) {
      const { owed_micro_usdt: owed } = await json("GET", `/payouts/${id}`, { as: id });
      const { statement } = await json("GET", `/statements/${id}`, { as: id });
      const csv = await (await ask("GET", `/statements/${id}?format=csv`, { as: id })).text();
      const closing = csv.split("\r\n").find((row) => row.includes(",closing,"));
      expect([statement.closing_micro_usdt, closing?.split(",")[4]]).toEqual([owed, owed]);
    }
  });
});

describe("POST /payouts/process", () => {
  test("answers 202 with the batch; the same key and body get the same answer", async () => {
    const { ask, json, world } = await start();
    const asked = { as: "admin", json: {}, headers: { "idempotency-key": "k1" } };
    const first = await json("POST", "/payouts/process", asked, 202);
    expect(first).toMatchObject({ batch_id: "1", payouts: 1, total_micro_usdt: "19800000" });
    const again = await ask("POST", "/payouts/process", asked);
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    expect(await again.json()).toEqual(first);
    const fresh = { ...asked, headers: { "idempotency-key": "k2" } };
    expect((await json("POST", "/payouts/process", fresh, 202)).batch_id).toBeNull();
    expect(await world.payouts.batches({ limit: 10 })).toHaveLength(1);
  });

  test("asked five times at once with one key makes one batch and one answer", async () => {
    const { json } = await start();
    const asked = { as: "admin", json: {}, headers: { "idempotency-key": "k" } };
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => json("POST", "/payouts/process", asked, 202)),
    );
    expect(new Set(answers.map(({ batch_id }) => batch_id))).toEqual(new Set(["1"]));
  });
});

describe("batches", () => {
  test("are planned, listed, settled and shown in the node's history", async () => {
    const { json, due, poor } = await start();
    const plan = await json("GET", "/payouts/plan", { as: "operator" });
    expect(plan.items).toMatchObject([{ node_id: due.id, amount_micro_usdt: "19800000" }]);
    expect(plan.held).toMatchObject([{ node_id: poor.id, reason: "below_threshold" }]);
    await json("POST", "/payouts/process", { as: "admin", json: {} }, 202);
    const { items } = await json("GET", "/payouts/batches?state=sealed", { as: "auditor" });
    expect(items).toMatchObject([
      { batch_id: "1", state: "sealed", file: "payouts/batch-000001.json", reference: null },
    ]);
    const asked = { as: "operator", json: { items: [{ id: "1", ref: "tx 1" }] } };
    expect(await json("POST", "/payouts/batches/1/settle", asked)).toMatchObject({
      state: "settled",
      items: [{ item_id: "1", state: "posted", reference: "tx 1" }],
    });
    const shown = await json("GET", `/payouts/${due.id}`, { as: due.id });
    expect(shown).toMatchObject({
      paid_micro_usdt: "19800000",
      last_sealed_sha256: items[0].sha256,
      history: [{ batch_id: "1", state: "posted", reference: "tx 1", address: "bank 1" }],
    });
    const empty = await json("GET", "/payouts/batches?state=sealed", { as: "auditor" });
    expect(empty).toEqual({ items: [], next_cursor: null });
  });

  test("come in pages, newest first", async () => {
    const { world, json, due } = await start();
    for (let round = 1; round <= 3; round++) {
      await json("POST", "/payouts/process", { as: "admin", json: {} }, 202);
      const path = `/payouts/batches/${round}/settle`;
      await json("POST", path, { as: "admin", json: { ref: "r" } });
      world.credits.pass(due.pool, { [due.id]: { ticks: 2 * HOURS * 120 } });
    }
    const first = await json("GET", "/payouts/batches?limit=2", { as: "admin" });
    const next = await json("GET", `/payouts/batches?limit=2&cursor=${first.next_cursor}`, {
      as: "admin",
    });
    const ids = [...first.items, ...next.items].map(
      ({ batch_id }: { batch_id: string }) => batch_id,
    );
    expect([ids, next.next_cursor]).toEqual([["3", "2", "1"], null]);
  });
});

describe("who may do what", () => {
  test.each([
    ["GET", "/payouts", "node", 403],
    ["GET", "/payouts", "auditor", 200],
    ["GET", "/payouts/plan", "client", 403],
    ["GET", "/payouts/NODE", "itself", 200],
    ["GET", "/payouts/NODE", "node", 403],
    ["GET", "/payouts/NODE", "auditor", 200],
    ["GET", "/explain?node=NODE", "itself", 200],
    ["GET", "/explain?node=NODE", "node", 403],
    ["GET", "/explain", "itself", 200],
    ["GET", "/statements/NODE", "itself", 200],
    ["GET", "/statements/NODE", "node", 403],
    ["GET", "/statements/NODE", "client", 403],
    ["POST", "/payouts/process", "operator", 403],
    ["POST", "/payouts/process", "itself", 403],
    ["POST", "/payouts/process", undefined, 401],
    ["POST", "/payouts/batches/1/settle", "auditor", 403],
    ["POST", "/payouts/batches/1/cancel", "itself", 403],
    ["POST", "/payouts/NODE/release", "itself", 403],
    ["GET", "/nodes/NODE/payout-address", "itself", 200],
    ["GET", "/nodes/NODE/payout-address", "operator", 200],
    ["GET", "/nodes/NODE/payout-address", "node", 403],
    ["PUT", "/nodes/NODE/payout-address", "admin", 403],
    ["PUT", "/nodes/NODE/payout-address", "node", 403],
    ["POST", "/nodes/NODE/payout-address/decide", "itself", 403],
  ])("%s %s as %s answers %d", async (method, path, who, status) => {
    const { ask, due, poor } = await start();
    const tokens: Record<string, string> = { itself: due.id, node: poor.id };
    const as = who && (tokens[who] ?? who);
    const body = method === "PUT" ? { json: { statement: "AAAA" } } : { json: { ref: "x" } };
    const asked = { ...(as !== undefined && { as }), ...(method === "GET" ? {} : body) };
    const answer = await ask(method, path.replace("NODE", due.id), asked);
    expect(answer.status).toBe(status);
  });
});

describe("bad requests", () => {
  test.each([
    ["GET", "/explain?node=nobody", undefined, 404, "node.unknown"],
    ["GET", "/explain", undefined, 404, "node.unknown"],
    ["GET", "/explain?node=NODE&from=yesterday", undefined, 400, "request.invalid"],
    ["GET", "/explain?node=NODE&from=2026-02-30", undefined, 400, "request.invalid"],
    ["GET", "/explain?node=NODE&from=2020-01-01", undefined, 400, "request.invalid"],
    ["GET", "/explain?node=NODE&from=2026-01-03&to=2026-01-02", undefined, 400, "request.invalid"],
    ["GET", "/explain?node=NODE&pool=nowhere", undefined, 404, "pool.unknown"],
    ["GET", "/explain?node=NODE&color=red", undefined, 400, "request.invalid"],
    ["GET", "/statements/nobody", undefined, 404, "node.unknown"],
    ["GET", "/statements/NODE?format=pdf", undefined, 400, "request.invalid"],
    ["GET", "/payouts/nobody", undefined, 404, "node.unknown"],
    ["GET", "/payouts?limit=0", undefined, 400, "request.invalid"],
    ["GET", "/payouts/batches?state=open", undefined, 400, "request.invalid"],
    ["GET", "/payouts/batches?cursor=x", undefined, 400, "request.bad_cursor"],
    ["POST", "/payouts/process", { now: true }, 400, "request.invalid"],
    ["POST", "/payouts/batches/7/settle", { ref: "x" }, 404, "payout.batch_unknown"],
    ["POST", "/payouts/batches/1/settle", {}, 400, "request.invalid"],
    ["POST", "/payouts/batches/1/settle", { ref: "" }, 400, "request.invalid"],
    ["POST", "/payouts/batches/1/settle", { ref: "x".repeat(129) }, 400, "request.invalid"],
    ["POST", "/payouts/batches/1/settle", { ref: "tab\there" }, 400, "payout.ref_malformed"],
    ["POST", "/payouts/batches/1/settle", { items: [] }, 400, "request.invalid"],
    ["POST", "/payouts/batches/1/settle", { items: [{ id: 1 }] }, 400, "request.invalid"],
    [
      "POST",
      "/payouts/batches/1/settle",
      { items: [{ id: 2, ref: "x" }] },
      404,
      "payout.item_unknown",
    ],
    ["POST", "/payouts/batches/1/cancel", {}, 400, "request.invalid"],
    ["POST", "/payouts/batches/1/cancel", { not_sent: false }, 409, "payout.not_sent_required"],
    ["POST", "/payouts/NODE/release", undefined, 409, "payout.not_held"],
    ["POST", "/nodes/NODE/payout-address/decide", { choice: "third" }, 400, "request.invalid"],
    [
      "POST",
      "/nodes/NODE/payout-address/decide",
      { choice: "newest" },
      409,
      "payout.address_not_contested",
    ],
  ])("%s %s %p answers %d %s", async (method, path, body, status, code) => {
    const { ask, json, due, faults } = await start();
    await json("POST", "/payouts/process", { as: "admin", json: {} }, 202);
    const asked = { as: "admin", ...(body !== undefined && { json: body }) };
    const answer = await ask(method, path.replace("NODE", due.id), asked);
    const problem = (await answer.json()) as { code: string };
    expect([answer.status, problem.code, faults]).toEqual([status, code, []]);
  });
});

describe("a payout address", () => {
  test("is set by the node's own statement, holds for a day when changed, and says so", async () => {
    const { world, pool, due, json } = await start();
    const path = `/nodes/${due.id}/payout-address`;
    const before = await json("GET", path, { as: due.id });
    expect(before).toMatchObject({ state: "confirmed", address: "bank 1", waiting: null });
    world.clock.advance(60_000);
    const { newest } = await world.payouts.addresses.find(pool.id, due.id);
    const statement = world.statement(due, pool, { address: "bank 9", previous: newest });
    const body = { statement: toBase64(statement) };
    const changing = await json("PUT", path, { as: due.id, json: body });
    expect(changing).toMatchObject({
      state: "changing",
      address: "bank 1",
      waiting: { address: "bank 9", effective_at: new Date(world.clock.now() + DAY_MS).toJSON() },
      statement_hash: toHex(world.hashOf(statement)),
    });
    expect(await json("PUT", path, { as: due.id, json: body })).toEqual(changing);
    const held = await json("GET", `/payouts/${due.id}`, { as: due.id });
    expect([held.hold, held.next_payout_at]).toEqual(["address_changing", null]);
    world.clock.advance(DAY_MS);
    expect(await json("GET", path, { as: due.id })).toMatchObject({
      state: "confirmed",
      address: "bank 9",
    });
  });

  test("changed twice within a day waits for the operator, who chooses one of the two", async () => {
    const { world, pool, due, json } = await start();
    for (const address of ["bank 8", "bank 9"]) {
      world.clock.advance(60_000);
      await world.setAddress(due, pool, address);
    }
    world.clock.advance(7 * DAY_MS);
    expect((await json("GET", `/payouts/${due.id}`, { as: due.id })).hold).toBe(
      "address_contested",
    );
    const path = `/nodes/${due.id}/payout-address/decide`;
    const decided = await json("POST", path, { as: "operator", json: { choice: "confirmed" } });
    expect(decided).toMatchObject({ state: "confirmed", address: "bank 1", waiting: null });
  });

  test.each<[string, number, string, (w: Started) => Uint8Array]>([
    ["bytes that are none", 400, "payout.statement_malformed", () => new Uint8Array(9)],
    [
      "another node's statement",
      403,
      "payout.statement_foreign",
      ({ world, pool, poor, newest }) =>
        world.statement(poor, pool, { address: "thief", previous: newest }),
    ],
    [
      "a statement to another pool",
      403,
      "payout.statement_foreign",
      ({ world, pool, due, newest }) =>
        world.statement(
          due,
          { ...pool, publicKey: new Uint8Array(32) },
          { address: "x", previous: newest },
        ),
    ],
    [
      "a forged signature",
      401,
      "payout.statement_unsigned",
      ({ world, pool, due, newest }) =>
        world.statement(due, pool, { address: "x", previous: newest }).with(-1, 255),
    ],
    [
      "a statement that does not follow the newest",
      409,
      "payout.statement_out_of_order",
      ({ world, pool, due }) => world.statement(due, pool, { address: "x" }),
    ],
    [
      "a slot before that of the newest",
      409,
      "payout.statement_slot_used",
      ({ world, pool, due, newest }) =>
        world.statement(due, pool, { address: "x", previous: newest, slot: 1 }),
    ],
    [
      "a slot that has not come",
      400,
      "payout.statement_early",
      ({ world, pool, due, newest }) =>
        world.statement(due, pool, { address: "x", previous: newest, slot: 1e9 }),
    ],
    [
      "a rail nobody pays over",
      400,
      "payout.rail_unknown",
      ({ world, pool, due, newest }) =>
        world.statement(due, pool, { address: "x", previous: newest, rail: "stellar" }),
    ],
  ])("is not set by %s", async (_, status, code, make) => {
    const { world, pool, due, poor, ask } = await start();
    world.clock.advance(60_000);
    const { newest } = await world.payouts.addresses.find(pool.id, due.id);
    const statement = toBase64(make({ world, pool, due, poor, newest }));
    const asked = { as: due.id, json: { statement } };
    const answer = await ask("PUT", `/nodes/${due.id}/payout-address`, asked);
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([
      status,
      code,
    ]);
    const { book } = await world.payouts.addresses.find(pool.id, due.id);
    expect([book.confirmed?.address, book.waiting]).toEqual(["bank 1", undefined]);
  });

  test("is not set by text that is no base64, nor for another node", async () => {
    const { due, poor, ask } = await start();
    const put = async (as: string, statement: string) => {
      const answer = await ask("PUT", `/nodes/${due.id}/payout-address`, {
        as,
        json: { statement },
      });
      return ((await answer.json()) as { code: string }).code;
    };
    expect(await put(due.id, "not base64!")).toBe("request.invalid");
    expect(await put(poor.id, "AAAA")).toBe("access.denied");
  });
});

type Base = Awaited<ReturnType<typeof start>>;
type Started = Pick<Base, "world" | "pool" | "due" | "poor"> & { readonly newest: Uint8Array };
