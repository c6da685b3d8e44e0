import { describe, expect, test } from "bun:test";
import { statSync } from "node:fs";
import { join } from "node:path";
import { databases } from "#test/support/database.ts";
import { OPERATOR_TOKEN_FILE } from "@/modules/access/operator-token.ts";
import { type AccessWorld, accessWorld, DAY_MS, operator } from "./world.ts";

const PASSWORD = "correct horse battery";

function rotate(world: AccessWorld, what: "operator-token" | "jwt-key", as: string, headers = {}) {
  return world.ask("POST", `/api/v1/auth/${what}/rotate`, { as, headers });
}

async function statusWith(world: AccessWorld, as: string): Promise<number> {
  return (await world.ask("GET", "/api/v1/users", { as })).status;
}

async function who(world: AccessWorld, as: string): Promise<number> {
  return (await world.ask("GET", "/api/v1/auth/session", { as })).status;
}

async function kids(world: AccessWorld): Promise<string[]> {
  const answer = await world.ask("GET", "/.well-known/jwks.json");
  return ((await answer.json()) as { keys: { kid: string }[] }).keys.map(({ kid }) => kid);
}

function tokenIn(world: AccessWorld): string {
  return world.files.readText(OPERATOR_TOKEN_FILE)?.trim() ?? "";
}

describe.each(databases())("the operator's token on $kind", (kind) => {
  test("is replaced in its file; the one before is dead at once, and nothing shows the new one", async () => {
    await using world = await accessWorld(kind);
    const before = world.operatorToken;
    const answer = await rotate(world, "operator-token", before);
    expect([answer.status, await answer.json()]).toEqual([200, { file: OPERATOR_TOKEN_FILE }]);
    const after = tokenIn(world);
    expect(after).toMatch(/^gpo_[a-z2-7]{26}$/);
    expect(after).not.toBe(before);
    expect(statSync(join(world.files.root, OPERATOR_TOKEN_FILE)).mode & 0o777).toBe(0o600);
    for (const where of [world, await world.restarted()]) {
      expect(await statusWith(where, before)).toBe(401);
      expect(await statusWith(where, after)).toBe(200);
    }
    expect(await world.actions()).toEqual(["operator_token.rotated"]);
    expect(world.lines.join("")).not.toContain(after);
  });
});

describe("a secret of the installation", () => {
  test("is replaced once per Idempotency-Key", async () => {
    await using world = await accessWorld();
    const headers = { "idempotency-key": "once" };
    await rotate(world, "operator-token", world.operatorToken, headers);
    const after = tokenIn(world);
    const again = await rotate(world, "operator-token", after, headers);
    expect([again.status, again.headers.get("idempotency-replayed")]).toEqual([200, "true"]);
    expect(tokenIn(world)).toBe(after);
  });

  test("is nothing for an operator, an admin of an organization or a key without the scope", async () => {
    await using world = await accessWorld();
    const { keys } = world.people;
    for (const terms of [
      { roles: ["operator"] as const },
      { roles: ["admin"] as const, org: "acme" },
      { roles: ["admin"] as const, scopes: ["users:write"] },
    ]) {
      const { text } = await keys.create(operator, terms);
      expect((await rotate(world, "operator-token", text)).status).toBe(403);
      expect((await rotate(world, "jwt-key", text)).status).toBe(403);
    }
    expect(tokenIn(world)).toBe(world.operatorToken);
  });

  test("stays as it was when it is not audited", async () => {
    await using world = await accessWorld();
    await world.database.close();
    expect(
      (await rotate(world, "operator-token", world.operatorToken)).status,
    ).toBeGreaterThanOrEqual(500);
    expect(tokenIn(world)).toBe(world.operatorToken);
  });
});

describe("the key of access tokens", () => {
  test("is replaced on demand; both are published, and the one before verifies for a day", async () => {
    await using world = await accessWorld();
    await world.people.persons.create(operator, {
      name: "ada",
      roles: ["admin"],
      password: PASSWORD,
    });
    const signIn = async () => {
      const json = { user: "ada", password: PASSWORD };
      const answer = await world.ask("POST", "/api/v1/auth/token", { json });
      return ((await answer.json()) as { access_token: string }).access_token;
    };
    const [first] = await kids(world);
    const old = await signIn();
    const answer = await rotate(world, "jwt-key", world.operatorToken);
    const made = (await answer.json()) as { kid: string; verifying: string[] };
    expect(made.verifying).toEqual([first ?? ""]);
    expect(await kids(world)).toEqual([made.kid, first ?? ""]);
    const token = await signIn();
    const kid = (text: string) =>
      JSON.parse(Buffer.from(text.split(".")[0] ?? "", "base64url").toString()).kid;
    expect([kid(old), kid(token)]).toEqual([first, made.kid]);
    for (const where of [world, await world.restarted()]) {
      expect(await statusWith(where, old)).toBe(200);
      expect(await statusWith(where, token)).toBe(200);
      expect(await kids(where)).toEqual([made.kid, first ?? ""]);
    }
    world.clock.advance(DAY_MS + 1);
    await world.authority.renewOwn(world.clock.now());
    expect(await kids(world)).toEqual([made.kid]);
    expect(await world.actions()).toContain("jwt_key.rotated");
  });

  test("is replaced by itself after 30 days, and that counts from the last time", async () => {
    await using world = await accessWorld();
    world.clock.advance(29 * DAY_MS);
    await rotate(world, "jwt-key", world.operatorToken);
    const [current] = await kids(world);
    world.clock.advance(29 * DAY_MS);
    await world.authority.renewOwn(world.clock.now());
    expect(await kids(world)).toEqual([current ?? ""]);
    world.clock.advance(DAY_MS);
    await world.authority.renewOwn(world.clock.now());
    const [next, ...others] = await kids(world);
    expect(next).not.toBe(current);
    expect(others).toEqual([current ?? ""]);
  });

  test("is refused to be replaced more than seven times a day, each one forgotten after its own", async () => {
    await using world = await accessWorld();
    const again = () => rotate(world, "jwt-key", world.operatorToken);
    for (let at = 0; at < 7; at++) {
      expect((await again()).status).toBe(200);
      world.clock.advance(1_000);
    }
    const often = await again();
    expect([often.status, ((await often.json()) as { code: string }).code]).toEqual([
      409,
      "jwt.rotated_often",
    ]);
    expect((await kids(world)).length).toBe(8);
    world.clock.advance(DAY_MS - 6_999);
    await world.authority.renewOwn(world.clock.now());
    expect((await kids(world)).length).toBe(7);
    expect((await again()).status).toBe(200);
    expect((await world.actions()).filter((action) => action === "jwt_key.rotated")).toHaveLength(
      8,
    );
  });

  test("and the operator's token are replaced under load without one request lost", async () => {
    await using world = await accessWorld();
    const machine = await world.member(await world.pool());
    const { access_token } = await machine.login();
    const asked: Promise<number>[] = [];
    for (let round = 0; round < 20; round++) {
      asked.push(...Array.from({ length: 5 }, () => who(world, access_token)));
      if (round % 2) await rotate(world, "operator-token", tokenIn(world));
      if (round % 7 === 3) await rotate(world, "jwt-key", tokenIn(world));
      world.clock.advance(6_000);
      const { certificate } = await machine.renew();
      expect(world.access.callerOfCertificate(certificate).id).toBe(machine.id);
    }
    expect(new Set(await Promise.all(asked))).toEqual(new Set([200]));
    expect((await kids(world)).length).toBe(4);
  });
});
