import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHmac } from "node:crypto";
import { keyNumber } from "#test/support/registry.ts";
import { type WholePool, wholePool } from "#test/support/whole-pool.ts";
import type { Role } from "@/core/caller.ts";
import { loginMessage } from "@/core/login.ts";
import type { RouteAccess } from "@/ports/http.ts";
import { type SigningKey, signingKey } from "@/std/crypto.ts";

setDefaultTimeout(120_000);

/** Everybody the permission table knows, and somebody it does not. */
const ROLES: readonly Role[] = ["admin", "operator", "client", "node", "auditor"];
const UNKNOWN = "a".repeat(26);
const SYSTEM = { type: "system", id: "system:test", roles: [] } as const;
const NODE_SEED = new Uint8Array(32).fill(9);
/** So many are asked from one address that its rate would answer instead. */
const UNHURRIED = ["address", "caller", "node"].map((who) => `limits.${who}_burst=1000000`);
/** No schema knows this field, so that who may call is not let through to the act. */
const BODY = { no_such_field: 1 };

let pool: WholePool;
/** A good access token of each role. */
const good = new Map<Role, string>();

beforeAll(async () => {
  pool = await wholePool(UNHURRIED);
  pool.callers.set("root", {
    type: "operator",
    id: "operator:local",
    roles: ["admin", "operator"],
  });
  const access = pool.kernel.service("access");
  for (const role of ROLES.filter((one) => one !== "node")) good.set(role, await personToken(role));
  const registry = pool.kernel.service("registry");
  const [first] = registry.listPools();
  const { publicKey, sign } = signingKey(NODE_SEED);
  const about = { name: "matrix", specialization: "storage", pool: first?.id };
  const node = await registry.admit(SYSTEM, { ...about, publicKey } as never);
  const { nonce, expiresAtMs } = access.challenge(node.id);
  const installation = pool.kernel.service("authority").installationId;
  const said = loginMessage({ installationId: installation, nonce, expiresAtMs });
  const grant = await access.login("127.0.0.1", node.id, { nonce, signature: sign(said) });
  good.set("node", grant.accessToken);
});

afterAll(() => pool[Symbol.asyncDispose]());

describe("the permission table", () => {
  test("is the OpenAPI document's, route by route", async () => {
    const response = await pool.ask("system", "GET", "/openapi.json");
    const { paths } = (await response.json()) as {
      paths: Record<string, Record<string, { "x-roles": unknown; security: unknown[] }>>;
    };
    const documented = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({
        route: `${method.toUpperCase()} ${path}`,
        access: operation["x-roles"],
        isOpen: operation.security.length === 0,
      })),
    );
    const listed = rows().map(({ method, path, access }) => ({
      route: `${method} ${path.replace(/:(\w+)/g, "{$1}")}`,
      access,
      isOpen: access === "anyone",
    }));
    const byRoute = (a: { route: string }, b: { route: string }) => (a.route < b.route ? -1 : 1);
    expect(documented.toSorted(byRoute)).toEqual(listed.toSorted(byRoute) as never);
  });

  test("lets every listed role in and nobody else", async () => {
    const cells = closedRows().flatMap((row) => ROLES.map((role) => ({ row, role })));
    const wrong: string[] = [];
    for (const { row, role } of cells) {
      const { status, code } = await ask(row, good.get(role));
      const isIn = status !== 401 && code !== "access.denied";
      if (isListed(row, role) !== isIn) wrong.push(shown(row, role, `${status} ${code}`));
    }
    expect(wrong).toEqual([]);
    expect(cells.length).toBeGreaterThan(200);
  });

  test("knows nobody by a token that is not good, whatever role it claims", async () => {
    const cells = closedRows().flatMap((row) =>
      ROLES.flatMap((role) =>
        Object.entries(FORGERIES).map(([name, forge]) => ({ row, role, name, forge })),
      ),
    );
    const wrong: string[] = [];
    for (const { row, role, name, forge } of cells) {
      const { status, code } = await ask(row, forge(good.get(role) ?? ""));
      if (status !== 401) wrong.push(shown(row, role, `${name}: ${status} ${code}`));
    }
    expect(wrong).toEqual([]);
    expect(cells.length).toBeGreaterThan(1_000);
  });

  test("denies what is not listed to everybody", async () => {
    for (const role of ROLES) {
      const { status, code } = await ask(
        { method: "POST", path: "/api/v1/nowhere" },
        good.get(role),
      );
      expect([role, status, code]).toEqual([role, 404, "route.unknown"]);
    }
    expect((await ask({ method: "POST", path: "/api/v1/nowhere" }, undefined)).status).toBe(401);
  });
});

/** Every way in which a token can be wrong; none needs no token at all. */
const FORGERIES: Readonly<Record<string, (token: string) => string | undefined>> = {
  none: () => undefined,
  expired: (token) => resigned(token, { payload: { exp: inSeconds(-31), nbf: inSeconds(-900) } }),
  "not yet": (token) => resigned(token, { payload: { nbf: inSeconds(3_600) } }),
  "wrong audience": (token) => resigned(token, { payload: { aud: "another-pool" } }),
  "wrong issuer": (token) => resigned(token, { payload: { iss: UNKNOWN } }),
  "wrong kid": (token) => resigned(token, { header: { kid: "a".repeat(16) } }),
  "another key": (token) => resigned(token, { key: signingKey(keyNumber(77)) }),
  "alg none": (token) => `${changed(token, { header: { alg: "none" } })}.`,
  "HS256 with the public key": (token) => hmacSigned(token, publicKeyBytes()),
  "HS256 with its text": (token) =>
    hmacSigned(token, Buffer.from(publicKeyBytes().toString("base64url"))),
  "one letter changed": (token) =>
    `${token.slice(0, -2)}${token.at(-2) === "A" ? "B" : "A"}${token.at(-1)}`,
};

interface Changes {
  readonly header?: object;
  readonly payload?: object;
  readonly key?: SigningKey;
}

function resigned(token: string, changes: Changes): string {
  const said = changed(token, changes);
  const signature = (changes.key ?? jwtKey()).sign(Buffer.from(said));
  return `${said}.${Buffer.from(signature).toString("base64url")}`;
}

function hmacSigned(token: string, secret: Uint8Array): string {
  const said = changed(token, { header: { alg: "HS256" } });
  return `${said}.${createHmac("sha256", secret).update(said).digest("base64url")}`;
}

/** Header and payload of a token with changes, without a signature. */
function changed(token: string, { header = {}, payload = {} }: Changes): string {
  const [head = "", body = ""] = token.split(".");
  const part = (text: string, more: object) => {
    const said = JSON.parse(Buffer.from(text, "base64url").toString());
    return Buffer.from(JSON.stringify({ ...said, ...more })).toString("base64url");
  };
  return `${part(head, header)}.${part(body, payload)}`;
}

function jwtKey(): SigningKey {
  const [key] = pool.kernel.service("authority").jwtKeys();
  if (!key) throw new Error("there is no key that signs access tokens");
  return key;
}

function publicKeyBytes(): Buffer {
  return Buffer.from(jwtKey().publicKey);
}

function inSeconds(seconds: number): number {
  return Math.floor(Date.now() / 1000) + seconds;
}

function rows(): readonly RouteAccess[] {
  return pool.server.permissions();
}

function closedRows(): readonly RouteAccess[] {
  return rows().filter(({ access }) => access !== "anyone");
}

function isListed({ access }: RouteAccess, role: Role): boolean {
  return access !== "anyone" && access.includes(role);
}

function shown({ method, path }: RouteAccess, role: Role, found: string): string {
  return `${role}: ${method} ${path}: ${found}`;
}

async function ask(
  { method, path }: Pick<RouteAccess, "method" | "path">,
  token: string | undefined,
): Promise<{ readonly status: number; readonly code: string }> {
  const headers = new Headers({ "content-type": "application/json" });
  if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
  const body = method === "GET" ? {} : { body: JSON.stringify(BODY) };
  const where = path.replace(/:\w+/g, UNKNOWN);
  const request = new Request(`http://localhost${where}`, { method, headers, ...body });
  const origin = { isSecure: true, addressOf: () => "192.0.2.1", keepOpen: () => {} };
  const response = await pool.server.answer(request, origin);
  const text = await response.text();
  const code = text.startsWith("{") ? (JSON.parse(text).code ?? "") : "";
  return { status: response.status, code };
}

/** A person of one role, signed in. */
async function personToken(role: Role): Promise<string> {
  const name = `matrix-${role}`;
  const made = await pool.ask("root", "POST", "/api/v1/users", { name, roles: [role] });
  const { one_time_password: password } = (await made.json()) as { one_time_password: string };
  const proof = { user: name, password };
  const chosen = await pool.ask("nobody", "POST", "/api/v1/auth/password", {
    ...proof,
    new_password: `a good password of ${role}`,
  });
  if (chosen.status !== 204) throw new Error(await chosen.text());
  const signed = await pool.ask("nobody", "POST", "/api/v1/auth/token", {
    user: name,
    password: `a good password of ${role}`,
  });
  return ((await signed.json()) as { access_token: string }).access_token;
}
