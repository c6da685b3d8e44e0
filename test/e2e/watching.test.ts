import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { NodeProcess } from "#test/support/node-process.ts";
import { PoolProcess } from "#test/support/pool-process.ts";
import { RawNode } from "#test/support/raw-node.ts";
import { schemaFaults } from "#test/support/schema-faults.ts";
import { until } from "#test/support/until.ts";

setDefaultTimeout(60_000);

let pool: PoolProcess;
let node: NodeProcess;
let document: OpenApi;

interface Operation {
  readonly "x-roles": "anyone" | readonly string[];
  readonly parameters?: readonly { readonly name: string; readonly required?: boolean }[];
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: unknown }>> }>
  >;
}

interface OpenApi {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

beforeAll(async () => {
  pool = await PoolProcess.start();
  const more = ["--payout-address", "cash"];
  node = await NodeProcess.joined(pool, "watched", { token: await pool.token(), more });
  await node.run();
  await node.proves(3);
  document = (await pool.ask("GET", "/openapi.json")).body;
  await until("an interval to close", async () => {
    const { credit_total } = await pool.told("GET", `/api/v1/poot/${node.id}`);
    return credit_total > 0;
  });
});

afterAll(async () => {
  await node[Symbol.asyncDispose]();
  await pool[Symbol.asyncDispose]();
});

function operations(): readonly (readonly [string, string, Operation])[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(
      ([method, operation]) => [method.toUpperCase(), path, operation] as const,
    ),
  );
}

/** What there is to look at, made before it is looked at. */
async function made(): Promise<Readonly<Record<string, string>>> {
  const user = { name: "ada", roles: ["auditor"] };
  const key = await pool.told("POST", "/api/v1/keys", { name: "k", roles: ["auditor"] });
  return {
    user_name: (await pool.told("POST", "/api/v1/users", user)).name,
    key_id: key.key_id,
  };
}

/** A path with the ids of this pool and this node, and those made. */
const filled = (path: string, ids: Readonly<Record<string, string>> = {}): string =>
  path
    .replace("{node_id}", node.id)
    .replace("{pool_id}", (pool.made["pool"] as { id: string }).id)
    .replace(/\{(\w+)\}/g, (_, name: string) => ids[name] ?? "1");

/** Nothing was noticed in a pool that is well, and nothing is signed in its first two minutes. */
const MAY_BE_REFUSED: Readonly<Record<string, number>> = {
  "/api/v1/anomalies/{anomaly_id}": 404,
  "/api/v1/audit/checkpoint": 404,
  "/api/v1/audit/proof": 400,
};

describe("health", () => {
  test("is as the first users of this API know it, with its checks beside", async () => {
    const { status, body } = await pool.ask("GET", "/health");
    expect(status).toBe(200);
    expect(body).toMatchObject({ status: "healthy", service: "lucid-node-management" });
    const wanted = ["schema", "database", "ledger", "payouts"];
    expect(Object.keys(body.checks)).toEqual(expect.arrayContaining(wanted));
  });

  test.each(["/livez", "/readyz"])("%s answers without credentials", async (path) => {
    expect((await fetch(pool.url + path)).status).toBe(200);
  });
});

describe("metrics", () => {
  test.each([
    ["Prometheus", "text/plain"],
    ["OpenMetrics", "application/openmetrics-text"],
  ])("in the format of %s", async (_, accept) => {
    const answer = await fetch(`${pool.url}/metrics`, { headers: { accept } });
    expect(answer.headers.get("content-type")).toContain(accept);
    expect(await answer.text()).toMatch(/^galaxy_nodes\{.*state="alive".*\} 1$/m);
  });

  test("satisfy promtool", async () => {
    const text = await (await fetch(`${pool.url}/metrics`)).text();
    const promtool = Bun.spawn(["promtool", "check", "metrics"], {
      stdin: new Blob([text]),
      stdout: "pipe",
      stderr: "pipe",
    });
    const said = (await promtool.stdout.text()) + (await promtool.stderr.text());
    expect([await promtool.exited, said]).toEqual([0, ""]);
  });

  test("are for those with a role where others can reach them", async () => {
    const insecure = { tls: { rejectUnauthorized: false } };
    const url = `https://127.0.0.1:${pool.securePort}/metrics`;
    const authorization = `Bearer ${pool.operatorToken}`;
    expect((await fetch(url, insecure)).status).toBe(401);
    expect((await fetch(url, { ...insecure, headers: { authorization } })).status).toBe(200);
  });
});

test("security.txt is there for anyone, on both listeners", async () => {
  const insecure = { tls: { rejectUnauthorized: false } };
  for (const url of [pool.url, `https://127.0.0.1:${pool.securePort}`]) {
    const answer = await fetch(`${url}/.well-known/security.txt`, insecure);
    expect([answer.status, await answer.text()]).toEqual([
      200,
      expect.stringContaining("Contact:"),
    ]);
  }
});

describe("the API", () => {
  test.each([
    ["POST /api/v1/nodes", "GET /api/v1/nodes"],
    ["GET /api/v1/nodes/{node_id}", "PUT /api/v1/nodes/{node_id}"],
    ["DELETE /api/v1/nodes/{node_id}", "GET /api/v1/pools"],
    ["POST /api/v1/pools", "POST /api/v1/pools/{pool_id}/join"],
    ["GET /api/v1/poot/{node_id}", "POST /api/v1/poot/calculate"],
    ["GET /api/v1/payouts/{node_id}", "POST /api/v1/payouts/process"],
    ["GET /health", "GET /metrics"],
    ["GET /api/v1/explain", "GET /api/v1/statements/{node_id}"],
    ["GET /api/v1/discovery", "GET /api/v1/resolve"],
    ["GET /api/v1/host", "POST /api/v1/tokens"],
    ["GET /api/v1/authority", "GET /.well-known/jwks.json"],
    ["GET /livez", "GET /.well-known/security.txt"],
  ])("has %s and %s", (...routes) => {
    const all = operations().map(([method, path]) => `${method} ${path}`);
    expect(all).toEqual(expect.arrayContaining(routes));
  });

  test("answers every GET as its document says", async () => {
    const query: Readonly<Record<string, string>> = {
      "/api/v1/explain": `?node=${node.id}`,
      "/api/v1/audit/proof": "?index=0",
      "/api/v1/resolve": "?specialization=general&policy=round_robin",
    };
    const ids = await made();
    const gets = operations().filter(([method]) => method === "GET");
    for (const [, path, { responses }] of gets) {
      const answer = await pool.ask("GET", filled(path, ids) + (query[path] ?? ""));
      const content = responses[answer.status]?.content;
      const schema = content?.["application/json"]?.schema;
      const faults = schema ? schemaFaults(schema, answer.body) : [];
      const right = answer.status === MAY_BE_REFUSED[path] ? answer.status : 200;
      expect([path, answer.status, faults]).toEqual([path, right, []]);
    }
  });

  test("refuses everybody without credentials what is not for everybody", async () => {
    for (const [method, path, operation] of operations()) {
      if (operation["x-roles"] === "anyone" || path === "/metrics") continue;
      const answer = await fetch(pool.url + filled(path), { method });
      const { code } = (await answer.json()) as { code: string };
      expect([method, path, answer.status, code]).toEqual([
        method,
        path,
        401,
        "access.unauthenticated",
      ]);
    }
  });

  test("tells a node by a token it gets for a signature, and lets it see its own money only", async () => {
    const other = `/api/v1/payouts/${"a".repeat(26)}`;
    const authorization = `Bearer ${await new RawNode(pool, node).accessToken()}`;
    const own = await pool.ask("GET", `/api/v1/payouts/${node.id}`, undefined, { authorization });
    expect(own.status).toBe(200);
    expect((await pool.ask("GET", other, undefined, { authorization })).status).toBe(404);
    expect((await pool.ask("POST", "/api/v1/payouts/process", {}, { authorization })).status).toBe(
      403,
    );
  });
});
