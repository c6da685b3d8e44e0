import { describe, expect, test } from "bun:test";
import { Elysia, t } from "elysia";
import { CompiledQuery } from "kysely";
import { httpWith, type Mount } from "#test/support/http.ts";
import type { HttpServer } from "@/drivers/http/server.ts";
import type { Database, Write } from "@/ports/database.ts";
import { PoolError } from "@/std/errors.ts";

const DAY_MS = 86_400_000;

/** Orders are rows; each act writes one, together with what it remembers. */
async function shopWith() {
  const acts = { count: 0, fail: false, gate: Promise.resolve() };
  let database: Database | undefined;
  const routes = (http: HttpServer) =>
    new Elysia()
      .post(
        "/orders",
        ({ request, body }) =>
          http.once(request, body, async (remember) => {
            await acts.gate;
            if (acts.fail) throw new PoolError("precondition", "shop.shut", "The shop is shut.");
            const answer = { status: 201, body: { order: ++acts.count, item: body.item } };
            await database?.commit([orderOf(body.item), ...remember(answer)]);
            return answer;
          }),
        { body: t.Object({ item: t.String() }), headers: t.Object({ ...http.onceHeaders }) },
      )
      .post("/ring", ({ request, body }) =>
        http.once(request, body, async () => ({ status: 200, body: { rung: ++acts.count } })),
      );
  const mount: Mount = (http) => [
    routes(http),
    [
      { method: "POST", path: "/orders", access: ["client"] },
      { method: "POST", path: "/ring", access: ["client"] },
    ],
  ];
  const world = await httpWith(mount);
  database = world.database;
  await database.commit([raw("CREATE TABLE orders (item TEXT NOT NULL) STRICT")]);

  const order = (item: string, key?: string, as = "client") =>
    world.ask("POST", "/orders", {
      as,
      json: { item },
      headers: key === undefined ? {} : { "idempotency-key": key },
    });
  const orders = async () =>
    (await world.database.read(CompiledQuery.raw("SELECT item FROM orders"))).length;
  return { ...world, acts, order, orders };
}

function raw(sql: string, ...parameters: unknown[]): Write {
  return { query: CompiledQuery.raw(sql, parameters) };
}

function orderOf(item: string): Write {
  return raw("INSERT INTO orders (item) VALUES ($1)", item);
}

describe("an Idempotency-Key", () => {
  test("makes a repeated request one deed with one answer", async () => {
    const { order, orders } = await shopWith();
    const first = await order("tea", "k1");
    const second = await order("tea", "k1");
    expect([first.status, second.status]).toEqual([201, 201]);
    expect(await second.text()).toBe(await first.text());
    expect(first.headers.has("idempotency-replayed")).toBe(false);
    expect(second.headers.get("idempotency-replayed")).toBe("true");
    expect(await orders()).toBe(1);
  });

  test("of another body is refused", async () => {
    const { order, orders } = await shopWith();
    await order("tea", "k1");
    const response = await order("milk", "k1");
    expect(response.status).toBe(409);
    expect(await response.json()).toMatchObject({ code: "request.idempotency_differs" });
    expect(await orders()).toBe(1);
  });

  test("of another address is refused", async () => {
    const { ask, order } = await shopWith();
    await order("tea", "k1");
    const asked = { as: "client", json: { item: "tea" }, headers: { "idempotency-key": "k1" } };
    expect((await ask("POST", "/ring", asked)).status).toBe(409);
  });

  test("belongs to its caller alone", async () => {
    const { order, orders } = await shopWith();
    await order("tea", "k1", "client:alice");
    const other = await order("tea", "k1", "client:bob");
    expect(await other.json()).toMatchObject({ order: 2 });
    expect(await orders()).toBe(2);
  });

  test("unstated means every request is a deed", async () => {
    const { order, orders } = await shopWith();
    await order("tea");
    await order("tea");
    expect(await orders()).toBe(2);
  });

  test("lets twins that come together share one deed and its answer", async () => {
    const { order, orders, acts } = await shopWith();
    const opened = Promise.withResolvers<void>();
    acts.gate = opened.promise;
    const twins = [order("tea", "k1"), order("tea", "k1"), order("milk", "k1")];
    const differs = await twins[2];
    opened.resolve();
    const [first, second] = await Promise.all(twins);
    expect(differs?.status).toBe(409);
    expect(await second?.text()).toBe((await first?.text()) ?? "");
    expect(await orders()).toBe(1);
  });

  test("gives the answer of another process that was faster", async () => {
    const { order, orders, acts, database } = await shopWith();
    await order("tea", "other");
    const opened = Promise.withResolvers<void>();
    acts.gate = opened.promise;
    const mine = order("tea", "k1");
    await database.commit([raw("UPDATE idempotency SET key = 'k1'")]);
    opened.resolve();
    expect(await (await mine).json()).toMatchObject({ order: 1 });
    expect(await orders()).toBe(1);
  });

  test("does not remember a refusal", async () => {
    const { order, acts } = await shopWith();
    acts.fail = true;
    expect((await order("tea", "k1")).status).toBe(409);
    acts.fail = false;
    expect((await order("tea", "k1")).status).toBe(201);
  });

  test("remembers an act that commits nothing", async () => {
    const { ask, acts } = await shopWith();
    const asked = { as: "client", headers: { "idempotency-key": "k1" } };
    await ask("POST", "/ring", asked);
    expect(await (await ask("POST", "/ring", asked)).json()).toEqual({ rung: 1 });
    expect(acts.count).toBe(1);
  });

  test("holds for 24 hours and not longer", async () => {
    const { order, orders, clock, database } = await shopWith();
    await order("tea", "k1");
    await order("tea", "old");
    clock.advance(DAY_MS - 1);
    await order("tea", "k1");
    expect(await orders()).toBe(2);
    clock.advance(1);
    await order("tea", "k1");
    expect(await orders()).toBe(3);
    const rows = await database.sql.selectFrom("idempotency").select("key").execute();
    expect(rows).toEqual([{ key: "k1" }]);
  });

  test.each(["", "x".repeat(65), "a b", "é"])("that reads %p is refused", async (key) => {
    const { order } = await shopWith();
    expect((await order("tea", key)).status).toBe(400);
  });
});
