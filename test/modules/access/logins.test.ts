import { describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { signingKey } from "@/std/crypto.ts";
import { type AccessWorld, accessWorld, DAY_MS, HOUR_MS, operator } from "./world.ts";

const MINUTE_MS = 60_000;

/** 403 where the caller is known but no admin, 401 where he is nobody: enough to see who one is. */
async function statusWith(world: AccessWorld, token: string): Promise<number> {
  return (await world.ask("GET", "/api/v1/tokens", { as: token })).status;
}

async function codeOf(response: Response): Promise<string> {
  return ((await response.json()) as { code: string }).code;
}

async function refresh(world: AccessWorld, token: string): Promise<Response> {
  return world.ask("POST", "/api/v1/auth/refresh", { json: { refresh_token: token } });
}

describe("a signed challenge", () => {
  test("is worth an access token of 15 minutes and a refresh token of 12 hours", async () => {
    await using world = await accessWorld();
    const machine = await world.member(await world.pool());
    const response = await machine.answerChallenge();
    expect(response.headers.get("cache-control")).toBe("no-store");
    const grant = (await response.json()) as Record<string, unknown>;
    expect(grant).toMatchObject({ token_type: "Bearer", expires_in: 900 });
    expect(grant["refresh_expires_in"]).toBe(43_200);
    const request = new Request("http://pool/", {
      headers: { authorization: `Bearer ${grant["access_token"]}` },
    });
    expect(await world.access.authenticate(request)).toEqual({
      type: "node",
      id: machine.id,
      node: machine.id,
      roles: ["node"],
    });
    expect(await world.actions()).toContain("login.started");
  });

  test.each([
    ["a minute later", { afterMs: MINUTE_MS }],
    ["for another installation", { installation: "a".repeat(26) }],
    ["given to another node", { node: "b".repeat(26) }],
    ["with another nonce", { json: { nonce: Buffer.alloc(40).toString("base64") } }],
    ["with a short nonce", { json: { nonce: "AAAA" } }],
    ["with no base64", { json: { nonce: "%%" } }],
    ["with another signature", { json: { signature: Buffer.alloc(64).toString("base64") } }],
    ["by a node nobody knows", { json: { node_id: "c".repeat(26) } }],
    ["by what is no node id", { json: { node_id: "../etc" } }],
  ])("is worth nothing %s", async (_, changes) => {
    await using world = await accessWorld();
    const machine = await world.member(await world.pool());
    const response = await machine.answerChallenge(changes);
    expect([response.status, await codeOf(response)]).toEqual([401, "access.unauthenticated"]);
  });

  test("is worth one login only", async () => {
    await using world = await accessWorld();
    const machine = await world.member(await world.pool());
    const json = { node_id: machine.id };
    const given = await world.ask("POST", "/api/v1/auth/challenge", { json });
    const { nonce, expires_at } = (await given.json()) as { nonce: string; expires_at: string };
    const expiry = Buffer.alloc(8);
    expiry.writeBigUInt64BE(BigInt(Date.parse(expires_at)));
    const tag = Buffer.from(`gp-login-v1${world.authority.installationId}`);
    const said = Buffer.concat([tag, Buffer.from(nonce, "base64"), expiry]);
    const signature = Buffer.from(machine.key.sign(said)).toString("base64");
    const answer = { json: { ...json, nonce, signature } };
    expect((await world.ask("POST", "/api/v1/auth/token", answer)).status).toBe(200);
    expect((await world.ask("POST", "/api/v1/auth/token", answer)).status).toBe(401);
  });

  test("is given for any name, known or not, alike", async () => {
    await using world = await accessWorld();
    const json = { node_id: "nobody" };
    const response = await world.ask("POST", "/api/v1/auth/challenge", { json });
    expect(response.status).toBe(200);
    expect(Object.keys((await response.json()) as object)).toEqual(["nonce", "expires_at"]);
  });

  test("of a suspended node is refused with the reason, for it has proven who it is", async () => {
    await using world = await accessWorld();
    const machine = await world.member(await world.pool());
    await world.registry.suspend(operator, machine.id);
    const response = await machine.answerChallenge();
    expect([response.status, await codeOf(response)]).toEqual([403, "node.suspended"]);
  });

  test("that fails ten times blocks its address", async () => {
    await using world = await accessWorld();
    const machine = await world.member(await world.pool());
    const wrong = { json: { signature: Buffer.alloc(64).toString("base64") } };
    for (let at = 0; at < 10; at++) await machine.answerChallenge(wrong);
    const response = await machine.answerChallenge();
    expect([response.status, response.headers.get("retry-after")]).toEqual([429, "3600"]);
  });
});

describe("an access token", () => {
  test("lives 15 minutes and the skew of 30 seconds, no longer", async () => {
    await using world = await accessWorld();
    const { access_token } = await (await world.member(await world.pool())).login();
    expect(await statusWith(world, access_token)).toBe(403);
    world.clock.advance(15 * MINUTE_MS + 29_000);
    expect(await statusWith(await world.restarted(), access_token)).toBe(403);
    world.clock.advance(1_000);
    expect(await statusWith(world, access_token)).toBe(401);
    expect(await statusWith(await world.restarted(), access_token)).toBe(401);
  });

  test.each(["suspend", "remove"] as const)(
    "dies at once when its node is told to %s",
    async (act) => {
      await using world = await accessWorld();
      const machine = await world.member(await world.pool());
      const { access_token } = await machine.login();
      await world.registry[act](operator, machine.id);
      const response = await world.ask("GET", "/api/v1/tokens", { as: access_token });
      const code = act === "suspend" ? "node.suspended" : "node.removed";
      expect([response.status, await codeOf(response)]).toEqual([403, code]);
    },
  );

  test("ends with its login, also over a restart", async () => {
    await using world = await accessWorld();
    const { access_token, refresh_token } = await (await world.member(await world.pool())).login();
    await statusWith(world, access_token);
    const json = { refresh_token };
    expect((await world.ask("POST", "/api/v1/auth/revoke", { json })).status).toBe(204);
    expect(await statusWith(world, access_token)).toBe(401);
    expect(await statusWith(await world.restarted(), access_token)).toBe(401);
    expect((await refresh(world, refresh_token)).status).toBe(401);
  });

  test("is ended once, however often that is asked for", async () => {
    await using world = await accessWorld();
    const { refresh_token } = await (await world.member(await world.pool())).login();
    const json = { refresh_token };
    for (let times = 0; times < 3; times++) {
      expect((await world.ask("POST", "/api/v1/auth/revoke", { json })).status).toBe(204);
    }
    expect((await world.actions()).filter((action) => action === "login.ended")).toHaveLength(1);
  });

  test("is verified by the published key until a day after that was replaced", async () => {
    await using world = await accessWorld();
    const machine = await world.member(await world.pool());
    const kids = async () => {
      const answer = await world.ask("GET", "/.well-known/jwks.json");
      return ((await answer.json()) as { keys: { kid: string }[] }).keys.map(({ kid }) => kid);
    };
    const [first] = await kids();
    world.clock.advance(30 * DAY_MS);
    const { access_token } = await machine.login();
    await world.authority.renewOwn(world.clock.now());
    expect(await kids()).toHaveLength(2);
    expect((await kids())[1]).toBe(first);
    expect(await statusWith(world, access_token)).toBe(403);
    world.clock.advance(DAY_MS);
    await world.authority.renewOwn(world.clock.now());
    expect(await kids()).toHaveLength(1);
    expect(await kids()).not.toContain(first);
  });
});

describe("a forged access token", () => {
  interface Forgery {
    readonly header?: Readonly<Record<string, unknown>>;
    readonly payload?: Readonly<Record<string, unknown>>;
    readonly sign?: (said: string, publicKey: Uint8Array) => Uint8Array | string;
  }

  const mac = (said: string, key: Uint8Array) => createHmac("sha256", key).update(said).digest();
  const FORGERIES: Readonly<Record<string, Forgery>> = {
    "alg none": { header: { alg: "none" }, sign: () => "" },
    "alg none with the old signature": { header: { alg: "none" } },
    "HS256 with the public key": { header: { alg: "HS256" }, sign: mac },
    "HS256 with its base64": {
      header: { alg: "HS256" },
      sign: (said, key) => mac(said, Buffer.from(Buffer.from(key).toString("base64url"))),
    },
    "an unknown kid": { header: { kid: "aaaaaaaaaaaaaaaa" } },
    "no kid": { header: { kid: undefined } },
    "a key of its own": {
      header: { jwk: { kty: "OKP", crv: "Ed25519", x: "AAAA" } },
      sign: (said) => signingKey(new Uint8Array(32).fill(5)).sign(Buffer.from(said)),
    },
    "a critical header nobody knows": { header: { crit: ["x"], x: 1 } },
    "another type": { header: { typ: "secevent+jwt" } },
    "another audience": { payload: { aud: "galaxy-bank" } },
    "another issuer": { payload: { iss: "a".repeat(26) } },
    "a start in the future": { payload: { nbf: 4_000_000_000 } },
    "no end": { payload: { exp: undefined } },
    "no login": { payload: { sid: undefined } },
    "a role of admin": { payload: { role: "admin" } },
    "another node": { payload: { sub: "b".repeat(26) } },
    "another key of the node": { payload: { node_key: "a".repeat(52) } },
    "a number for a name": { payload: { sub: 7 } },
  };

  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const read = (text = "") => JSON.parse(Buffer.from(text, "base64url").toString()) as object;

  test("is refused, whatever it tries; the same token untouched is not", async () => {
    await using world = await accessWorld();
    const machine = await world.member(await world.pool());
    const { access_token } = await machine.login();
    const [header, payload] = access_token.split(".");
    const forge = ({ header: changedHeader, payload: changedPayload, sign }: Forgery): string => {
      const said = `${part({ ...read(header), ...changedHeader })}.${part({ ...read(payload), ...changedPayload })}`;
      const { publicKey } = world.authority.jwtKey();
      const signature = sign?.(said, publicKey) ?? world.authority.jwtKey().sign(Buffer.from(said));
      return `${said}.${Buffer.from(signature).toString("base64url")}`;
    };
    expect(await statusWith(world, forge({}))).toBe(403);
    for (const [what, forgery] of Object.entries(FORGERIES)) {
      expect([what, await statusWith(world, forge(forgery))]).toEqual([what, 401]);
    }
  });

  test("is refused in every broken shape", async () => {
    await using world = await accessWorld();
    const { access_token } = await (await world.member(await world.pool())).login();
    const [header, payload, signature = ""] = access_token.split(".");
    const flipped = `${signature.startsWith("A") ? "B" : "A"}${signature.slice(1)}`;
    for (const token of [
      `${header}.${payload}.`,
      `${header}.${payload}.${flipped}`,
      `.${payload}.${signature}`,
      "a.b.c",
      "..",
      `${access_token}.${signature}`,
      `${header}.${"A".repeat(5_000)}.${signature}`,
      "gpo_",
      "x",
    ]) {
      expect([token.slice(0, 20), await statusWith(world, token)]).toEqual([
        token.slice(0, 20),
        401,
      ]);
    }
  });
});

describe("a refresh token", () => {
  test("is good once, and what it gives goes on", async () => {
    await using world = await accessWorld();
    const first = await (await world.member(await world.pool())).login();
    world.clock.advance(11 * HOUR_MS);
    const second = (await (await refresh(world, first.refresh_token)).json()) as typeof first;
    expect(await statusWith(world, second.access_token)).toBe(403);
    world.clock.advance(11 * HOUR_MS);
    expect((await refresh(world, second.refresh_token)).status).toBe(200);
  });

  test("used twice ends its whole login, for one of the two was a thief", async () => {
    await using world = await accessWorld();
    const machine = await world.member(await world.pool());
    const first = await machine.login();
    const second = (await (await refresh(world, first.refresh_token)).json()) as typeof first;
    const third = (await (await refresh(world, second.refresh_token)).json()) as typeof first;
    const other = await machine.login();

    expect((await refresh(world, first.refresh_token)).status).toBe(401);

    expect((await refresh(world, third.refresh_token)).status).toBe(401);
    expect(await statusWith(world, third.access_token)).toBe(401);
    expect(await statusWith(world, other.access_token)).toBe(403);
    expect((await world.actions()).filter((action) => action === "login.reused")).toHaveLength(1);
  });

  test("used by many at once is good for at most one, and the login ends", async () => {
    await using world = await accessWorld();
    const first = await (await world.member(await world.pool())).login();
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => refresh(world, first.refresh_token)),
    );
    const good = answers.filter(({ status }) => status === 200);
    expect(good.length).toBeLessThanOrEqual(1);
    const next = (await good[0]?.json()) as typeof first | undefined;
    if (next) expect((await refresh(world, next.refresh_token)).status).toBe(401);
  });

  test.each([
    ["after 12 hours", 12 * HOUR_MS, "refresh_token"],
    ["when it is an access token", 0, "access_token"],
  ] as const)("is refused %s", async (_, laterMs, which) => {
    await using world = await accessWorld();
    const grant = await (await world.member(await world.pool())).login();
    world.clock.advance(laterMs);
    const response = await refresh(world, grant[which].slice(0, 128));
    expect([response.status, await codeOf(response)]).toEqual([401, "access.unauthenticated"]);
  });

  test("of a suspended node is refused", async () => {
    await using world = await accessWorld();
    const machine = await world.member(await world.pool());
    const { refresh_token } = await machine.login();
    await world.registry.suspend(operator, machine.id);
    expect(await codeOf(await refresh(world, refresh_token))).toBe("node.suspended");
  });
});
