import { describe, expect, test } from "bun:test";
import { Elysia, t } from "elysia";
import { httpWith, type Mount } from "#test/support/http.ts";

interface Operation {
  readonly responses: Readonly<Record<string, { readonly description: string }>>;
  readonly security: readonly unknown[];
  readonly operationId: string;
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: { readonly content: object };
  readonly "x-roles": unknown;
}

const library: Mount = (http) => [
  new Elysia({ prefix: "/api/v1/books", tags: ["books"] })
    .get("", () => ({ items: [], next_cursor: null }), {
      query: t.Object({ ...http.pageQuery }),
      response: {
        200: t.Object({ items: t.Array(t.String()), next_cursor: t.Nullable(t.String()) }),
      },
      detail: { summary: "List books" },
    })
    .get("/:book_id", ({ params }) => params)
    .post("", ({ status }) => status(202, { ok: true }), {
      body: t.Object({ title: t.String() }),
      headers: t.Object({ ...http.onceHeaders }),
      response: { 202: t.Object({ ok: t.Boolean() }) },
    }),
  [
    { method: "GET", path: "/api/v1/books", access: ["client", "admin"] },
    { method: "GET", path: "/api/v1/books/:book_id", access: "anyone" },
    { method: "POST", path: "/api/v1/books", access: ["admin"] },
  ],
];

const { ask, server } = await httpWith(library);
const text = await (await ask("GET", "/openapi.json")).text();
const document = JSON.parse(text);

function operation(method: string, path: string): Operation {
  return document.paths[path.replace(/:(\w+)/g, "{$1}")]?.[method.toLowerCase()];
}

describe("the OpenAPI document", () => {
  test("is of version 3.1 and says what it is about", () => {
    expect(document.openapi).toBe("3.1.0");
    expect(document.info).toMatchObject({ title: expect.any(String), version: expect.any(String) });
  });

  test("holds every mounted route with who may call it, and no other", () => {
    const listed = server.permissions().map(({ method, path }) => `${method} ${path}`);
    const documented = Object.entries<object>(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map(
        (method) => `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ":$1")}`,
      ),
    );
    expect(documented.sort()).toEqual(listed.sort());
    for (const { method, path, access } of server.permissions()) {
      const found = operation(method, path);
      expect(found["x-roles"]).toEqual(access);
      expect(found.security.length > 0).toBe(access !== "anyone");
    }
  });

  test("describes every response, and every schema it points to is there", () => {
    for (const { method, path } of server.permissions()) {
      const { responses } = operation(method, path);
      expect(Object.keys(responses)).toContain("500");
      for (const response of Object.values(responses)) expect(response.description).toBeString();
    }
    const references = [...text.matchAll(/"\$ref":"#\/([^"]+)"/g)].map((match) => match[1] ?? "");
    expect(references.length).toBeGreaterThan(0);
    for (const reference of new Set(references)) {
      const target = reference.split("/").reduce((at, name) => at?.[name], document);
      expect(target).toBeObject();
    }
  });

  test("names every parameter of a path, once, and gives each operation its own id", () => {
    const ids = server.permissions().map(({ method, path }) => operation(method, path).operationId);
    expect(new Set(ids).size).toBe(ids.length);
    const { parameters } = operation("GET", "/api/v1/books/:book_id");
    expect(parameters).toMatchObject([{ name: "book_id", in: "path", required: true }]);
  });

  test("tells the refusals that fit the shape of a route", () => {
    const statuses = (method: string, path: string) =>
      Object.keys(operation(method, path).responses);
    expect(statuses("GET", "/api/v1/books")).toEqual(
      expect.arrayContaining(["200", "400", "401", "403"]),
    );
    expect(statuses("GET", "/api/v1/books/:book_id")).not.toContain("401");
    expect(statuses("POST", "/api/v1/books")).toEqual(
      expect.arrayContaining(["202", "400", "401", "403", "409", "413", "415"]),
    );
  });

  test("takes JSON and nothing else", () => {
    const { requestBody, parameters } = operation("POST", "/api/v1/books");
    expect(Object.keys(requestBody?.content ?? {})).toEqual(["application/json"]);
    expect(parameters).toMatchObject([{ name: "idempotency-key", in: "header" }]);
  });
});

describe("the API reference", () => {
  test("loads only what the pool itself serves, and runs no script of the page", async () => {
    const response = await ask("GET", "/docs");
    const page = await response.text();
    expect(page).not.toMatch(/https?:|\/\/[a-z]/i);
    expect(page).not.toMatch(/<script(?![^>]* src=)/);
    expect(page).not.toMatch(/ on\w+=| style=|<style/);
    const policy = response.headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    const links = [...page.matchAll(/(?:src|href)="(\/[^"]*)"/g)].map((match) => match[1] ?? "");
    expect(links).toHaveLength(3);
    for (const link of links) expect((await ask("GET", link)).status).toBe(200);
  });

  test("starts with our document and asks no validator", async () => {
    const script = await (await ask("GET", "/docs/start.js")).text();
    expect(script).toContain('url: "/openapi.json"');
    expect(script).toContain("validatorUrl: null");
    expect(script).not.toMatch(/https?:/);
  });

  test.each([
    ["/docs/swagger-ui-bundle.js", "text/javascript; charset=utf-8", 1_000_000],
    ["/docs/swagger-ui.css", "text/css; charset=utf-8", 100_000],
  ])("serves %s whole", async (path, type, bytes) => {
    const response = await ask("GET", path);
    expect(response.headers.get("content-type")).toBe(type);
    expect((await response.arrayBuffer()).byteLength).toBeGreaterThan(bytes);
  });
});
