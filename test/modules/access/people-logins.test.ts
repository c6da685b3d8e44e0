import { describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { databases } from "#test/support/database.ts";
import { type AccessWorld, accessWorld, DAY_MS, HOUR_MS, operator } from "./world.ts";

const PASSWORD = "correct horse battery";
const MINUTE_MS = 60_000;

interface Tokens {
  readonly access_token: string;
  readonly refresh_token: string;
}

async function withAda(world: AccessWorld): Promise<AccessWorld> {
  const { persons } = world.people;
  await persons.create(operator, { name: "root", roles: ["admin"], password: PASSWORD });
  const roles = ["admin", "operator"] as const;
  await persons.create(operator, { name: "ada", roles, password: PASSWORD });
  return world;
}

function signIn(
  world: AccessWorld,
  json: object = { user: "ada", password: PASSWORD },
  address?: string,
) {
  return world.ask("POST", "/api/v1/auth/token", { json, ...(address && { address }) });
}

async function tokensOf(response: Response): Promise<Tokens> {
  expect(response.status).toBe(200);
  return (await response.json()) as Tokens;
}

async function statusWith(world: AccessWorld, token: string): Promise<number> {
  return (await world.ask("GET", "/api/v1/users", { as: token })).status;
}

function refresh(world: AccessWorld, token: string): Promise<Response> {
  return world.ask("POST", "/api/v1/auth/refresh", { json: { refresh_token: token } });
}

async function codeOf(response: Response): Promise<string> {
  return ((await response.json()) as { code: string }).code;
}

const read = (text = "") => JSON.parse(Buffer.from(text, "base64url").toString()) as object;
const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");

describe.each(databases())("a login on $kind", (kind) => {
  test("with a password lives 15 minutes, is refreshed for 12 hours, and outlives a restart", async () => {
    await using world = await accessWorld(kind);
    await withAda(world);
    const first = await tokensOf(await signIn(world));
    expect(first).toMatchObject({
      token_type: "Bearer",
      expires_in: 900,
      refresh_expires_in: 43_200,
    });
    expect(first.refresh_token).toMatch(/^gpl_[a-z2-7]{26}$/);
    expect(await statusWith(world, first.access_token)).toBe(200);
    world.clock.advance(16 * MINUTE_MS);
    const again = await world.restarted();
    expect(await statusWith(again, first.access_token)).toBe(401);
    world.clock.advance(11 * HOUR_MS);
    const second = await tokensOf(await refresh(again, first.refresh_token));
    expect(await statusWith(again, second.access_token)).toBe(200);
    world.clock.advance(12 * HOUR_MS);
    expect((await refresh(again, second.refresh_token)).status).toBe(401);
    const actions = (await world.actions()).filter((action) => action.startsWith("login."));
    expect(actions).toEqual(["login.started", "login.refreshed"]);
  });

  test("of which a refresh token comes twice ends, and no other", async () => {
    await using world = await accessWorld(kind);
    await withAda(world);
    const first = await tokensOf(await signIn(world));
    const other = await tokensOf(await signIn(world));
    const second = await tokensOf(await refresh(world, first.refresh_token));
    expect((await refresh(world, first.refresh_token)).status).toBe(401);
    for (const where of [world, await world.restarted()]) {
      expect((await refresh(where, second.refresh_token)).status).toBe(401);
      expect(await statusWith(where, second.access_token)).toBe(401);
      expect(await statusWith(where, other.access_token)).toBe(200);
    }
    expect((await world.actions()).filter((action) => action === "login.reused")).toHaveLength(1);
  });

  test("refreshed by many at once is good for at most one, and ends", async () => {
    await using world = await accessWorld(kind);
    await withAda(world);
    const first = await tokensOf(await signIn(world));
    const answers = await Promise.all(
      Array.from({ length: 4 }, () => refresh(world, first.refresh_token)),
    );
    const good = answers.filter(({ status }) => status === 200);
    expect(good.length).toBeLessThanOrEqual(1);
    for (const one of good) {
      expect((await refresh(world, (await tokensOf(one)).refresh_token)).status).toBe(401);
    }
  });

  test.each([
    [
      "the roles change",
      (world: AccessWorld) => world.people.persons.update(operator, "ada", { roles: ["admin"] }),
    ],
    [
      "the person is disabled",
      (world: AccessWorld) => world.people.persons.update(operator, "ada", { isDisabled: true }),
    ],
    ["the person is deleted", (world: AccessWorld) => world.people.persons.remove(operator, "ada")],
    ["the password is reset", (world: AccessWorld) => world.people.persons.reset(operator, "ada")],
  ] as const)("ends at once when %s", async (_, act) => {
    await using world = await accessWorld(kind);
    await withAda(world);
    const tokens = await tokensOf(await signIn(world));
    const root = await tokensOf(await signIn(world, { user: "root", password: PASSWORD }));
    expect(await statusWith(world, tokens.access_token)).toBe(200);
    await act(world);
    for (const where of [world, await world.restarted()]) {
      expect(await statusWith(where, tokens.access_token)).toBe(401);
      expect((await refresh(where, tokens.refresh_token)).status).toBe(401);
      expect(await statusWith(where, root.access_token)).toBe(200);
    }
  });
});

describe("an access token", () => {
  test("says who, with which roles, for whom and until when", async () => {
    await using world = await accessWorld();
    const terms = { roles: ["operator", "client"] as const, org: "acme", scopes: ["nodes:read"] };
    const { text, key } = await world.people.keys.create(operator, terms);
    const { access_token } = await tokensOf(await signIn(world, { api_key: text }));
    const [header, payload] = access_token.split(".").slice(0, 2).map(read);
    const now = world.clock.now() / 1000;
    expect(header).toEqual({
      alg: "EdDSA",
      typ: "JWT",
      kid: expect.stringMatching(/^[a-z2-7]{16}$/),
    });
    expect(payload).toEqual({
      iss: world.authority.installationId,
      aud: "galaxy-pool",
      sub: `key:${key.id}`,
      role: "operator",
      roles: ["operator", "client"],
      org: "acme",
      scopes: ["nodes:read"],
      jti: expect.any(String),
      sid: expect.any(String),
      gen: key.id,
      iat: now,
      nbf: now,
      exp: now + 900,
    });
    const request = new Request("http://pool/", {
      headers: { authorization: `Bearer ${access_token}` },
    });
    expect(await world.access.authenticate(request)).toEqual({
      type: "key",
      id: `key:${key.id}`,
      ...terms,
    });
    expect(await statusWith(world, access_token)).toBe(403);
    await world.people.keys.revoke(operator, key.id);
    expect(await statusWith(world, access_token)).toBe(401);
  });

  test("of a person is refused in every forged form", async () => {
    await using world = await accessWorld();
    await withAda(world);
    const { access_token } = await tokensOf(await signIn(world));
    const [header, payload] = access_token.split(".");
    const forge = (head: object, body: object, sign?: (said: string) => Uint8Array | string) => {
      const said = `${part({ ...read(header), ...head })}.${part({ ...read(payload), ...body })}`;
      const signature = (sign ?? ((text) => world.authority.jwtKey().sign(Buffer.from(text))))(
        said,
      );
      return `${said}.${Buffer.from(signature).toString("base64url")}`;
    };
    const { publicKey } = world.authority.jwtKey();
    const mac = (said: string) => createHmac("sha256", publicKey).update(said).digest();
    const forged: Readonly<Record<string, string>> = {
      "alg none": forge({ alg: "none" }, {}, () => ""),
      "HS256 with the public key": forge({ alg: "HS256" }, {}, mac),
      "a wrong kid": forge({ kid: "aaaaaaaaaaaaaaaa" }, {}),
      "another audience": forge({}, { aud: "galaxy-bank" }),
      "another issuer": forge({}, { iss: "a".repeat(26) }),
      "an end in the past": forge({}, { exp: 1 }),
      "a start in the future": forge({}, { nbf: 4_000_000_000 }),
      "another generation": forge({}, { gen: "a".repeat(16) }),
      "no generation": forge({}, { gen: undefined }),
      "a list for a generation": forge({}, { gen: ["a"] }),
      "another person": forge({}, { sub: "user:root" }),
      "the operator of this machine": forge({}, { sub: "operator:local" }),
      "a key": forge({}, { sub: "key:aaaaaaaa" }),
      "the pool itself": forge({}, { sub: "system:poot" }),
      "a node": forge({}, { sub: "b".repeat(26), role: "node" }),
    };
    expect(await statusWith(world, forge({}, {}))).toBe(200);
    for (const [what, token] of Object.entries(forged)) {
      expect([what, await statusWith(world, token)]).toEqual([what, 401]);
    }
  });

  test("gains nothing from roles written into it", async () => {
    await using world = await accessWorld();
    const { persons } = world.people;
    await persons.create(operator, { name: "eve", roles: ["client"], password: PASSWORD });
    const { access_token } = await tokensOf(
      await signIn(world, { user: "eve", password: PASSWORD }),
    );
    const [header, payload] = access_token.split(".");
    const said = `${header}.${part({ ...read(payload), role: "admin", roles: ["admin"] })}`;
    const signature = Buffer.from(world.authority.jwtKey().sign(Buffer.from(said)));
    expect(await statusWith(world, `${said}.${signature.toString("base64url")}`)).toBe(403);
  });

  test("is verified for a day after its key was replaced", async () => {
    await using world = await accessWorld();
    await withAda(world);
    world.clock.advance(30 * DAY_MS);
    const { access_token } = await tokensOf(await signIn(world));
    await world.authority.renewOwn(world.clock.now());
    expect(await statusWith(world, access_token)).toBe(200);
    expect(await statusWith(await world.restarted(), access_token)).toBe(200);
  });
});

describe("a password", () => {
  test("for one use is good for choosing one's own, until it expires, and once", async () => {
    await using world = await accessWorld();
    const { persons } = world.people;
    const made = await persons.create(operator, { name: "ada", roles: ["client"] });
    const proof = { user: "ada", password: made.oneTimePassword };
    const early = await signIn(world, proof);
    expect([early.status, await codeOf(early)]).toEqual([403, "user.password_one_time"]);
    const choose = (json: object) => world.ask("POST", "/api/v1/auth/password", { json });
    const bad = await choose({ ...proof, new_password: "short" });
    expect([bad.status, await codeOf(bad)]).toEqual([400, "user.invalid"]);
    expect((await choose({ ...proof, new_password: PASSWORD })).status).toBe(204);
    expect((await choose({ ...proof, new_password: `${PASSWORD}!` })).status).toBe(401);
    const own = await tokensOf(await signIn(world));
    const next = { user: "ada", password: PASSWORD, new_password: `${PASSWORD}!` };
    expect((await choose(next)).status).toBe(204);
    expect((await refresh(world, own.refresh_token)).status).toBe(401);
    expect((await signIn(world, proof)).status).toBe(401);

    const reset = await persons.reset(operator, "ada");
    world.clock.advance(72 * HOUR_MS);
    const late = { user: "ada", password: reset.oneTimePassword, new_password: PASSWORD };
    expect((await choose(late)).status).toBe(401);
    const changes = (await world.actions()).filter((action) => action === "user.password_changed");
    expect(changes).toHaveLength(2);
  });

  test.each([
    ["a wrong password", { user: "ada", password: "wrong horse battery" }],
    ["a name nobody has", { user: "nobody", password: PASSWORD }],
    ["somebody who is disabled", { user: "out", password: PASSWORD }],
    ["a password of many bytes", { user: "ada", password: "ä".repeat(512) }],
    ["an unknown key", { api_key: `gpk_aaaaaaaa_${"a".repeat(26)}` }],
  ])("answers the same for %s", async (_, json) => {
    await using world = await accessWorld();
    const { persons } = await withAda(world).then(({ people }) => people);
    await persons.create(operator, { name: "out", roles: ["client"], password: PASSWORD });
    await persons.update(operator, "out", { isDisabled: true });
    const response = await signIn(world, json);
    const { instance: _i, ...problem } = (await response.json()) as {
      instance: string;
      code: string;
    };
    const plain = await (await signIn(world, { user: "ada", password: "x" }, "192.0.2.9")).json();
    const { instance: _j, ...expected } = plain as { instance: string };
    expect([response.status, problem.code]).toEqual([401, "access.unauthenticated"]);
    expect(problem).toEqual(expected as typeof problem);
  });

  test("is asked for in one of three ways, and nothing else", async () => {
    await using world = await accessWorld();
    for (const json of [
      {},
      { user: "ada" },
      { user: "ada", password: "x", api_key: "y" },
      { api_key: 7 },
    ]) {
      const response = await signIn(world, json);
      expect([response.status, await codeOf(response)]).toEqual([400, "request.invalid"]);
    }
  });
});
