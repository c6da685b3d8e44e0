import { describe, expect, test } from "bun:test";
import { Elysia, t } from "elysia";
import { type Asked, httpWith, type Mount, TEST_BODY_BYTES } from "#test/support/http.ts";
import type { RouteAccess } from "@/ports/http.ts";
import { AssertionError } from "@/std/assert.ts";
import { PoolError, REFUSALS, type RefusalKind } from "@/std/errors.ts";
import { type Page, pageOf, readPage } from "@/std/paging.ts";

const NAMES = Array.from({ length: 7 }, (_, at) => `node-${at}`);
const SECRET = "hunter2-hunter2";

/** What a page holds; items are replaced, never changed. */
const shelf: { readonly name: string }[] = [];

/** A small API that meets every kind of fate. */
const shop: Mount = (http) => {
  const routes = new Elysia({ prefix: "/api/v1" })
    .get(
      "/nodes",
      ({ query }) => {
        const { limit, after } = readPage(query);
        const found = NAMES.filter((name) => after === undefined || name > after);
        return pageOf(found.slice(0, limit + 1), limit, {
          item: (name) => ({ name }),
          position: (name) => name,
        });
      },
      {
        query: t.Object({ ...http.pageQuery }),
        response: {
          200: t.Object({
            items: t.Array(t.Object({ name: t.String() })),
            next_cursor: t.Nullable(t.String()),
          }),
        },
      },
    )
    .get("/shelf", () => http.answerPage({ items: [...shelf], next_cursor: null }), {
      response: {
        200: t.Object({
          items: t.Array(t.Object({ name: t.String() })),
          next_cursor: t.Nullable(t.String()),
        }),
      },
    })
    .get("/nodes/:id", ({ params }) => ({ id: params.id }))
    .get("/nodes/self", () => ({ id: "self" }))
    .post("/nodes", ({ body, status }) => status(201, body), {
      body: t.Object({
        name: t.String({ minLength: 2, maxLength: 8, description: "What people call it." }),
        port: t.Optional(t.Integer({ minimum: 1 })),
      }),
    })
    .put("/nodes/:id", () => "done")
    .post("/notes", ({ body }) => body ?? {}, {
      body: t.Optional(t.Object({ name: t.Optional(t.String()) })),
    })
    .post("/refuse/:kind", ({ params }) => {
      throw new PoolError(params.kind as RefusalKind, "shop.refused", "The shop is closed.", {
        open_at: 9n,
      });
    })
    .get("/later", () => {
      throw new PoolError("unavailable", "shop.later", "Come back.", { retryAfterSeconds: 61.5 });
    })
    .get("/broken", () => {
      throw new Error(`cannot open ${SECRET}`);
    })
    .get("/leak", () => ({ name: "x", password: SECRET }), {
      response: { 200: t.Object({ name: t.String() }) },
    })
    .get("/promise", () => {
      throw new AssertionError("two and two are four");
    })
    .get("/who", ({ request }) => ({
      id: http.callerOf(request).id,
      address: http.addressOf(request),
    }));
  const rows: readonly RouteAccess[] = [
    { method: "GET", path: "/api/v1/nodes", access: ["admin", "node"] },
    { method: "GET", path: "/api/v1/shelf", access: "anyone" },
    { method: "GET", path: "/api/v1/nodes/:id", access: ["admin", "node"] },
    { method: "GET", path: "/api/v1/nodes/self", access: ["node"] },
    { method: "POST", path: "/api/v1/nodes", access: ["admin"] },
    { method: "POST", path: "/api/v1/notes", access: ["admin"] },
    { method: "PUT", path: "/api/v1/nodes/:id", access: ["admin"] },
    { method: "POST", path: "/api/v1/refuse/:kind", access: ["admin"] },
    { method: "GET", path: "/api/v1/later", access: "anyone" },
    { method: "GET", path: "/api/v1/broken", access: "anyone" },
    { method: "GET", path: "/api/v1/leak", access: "anyone" },
    { method: "GET", path: "/api/v1/promise", access: "anyone" },
    { method: "GET", path: "/api/v1/who", access: ["admin"] },
  ];
  return [routes, rows];
};

const figures: Mount = () => [
  new Elysia().get("/metrics", () => "figures 1"),
  [{ method: "GET", path: "/metrics", access: ["auditor"], openOnLoopback: true }],
];

const { ask, lines, faults, server } = await httpWith(shop, figures);

type Case = readonly [string, string, string, Asked, number, string];

describe("a refusal", () => {
  const cases: readonly Case[] = [
    ["nobody", "GET", "/api/v1/nodes", {}, 401, "access.unauthenticated"],
    ["the wrong role", "POST", "/api/v1/nodes", { as: "node" }, 403, "access.denied"],
    ["a role nobody knows", "GET", "/api/v1/nodes", { as: "root" }, 403, "access.denied"],
    ["nobody at an unknown address", "GET", "/api/v1/x", {}, 401, "access.unauthenticated"],
    ["nobody at the root of the API", "GET", "/api", {}, 401, "access.unauthenticated"],
    ["nobody with an unknown method", "PATCH", "/api/v1/nodes", {}, 401, "access.unauthenticated"],
    ["somebody at an unknown address", "GET", "/api/v1/x", { as: "admin" }, 404, "route.unknown"],
    ["an unknown address elsewhere", "GET", "/x", {}, 404, "route.unknown"],
    ["a slash too many", "GET", "/api/v1/nodes/", { as: "admin" }, 404, "route.unknown"],
    ["another spelling", "GET", "/api/v1/%6eodes", { as: "admin" }, 404, "route.unknown"],
    ["a double slash", "GET", "/api//v1/nodes", { as: "admin" }, 404, "route.unknown"],
    [
      "an unknown method",
      "DELETE",
      "/api/v1/nodes",
      { as: "admin" },
      405,
      "request.method_not_allowed",
    ],
    [
      "a body that is not JSON",
      "POST",
      "/api/v1/nodes",
      { as: "admin", body: "name=x", headers: { "content-type": "text/plain" } },
      415,
      "request.unsupported_media_type",
    ],
    [
      "a body without a type",
      "PUT",
      "/api/v1/nodes/a",
      { as: "admin", body: "{}" },
      415,
      "request.unsupported_media_type",
    ],
    [
      "broken JSON",
      "POST",
      "/api/v1/nodes",
      { as: "admin", body: "{", headers: { "content-type": "application/json" } },
      400,
      "request.malformed",
    ],
    [
      "a body too large",
      "POST",
      "/api/v1/nodes",
      { as: "admin", json: { name: "x".repeat(TEST_BODY_BYTES) } },
      413,
      "request.too_large",
    ],
    ["no body at all", "POST", "/api/v1/nodes", { as: "admin" }, 400, "request.invalid"],
    ["a list", "POST", "/api/v1/notes", { as: "admin", json: [] }, 400, "request.invalid"],
    ["null", "POST", "/api/v1/notes", { as: "admin", json: null }, 400, "request.invalid"],
    ["a word", "POST", "/api/v1/notes", { as: "admin", json: "x" }, 400, "request.invalid"],
    ["a limit of 0", "GET", "/api/v1/nodes?limit=0", { as: "admin" }, 400, "request.invalid"],
    ["a limit of 501", "GET", "/api/v1/nodes?limit=501", { as: "admin" }, 400, "request.invalid"],
    ["a limit in words", "GET", "/api/v1/nodes?limit=x", { as: "admin" }, 400, "request.invalid"],
    ["an unknown filter", "GET", "/api/v1/nodes?nam=x", { as: "admin" }, 400, "request.invalid"],
    ["a bad cursor", "GET", "/api/v1/nodes?cursor=eA", { as: "admin" }, 400, "request.bad_cursor"],
    ["a fault of ours", "GET", "/api/v1/broken", {}, 500, "internal"],
    ["an answer against its own schema", "GET", "/api/v1/leak", {}, 500, "internal"],
  ];

  test.each(cases)("for %s has one shape", async (_, method, path, asked, status, code) => {
    const response = await ask(method, path, asked);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    const problem = (await response.json()) as Record<string, unknown>;
    expect(problem).toMatchObject({ status, code, type: `urn:galaxy-pool:problem:${code}` });
    expect(response.status).toBe(status);
    expect(problem["title"]).toBeString();
    expect(problem["detail"]).toBeString();
    expect(problem["instance"]).toStartWith("urn:galaxy-pool:request:");
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
  });

  test.each(Object.keys(REFUSALS).filter((kind) => kind !== "internal") as RefusalKind[])(
    "of kind %s has its status",
    async (kind) => {
      const response = await ask("POST", `/api/v1/refuse/${kind}`, { as: "admin" });
      expect(response.status).toBe(REFUSALS[kind].http);
      expect(await response.json()).toMatchObject({ code: "shop.refused", open_at: "9" });
      expect(response.headers.has("retry-after")).toBe(
        kind === "unavailable" || kind === "exhausted",
      );
      expect(response.headers.has("www-authenticate")).toBe(kind === "unauthenticated");
    },
  );

  test("says when to come back, in whole seconds", async () => {
    expect((await ask("GET", "/api/v1/later")).headers.get("retry-after")).toBe("62");
  });

  test("of a method names those that are allowed", async () => {
    const response = await ask("DELETE", "/api/v1/nodes", { as: "admin" });
    expect(response.headers.get("allow")).toBe("GET, HEAD, POST");
  });

  test("of an input names every place and repeats no value", async () => {
    const json = { name: SECRET, port: 0, admin: SECRET };
    const text = await (await ask("POST", "/api/v1/nodes", { as: "admin", json })).text();
    expect(text).not.toContain(SECRET);
    const { errors } = JSON.parse(text);
    expect(errors.map((fault: { path: string }) => fault.path).sort()).toEqual([
      "body.admin",
      "body.name",
      "body.port",
    ]);
    expect(errors[1].message).toContain("What people call it.");
  });

  test("of a number in the query names it", async () => {
    const response = await ask("GET", "/api/v1/nodes?limit=0", { as: "admin" });
    expect(await response.json()).toMatchObject({ errors: [{ path: "query.limit" }] });
  });

  test("of a fault of ours says nothing, and the log names the same request", async () => {
    const text = await (await ask("GET", "/api/v1/broken")).text();
    expect(text).not.toContain(SECRET);
    const id = JSON.parse(text).instance.split(":").at(-1);
    const line = lines.map((each) => JSON.parse(each)).find((each) => each.request === id);
    expect(line).toMatchObject({ level: 50, method: "GET", path: "/api/v1/broken" });
    expect(line.err.message).toContain("cannot open");
  });

  test("of a leaking answer keeps the leak out of the log too", async () => {
    lines.length = 0;
    await ask("GET", "/api/v1/leak");
    expect(lines.join("")).not.toContain(SECRET);
    expect(lines.join("")).toContain("breaks its own schema");
  });

  test("keeps queries, tokens and bodies out of the log", async () => {
    lines.length = 0;
    const json = { name: `${SECRET}-body` };
    await ask("POST", `/api/v1/nodes?token=${SECRET}`, { as: `admin:${SECRET}`, json });
    await ask("GET", `/api/v1/x?token=${SECRET}`, { as: `admin:${SECRET}` });
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.join("")).not.toContain(SECRET);
  });

  test("of a broken promise of ours ends the process", async () => {
    const response = await ask("GET", "/api/v1/promise");
    expect(response.status).toBe(500);
    expect(faults).toEqual([new AssertionError("two and two are four")]);
  });
});

describe("the permission table", () => {
  test("lets exactly the listed roles through", async () => {
    const roles = ["admin", "operator", "client", "node", "auditor"] as const;
    for (const row of server.permissions()) {
      if (row.access === "anyone") continue;
      const path = row.path.replace(":kind", "invalid").replace(":id", "abc");
      for (const role of roles) {
        const asked: Asked = { as: role, origin: { address: "10.0.0.9" } };
        const { status } = await ask(row.method, path, asked);
        expect(`${row.method} ${row.path} ${role} ${status !== 403}`).toBe(
          `${row.method} ${row.path} ${role} ${row.access.includes(role)}`,
        );
      }
      const nobody = await ask(row.method, path, { origin: { address: "10.0.0.9" } });
      expect(nobody.status).toBe(401);
    }
  });

  test.each([
    ["a route without a row", [], "routes without a row"],
    [
      "a row without a route",
      [
        { method: "GET", path: "/a", access: "anyone" },
        { method: "PUT", path: "/a", access: "anyone" },
      ],
      "rows of the permission table without a route",
    ],
  ] as const)("fails the start for %s", async (_, rows, message) => {
    const start = httpWith(() => [new Elysia().get("/a", () => "a"), rows]);
    await expect(start).rejects.toThrow(message);
  });

  test("fails the start for a route mounted twice", async () => {
    await expect(httpWith(figures, figures)).rejects.toThrow("mounted twice");
  });

  test("opens a loopback route to this machine over plain HTTP only", async () => {
    expect(await (await ask("GET", "/metrics")).text()).toBe("figures 1");
    const cases = [{ isSecure: true }, { address: "10.0.0.9" }, { address: "::2" }];
    for (const origin of cases) expect((await ask("GET", "/metrics", { origin })).status).toBe(401);
    const auditor: Asked = { as: "auditor", origin: { isSecure: true } };
    expect((await ask("GET", "/metrics", auditor)).status).toBe(200);
  });

  test("prefers a name to a parameter, as the routes do", async () => {
    expect((await ask("GET", "/api/v1/nodes/self", { as: "admin" })).status).toBe(403);
    const response = await ask("GET", "/api/v1/nodes/self", { as: "node" });
    expect(await response.json()).toEqual({ id: "self" });
  });

  test("tells a route who calls, and from where", async () => {
    const asked: Asked = { as: "admin:alice", origin: { address: "10.0.0.9" } };
    const response = await ask("GET", "/api/v1/who", asked);
    expect(await response.json()).toEqual({ id: "operator:alice", address: "10.0.0.9" });
  });
});

describe("an answer", () => {
  test("carries the security headers, and HSTS on TLS only", async () => {
    const plain = await ask("GET", "/api/v1/nodes", { as: "admin" });
    expect(plain.headers.get("cache-control")).toBe("no-store");
    expect(plain.headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
    expect(plain.headers.get("x-content-type-options")).toBe("nosniff");
    expect(plain.headers.get("x-frame-options")).toBe("DENY");
    expect(plain.headers.has("strict-transport-security")).toBe(false);
    const asked: Asked = { as: "admin", origin: { isSecure: true } };
    const secure = await ask("GET", "/api/v1/nodes", asked);
    expect(secure.headers.get("strict-transport-security")).toStartWith("max-age=");
  });

  test("to HEAD has the headers of GET and no body", async () => {
    const get = await ask("GET", "/api/v1/nodes", { as: "admin" });
    const head = await ask("HEAD", "/api/v1/nodes", { as: "admin" });
    expect(head.status).toBe(200);
    expect(head.headers.get("content-length")).toBe(`${(await get.arrayBuffer()).byteLength}`);
    expect(await head.text()).toBe("");
    expect((await ask("HEAD", "/api/v1/nodes")).status).toBe(401);
  });

  test("comes in pages, each item once", async () => {
    const seen: string[] = [];
    let cursor: string | null = "";
    for (let pages = 0; cursor !== null; pages++) {
      expect(pages).toBeLessThan(4);
      const query = cursor === "" ? "" : `&cursor=${cursor}`;
      const response = await ask("GET", `/api/v1/nodes?limit=3${query}`, { as: "admin" });
      const page = (await response.json()) as Page<{ name: string }>;
      seen.push(...page.items.map((item) => item.name));
      cursor = page.next_cursor;
    }
    expect(seen).toEqual(NAMES);
  });

  test("is whole without a cursor when nothing follows", async () => {
    const response = await ask("GET", "/api/v1/nodes?limit=7", { as: "admin" });
    expect(await response.json()).toMatchObject({ next_cursor: null });
  });

  test("of a page shows each item as it is now, one that was replaced too", async () => {
    const listed = async () => (await ask("GET", "/api/v1/shelf")).json();
    const shown = (...names: string[]) => ({
      items: names.map((name) => ({ name })),
      next_cursor: null,
    });
    expect(await listed()).toEqual(shown());
    shelf.push({ name: "a" }, { name: "b" });
    expect(await listed()).toEqual(shown("a", "b"));
    expect(await listed()).toEqual(shown("a", "b"));
    shelf[1] = { name: "c" };
    expect(await listed()).toEqual(shown("a", "c"));
    shelf.push({ name: "d" });
    expect(await listed()).toEqual(shown("a", "c", "d"));
    shelf.shift();
    expect(await listed()).toEqual(shown("c", "d"));
  });
});
