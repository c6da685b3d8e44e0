import { describe, expect, test } from "bun:test";
import pino from "pino";
import { TestClock } from "#test/support/clock.ts";
import { type Asked, frontTerms, requestOf, TEST_BODY_BYTES } from "#test/support/http.ts";
import { beAlive, keyNumber, memberOf, poolNamed, registryOn } from "#test/support/registry.ts";
import { type Caller, nodeCaller, type Role } from "@/core/caller.ts";
import type { NodeId } from "@/core/ids.ts";
import { Idempotency, idempotencyMigrations } from "@/drivers/http/idempotency.ts";
import { Listeners } from "@/drivers/http/listeners.ts";
import { HttpServer } from "@/drivers/http/server.ts";
import { openSqlite } from "@/drivers/sqlite/database.ts";
import { poolAccess, poolRoutes } from "@/modules/registry/pool-routes.ts";
import { nodeAccess, nodeRoutes } from "@/modules/registry/routes.ts";
import { toBase64, toHex } from "@/std/bytes.ts";

/** Pools "home" with nodes 1 and 2, "lab" with node 3, and a public "park", behind the real server. */
async function world() {
  const clock = new TestClock();
  const database = openSqlite({ path: ":memory:", clock, onFailed: () => {} });
  const made = await registryOn(database, { maxNodes: 3 }, clock);
  const { registry } = made;
  await database.migrate(idempotencyMigrations);
  const log = pino({ level: "silent" });
  const bounds = { maxBodyBytes: TEST_BODY_BYTES, idleTimeoutSeconds: 10 };
  const nowhere = { address: "127.0.0.1", port: 0, secureAddress: "::", securePort: 0 };
  const faults: unknown[] = [];
  const server = new HttpServer({
    log,
    listeners: new Listeners({ front: frontTerms(clock), log, ...nowhere, ...bounds }),
    maxBodyBytes: TEST_BODY_BYTES,
    idempotency: new Idempotency(database, clock, 86_400_000),
    onFatal: (fault) => void faults.push(fault),
  });
  server.mount(nodeRoutes(registry, server), nodeAccess);
  server.mount(poolRoutes(registry, server), poolAccess);
  server.authenticateWith(callerByToken);
  server.guardWith((caller, asked) => registry.requireReach(caller, asked));
  const home = await poolNamed(registry, "home");
  clock.advance(1);
  const lab = await poolNamed(registry, "lab");
  clock.advance(1);
  const park = await poolNamed(registry, "park", { visibility: "public" });
  const one = await memberOf(registry, home.id, 1);
  const two = await memberOf(registry, home.id, 2, { specialization: "gpu", org: "acme" });
  const three = await memberOf(registry, lab.id, 3);
  const origin = { isSecure: false, addressOf: () => "127.0.0.1", keepOpen: () => {} };
  const ask = (method: string, path: string, asked: Asked = {}) =>
    server.answer(requestOf(method, `http://localhost/api/v1${path}`, asked), origin);
  return { ...made, ask, faults, home, lab, park, one, two, three };
}

/** A bearer token is a role, or a node's id. */
async function callerByToken(request: Request): Promise<Caller | undefined> {
  const token = request.headers.get("authorization")?.slice("Bearer ".length);
  if (token === undefined) return undefined;
  if (token.length === 26) return nodeCaller(token as NodeId);
  return { type: "operator", id: `operator:${token}`, roles: [token as Role] };
}

type World = Awaited<ReturnType<typeof world>>;

interface Scenario {
  readonly name: string;
  readonly as: (at: World) => string;
  readonly method: string;
  readonly path: (at: World) => string;
  readonly json?: (at: World) => unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly status: number;
  readonly body: (at: World) => unknown;
}

const admin = () => "admin";
const operator = () => "operator";
const nodeOne = (at: World) => at.one.id as string;
const code = (text: string) => () => ({ code: text });
const GOOD = { name: "new", specialization: "storage", public_key: toBase64(keyNumber(9)) };
const NOBODY = "a".repeat(26);

const scenarios: readonly Scenario[] = [
  {
    name: "an operator registers a node by its key",
    as: operator,
    method: "POST",
    path: () => "/nodes",
    json: (at) => ({
      ...GOOD,
      pool: at.lab.id,
      endpoint: "tcp://10.0.0.9:1",
      metadata: { rack: "1" },
    }),
    status: 201,
    body: (at) => ({
      pool_id: at.lab.id,
      name: "new",
      specialization_approved: true,
      endpoint: "tcp://10.0.0.9:1",
      org: null,
      metadata: { rack: "1" },
      state: "new",
      last_seen_at: null,
      registered_at: "2026-01-01T00:00:00.002Z",
      public_key: GOOD.public_key,
    }),
  },
  {
    name: "a key may be written in hexadecimal",
    as: admin,
    method: "POST",
    path: () => "/nodes",
    json: (at) => ({ ...GOOD, public_key: toHex(keyNumber(9)), pool: at.lab.id }),
    status: 201,
    body: () => ({ public_key: GOOD.public_key }),
  },
  {
    name: "a key that is none is refused",
    as: admin,
    method: "POST",
    path: () => "/nodes",
    json: (at) => ({ ...GOOD, public_key: "AAAA", pool: at.lab.id }),
    status: 400,
    body: () => ({ code: "node.invalid", errors: [{ path: "public_key" }] }),
  },
  {
    name: "several pools want to be told apart",
    as: admin,
    method: "POST",
    path: () => "/nodes",
    json: () => GOOD,
    status: 400,
    body: code("pool.unnamed"),
  },
  {
    name: "a key is registered once",
    as: admin,
    method: "POST",
    path: () => "/nodes",
    json: (at) => ({ ...GOOD, public_key: toBase64(keyNumber(1)), pool: at.home.id }),
    status: 409,
    body: (at) => ({ code: "node.exists", nodeId: at.one.id }),
  },
  {
    name: "a field nobody knows is refused",
    as: admin,
    method: "POST",
    path: () => "/nodes",
    json: (at) => ({ ...GOOD, pool: at.lab.id, colour: "red" }),
    status: 400,
    body: code("request.invalid"),
  },
  {
    name: "a node says what it is",
    as: nodeOne,
    method: "POST",
    path: () => "/nodes",
    json: () => ({ ...GOOD, public_key: toBase64(keyNumber(1)) }),
    status: 200,
    body: (at) => ({ node_id: at.one.id, name: "new" }),
  },
  {
    name: "a node registers nobody else",
    as: nodeOne,
    method: "POST",
    path: () => "/nodes",
    json: () => GOOD,
    status: 403,
    body: code("access.denied"),
  },
  {
    name: "an auditor registers nobody",
    as: () => "auditor",
    method: "POST",
    path: () => "/nodes",
    json: () => GOOD,
    status: 403,
    body: code("access.denied"),
  },
  {
    name: "an operator sees every node",
    as: operator,
    method: "GET",
    path: () => "/nodes",
    status: 200,
    body: () => ({ items: { length: 3 }, next_cursor: null }),
  },
  {
    name: "a node sees its own pool only",
    as: nodeOne,
    method: "GET",
    path: () => "/nodes",
    status: 200,
    body: () => ({ items: { length: 2 } }),
  },
  {
    name: "a node does not know of another pool that is private",
    as: nodeOne,
    method: "GET",
    path: (at) => `/nodes?pool=${at.lab.id}`,
    status: 404,
    body: code("pool.unknown"),
  },
  {
    name: "the list is filtered by specialization and organization",
    as: admin,
    method: "GET",
    path: () => "/nodes?specialization=gpu&org=acme",
    status: 200,
    body: (at) => ({ items: [{ node_id: at.two.id, specialization_approved: true }] }),
  },
  {
    name: "the list is filtered by pool and name",
    as: admin,
    method: "GET",
    path: (at) => `/nodes?pool=${at.home.id}&q=NODE%202`,
    status: 200,
    body: (at) => ({ items: [{ node_id: at.two.id }] }),
  },
  {
    name: "a state nobody knows is refused",
    as: admin,
    method: "GET",
    path: () => "/nodes?state=asleep",
    status: 400,
    body: code("request.invalid"),
  },
  {
    name: "a cursor nobody gave out is refused",
    as: admin,
    method: "GET",
    path: () => "/nodes?cursor=abc",
    status: 400,
    body: code("request.bad_cursor"),
  },
  {
    name: "a page too large is refused",
    as: admin,
    method: "GET",
    path: () => "/nodes?limit=501",
    status: 400,
    body: code("request.invalid"),
  },
  {
    name: "a page of no number is refused",
    as: admin,
    method: "GET",
    path: () => "/nodes?limit=ten",
    status: 400,
    body: code("request.invalid"),
  },
  {
    name: "a filter nobody knows is refused",
    as: admin,
    method: "GET",
    path: () => "/nodes?colour=red",
    status: 400,
    body: () => ({ code: "request.invalid", errors: [{ path: "query.colour" }] }),
  },
  {
    name: "a filter too long is refused",
    as: admin,
    method: "GET",
    path: () => `/nodes?q=${"x".repeat(513)}`,
    status: 400,
    body: () => ({ errors: [{ path: "query.q" }] }),
  },
  {
    name: "a node registers and moves at once",
    as: nodeOne,
    method: "POST",
    path: () => "/nodes",
    json: (at) => ({ ...GOOD, public_key: toBase64(keyNumber(1)), pool: at.park.id }),
    status: 200,
    body: (at) => ({ pool_id: at.park.id, name: "new" }),
  },
  {
    name: "a node is shown",
    as: nodeOne,
    method: "GET",
    path: (at) => `/nodes/${at.two.id}`,
    status: 200,
    body: (at) => ({ node_id: at.two.id, etag: "1" }),
  },
  {
    name: "a node of another pool is unknown",
    as: nodeOne,
    method: "GET",
    path: (at) => `/nodes/${at.three.id}`,
    status: 404,
    body: code("node.unknown"),
  },
  {
    name: "an unknown node is unknown",
    as: admin,
    method: "GET",
    path: () => `/nodes/${NOBODY}`,
    status: 404,
    body: code("node.unknown"),
  },
  {
    name: "a node changes itself",
    as: nodeOne,
    method: "PUT",
    path: (at) => `/nodes/${at.one.id}`,
    json: () => ({ endpoint: "http://pi.local/" }),
    headers: { "if-match": '"1"' },
    status: 200,
    body: () => ({ endpoint: "http://pi.local/", etag: "2" }),
  },
  {
    name: "a change of something older is refused",
    as: operator,
    method: "PUT",
    path: (at) => `/nodes/${at.one.id}`,
    json: () => ({ name: "late" }),
    headers: { "if-match": '"7"' },
    status: 409,
    body: code("node.changed"),
  },
  {
    name: "a node changes no other",
    as: nodeOne,
    method: "PUT",
    path: (at) => `/nodes/${at.two.id}`,
    json: () => ({ name: "mine" }),
    status: 403,
    body: code("access.denied"),
  },
  {
    name: "an operator removes a node",
    as: operator,
    method: "DELETE",
    path: (at) => `/nodes/${at.one.id}`,
    status: 200,
    body: () => ({ status: "removed", state: "left" }),
  },
  {
    name: "a node leaves",
    as: nodeOne,
    method: "DELETE",
    path: (at) => `/nodes/${at.one.id}`,
    status: 200,
    body: () => ({ status: "left", state: "left" }),
  },
  {
    name: "an operator approves a specialization",
    as: operator,
    method: "POST",
    path: (at) => `/nodes/${at.one.id}/approve`,
    status: 200,
    body: () => ({ specialization_approved: true }),
  },
  {
    name: "an operator suspends a node",
    as: operator,
    method: "POST",
    path: (at) => `/nodes/${at.one.id}/suspend`,
    status: 200,
    body: () => ({ state: "suspended" }),
  },
  {
    name: "a node does not resume itself",
    as: nodeOne,
    method: "POST",
    path: (at) => `/nodes/${at.one.id}/resume`,
    status: 403,
    body: code("access.denied"),
  },
  {
    name: "pools are listed, oldest first",
    as: nodeOne,
    method: "GET",
    path: () => "/pools?limit=1",
    status: 200,
    body: (at) => ({ items: [{ pool_id: at.home.id, nodes: 2, max_nodes: 3, kind: "main" }] }),
  },
  {
    name: "an admin creates a pool",
    as: admin,
    method: "POST",
    path: () => "/pools",
    json: () => ({ name: "corp", kind: "enterprise", org: "acme", max_nodes: 5 }),
    status: 201,
    body: () => ({ name: "corp", kind: "enterprise", org: "acme", max_nodes: 5, nodes: 0 }),
  },
  {
    name: "an operator creates none",
    as: operator,
    method: "POST",
    path: () => "/pools",
    json: () => ({ name: "corp" }),
    status: 403,
    body: code("access.denied"),
  },
  {
    name: "a kind nobody knows is refused",
    as: admin,
    method: "POST",
    path: () => "/pools",
    json: () => ({ name: "corp", kind: "prod" }),
    status: 400,
    body: code("request.invalid"),
  },
  {
    name: "a public pool is shown to anybody with credentials",
    as: () => "client",
    method: "GET",
    path: (at) => `/pools/${at.park.id}`,
    status: 200,
    body: () => ({ name: "park", visibility: "public", allowed_orgs: null, etag: "1" }),
  },
  {
    name: "a private pool is shown to its own operators",
    as: operator,
    method: "GET",
    path: (at) => `/pools/${at.lab.id}`,
    status: 200,
    body: () => ({ name: "lab", visibility: "private", etag: "1" }),
  },
  {
    name: "an unknown pool is unknown",
    as: admin,
    method: "GET",
    path: () => `/pools/${NOBODY}`,
    status: 404,
    body: code("pool.unknown"),
  },
  {
    name: "a pool is renamed",
    as: admin,
    method: "PUT",
    path: (at) => `/pools/${at.lab.id}`,
    json: () => ({ name: "attic", max_nodes: null }),
    status: 200,
    body: () => ({ name: "attic", etag: "2" }),
  },
  {
    name: "a pool with nodes is not deleted",
    as: admin,
    method: "DELETE",
    path: (at) => `/pools/${at.lab.id}`,
    status: 409,
    body: () => ({ code: "pool.not_empty", nodes: 1 }),
  },
  {
    name: "a node joins a public pool",
    as: nodeOne,
    method: "POST",
    path: (at) => `/pools/${at.park.id}/join`,
    status: 200,
    body: (at) => ({ node_id: at.one.id, pool_id: at.park.id }),
  },
  {
    name: "a node does not come into a private pool by itself, nor hears that there is one",
    as: nodeOne,
    method: "POST",
    path: (at) => `/pools/${at.lab.id}/join`,
    status: 404,
    body: code("pool.unknown"),
  },
  {
    name: "an operator moves a node",
    as: operator,
    method: "POST",
    path: (at) => `/pools/${at.lab.id}/join`,
    json: (at) => ({ node_id: at.one.id }),
    status: 200,
    body: (at) => ({ pool_id: at.lab.id }),
  },
  {
    name: "an operator says which node",
    as: operator,
    method: "POST",
    path: (at) => `/pools/${at.lab.id}/join`,
    status: 400,
    body: code("request.invalid"),
  },
  {
    name: "a node moves no other",
    as: nodeOne,
    method: "POST",
    path: (at) => `/pools/${at.park.id}/join`,
    json: (at) => ({ node_id: at.two.id }),
    status: 403,
    body: code("access.denied"),
  },
  {
    name: "nobody serves before the first heartbeat",
    as: nodeOne,
    method: "GET",
    path: () => "/resolve",
    status: 404,
    body: code("discovery.nobody"),
  },
  {
    name: "a policy nobody knows is refused",
    as: nodeOne,
    method: "GET",
    path: () => "/resolve?policy=random",
    status: 400,
    body: code("request.invalid"),
  },
  {
    name: "discovery answers an empty list",
    as: nodeOne,
    method: "GET",
    path: () => "/discovery?specialization=gpu&n=3",
    status: 200,
    body: () => ({ items: [], next_cursor: null }),
  },
];

describe("over HTTP", () => {
  test.each(scenarios.map((scenario) => [scenario.name, scenario] as const))("%s", async (_, s) => {
    const at = await world();
    const asked = { as: s.as(at), ...(s.headers && { headers: s.headers }) };
    const json = s.json?.(at);
    const response = await at.ask(s.method, s.path(at), json ? { ...asked, json } : asked);
    const body = await response.json();
    expect({ status: response.status, body }).toMatchObject({ status: s.status, body: s.body(at) });
    expect(at.faults).toEqual([]);
  });

  test("an empty pool is deleted", async () => {
    const at = await world();
    await at.ask("DELETE", `/nodes/${at.three.id}`, { as: "operator" });
    const response = await at.ask("DELETE", `/pools/${at.lab.id}`, { as: "admin" });
    expect([response.status, await response.text()]).toEqual([204, ""]);
    expect((await at.ask("GET", `/pools/${at.lab.id}`, { as: "admin" })).status).toBe(404);
  });

  test("a pool at its limit refuses with 409", async () => {
    const at = await world();
    await memberOf(at.registry, at.home.id, 4);
    const json = { ...GOOD, pool: at.home.id };
    const response = await at.ask("POST", "/nodes", { as: "operator", json });
    expect(response.status).toBe(409);
    expect(await response.json()).toMatchObject({ code: "pool.full", maxNodes: 3 });
  });

  test("pages follow each other until all nodes were shown once", async () => {
    const at = await world();
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const query: string = cursor === null ? "" : `&cursor=${cursor}`;
      const response = await at.ask("GET", `/nodes?limit=2${query}`, { as: "admin" });
      const page = (await response.json()) as { items: { node_id: string }[]; next_cursor: string };
      seen.push(...page.items.map((item) => item.node_id));
      cursor = page.next_cursor;
    } while (cursor !== null);
    expect(seen).toEqual([at.one.id, at.two.id, at.three.id].map(String).sort());
  });

  test("a list shows every change at once", async () => {
    const at = await world();
    const names = async () => {
      const response = await at.ask("GET", "/nodes?specialization=gpu", { as: "admin" });
      const page = (await response.json()) as { items: { name: string; state: string }[] };
      return page.items.map(({ name, state }) => `${name} ${state}`);
    };
    expect(await names()).toEqual(["node 2 new"]);
    beAlive(at.registry, at.two.id);
    expect(await names()).toEqual(["node 2 alive"]);
    await at.ask("PUT", `/nodes/${at.two.id}`, { as: "operator", json: { name: "b" } });
    expect(await names()).toEqual(["b alive"]);
    await at.ask("DELETE", `/nodes/${at.two.id}`, { as: "operator" });
    expect(await names()).toEqual([]);
  });

  test("a node that left shows among those that left only", async () => {
    const at = await world();
    await at.ask("DELETE", `/nodes/${at.one.id}`, { as: at.one.id });
    const response = await at.ask("GET", "/nodes?state=left", { as: "admin" });
    expect(await response.json()).toMatchObject({ items: [{ node_id: at.one.id }] });
    expect((await at.ask("GET", "/nodes", { as: at.one.id })).status).toBe(403);
  });

  test("the same Idempotency-Key registers once and creates once", async () => {
    const at = await world();
    for (const [path, json] of [
      ["/nodes", { ...GOOD, pool: at.lab.id }],
      ["/pools", { name: "once" }],
    ] as const) {
      const asked = { as: "admin", json, headers: { "idempotency-key": path } };
      const first = await at.ask("POST", path, asked);
      const again = await at.ask("POST", path, asked);
      expect([first.status, again.status]).toEqual([201, 201]);
      expect(await again.text()).toBe(await first.text());
    }
    expect(at.registry.listPools()).toHaveLength(4);
  });

  test("an answer carries the etag that the next change names", async () => {
    const at = await world();
    const path = `/nodes/${at.one.id}`;
    const shown = await at.ask("GET", path, { as: "operator" });
    const etag = shown.headers.get("etag") ?? "";
    const asked = { as: "operator", headers: { "if-match": etag } };
    const changed = await at.ask("PUT", path, { ...asked, json: { name: "a" } });
    expect([etag, changed.headers.get("etag")]).toEqual(['"1"', '"2"']);
    expect((await at.ask("PUT", path, { ...asked, json: { name: "b" } })).status).toBe(409);
  });

  test("the reason of a suspension stands in the audit", async () => {
    const at = await world();
    const json = { reason: "asked by its owner" };
    await at.ask("POST", `/nodes/${at.one.id}/suspend`, { as: "operator", json });
    const rows = await at.database.sql
      .selectFrom("audit")
      .select("detail")
      .where("action", "=", "node.suspended")
      .execute();
    expect(rows.map(({ detail }) => JSON.parse(detail))).toEqual([
      { pool: at.home.id, reason: "asked by its owner", remove_at: "2026-01-08T00:00:00.002Z" },
    ]);
  });

  test("work goes to a node that is up", async () => {
    const at = await world();
    beAlive(at.registry, at.two.id);
    const discovery = await at.ask("GET", "/discovery", { as: at.one.id });
    expect(await discovery.json()).toMatchObject({ items: [{ node_id: at.two.id }] });
    const resolved = await at.ask("GET", "/resolve?policy=hash&key=7", { as: at.one.id });
    expect(await resolved.json()).toMatchObject({ node_id: at.two.id });
  });
});
