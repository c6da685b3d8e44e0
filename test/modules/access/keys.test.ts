import { describe, expect, test } from "bun:test";
import { databases } from "#test/support/database.ts";
import type { Caller } from "@/core/caller.ts";
import { type AccessWorld, accessWorld, DAY_MS, operator, PEOPLE_TERMS, refusal } from "./world.ts";

interface Shown {
  readonly key_id: string;
  readonly key?: string;
  readonly code?: string;
  readonly [name: string]: unknown;
}

async function ask(world: AccessWorld, method: string, path: string, json?: object, as?: string) {
  const asked = { as: as ?? world.operatorToken, ...(json && { json }) };
  const response = await world.ask(method, `/api/v1${path}`, asked);
  const body = (response.status === 204 ? {} : await response.json()) as Shown;
  return { status: response.status, body };
}

async function make(world: AccessWorld, json: object = { roles: ["admin"] }, as?: string) {
  return (await ask(world, "POST", "/keys", json, as)).body;
}

async function statusOf(world: AccessWorld, key = ""): Promise<number> {
  return (await ask(world, "GET", "/keys", undefined, key)).status;
}

describe.each(databases())("API keys on $kind", (kind) => {
  test("are shown once, kept as hashes, and good in either header, also over a restart", async () => {
    await using world = await accessWorld(kind);
    const { key = "", ...view } = await make(world, { name: "ci", roles: ["auditor", "admin"] });
    expect(key).toMatch(/^gpk_[a-z2-7]{8}_[a-z2-7]{26}$/);
    expect(view).toMatchObject({
      name: "ci",
      roles: ["admin", "auditor"],
      org: null,
      scopes: null,
      state: "live",
      created_by: "operator:local",
      expires_at: new Date(world.clock.now() + 90 * DAY_MS).toISOString(),
      last_used_at: null,
    });
    const again = await world.restarted();
    const headers = { "x-api-key": key };
    expect((await again.ask("GET", "/api/v1/keys", { headers })).status).toBe(200);
    const list = await again.ask("GET", "/api/v1/keys", { as: key });
    const text = await list.text();
    expect(text).toContain(view.key_id);
    expect(text).not.toContain(key.split("_")[2] ?? "?");
    const rows = await world.database.sql.selectFrom("api_key").selectAll().execute();
    expect(JSON.stringify(rows, (_, v) => (typeof v === "bigint" ? `${v}` : v))).not.toContain(key);
    expect(await world.actions()).toEqual(["key.created"]);
  });

  test("tell when they were last used, without a write for each use", async () => {
    await using world = await accessWorld(kind);
    const { key, key_id } = await make(world);
    world.clock.advance(1_000);
    await statusOf(world, key);
    const seen = new Date(world.clock.now()).toISOString();
    expect((await ask(world, "GET", `/keys/${key_id}`)).body["last_used_at"]).toBe(seen);
    const before = await world.restarted();
    expect((await ask(before, "GET", `/keys/${key_id}`)).body["last_used_at"]).toBeNull();
    await world.people.keys.flush();
    const after = await world.restarted();
    expect((await ask(after, "GET", `/keys/${key_id}`)).body["last_used_at"]).toBe(seen);
  });

  test("are dead from the revocation on, with all that was made with them", async () => {
    await using world = await accessWorld(kind);
    const first = await make(world);
    const second = await make(world, { roles: ["admin"] }, first.key);
    const other = await make(world);
    expect((await ask(world, "DELETE", `/keys/${first.key_id}`)).status).toBe(204);
    for (const where of [world, await world.restarted()]) {
      expect(await statusOf(where, first.key)).toBe(401);
      expect(await statusOf(where, second.key)).toBe(401);
      expect(await statusOf(where, other.key)).toBe(200);
    }
    expect((await ask(world, "GET", `/keys/${second.key_id}`)).body["state"]).toBe("revoked");
    expect((await ask(world, "DELETE", `/keys/${first.key_id}`)).status).toBe(404);
    const revoked = (await world.actions()).filter((action) => action === "key.revoked");
    expect(revoked).toHaveLength(2);
  });
});

describe("an API key", () => {
  test.each([
    ["another secret", (key: string) => `${key.slice(0, 13)}${"a".repeat(26)}`],
    ["another id", (key: string) => `gpk_aaaaaaaa${key.slice(12)}`],
    ["a letter less", (key: string) => key.slice(0, -1)],
    ["capital letters", (key: string) => key.toUpperCase()],
    ["its prefix alone", () => "gpk_"],
  ])("with %s is nobody's", async (_, change) => {
    await using world = await accessWorld();
    const { key = "" } = await make(world);
    expect(await statusOf(world, change(key))).toBe(401);
    expect(await statusOf(world, key)).toBe(200);
  });

  test("expires to the millisecond", async () => {
    await using world = await accessWorld();
    const { key, key_id } = await make(world, { roles: ["admin"], ttl_seconds: 60 });
    world.clock.advance(59_999);
    expect(await statusOf(world, key)).toBe(200);
    world.clock.advance(1);
    expect(await statusOf(world, key)).toBe(401);
    expect((await ask(world, "GET", `/keys/${key_id}`)).body["state"]).toBe("expired");
    world.clock.advance(31 * DAY_MS);
    await make(world);
    expect((await ask(world, "GET", `/keys/${key_id}`)).status).toBe(404);
  });

  test.each([
    [
      "a life of more than a year",
      { roles: ["admin"], ttl_seconds: 365 * 86_400 + 1 },
      "request.invalid",
    ],
    ["no role", { roles: [] }, "request.invalid"],
    ["the role of a node", { roles: ["node"] }, "request.invalid"],
    ["a scope of no area", { roles: ["admin"], scopes: ["moon:read"] }, "key.invalid"],
    ["a scope of no kind", { roles: ["admin"], scopes: ["nodes:all"] }, "key.invalid"],
    ["no scope at all", { roles: ["admin"], scopes: [] }, "request.invalid"],
    ["a name with a line in it", { roles: ["admin"], name: "a\nb" }, "key.invalid"],
    ["a bad organization", { roles: ["admin"], org: "?" }, "key.invalid"],
  ])("with %s is refused", async (_, json, code) => {
    await using world = await accessWorld();
    const answer = await ask(world, "POST", "/keys", json);
    expect([answer.status, answer.body.code]).toEqual([400, code]);
  });

  test("limited to scopes does what they name and nothing else, whatever its roles", async () => {
    await using world = await accessWorld();
    const { key } = await make(world, { roles: ["admin"], scopes: ["keys:read", "nodes:read"] });
    expect(await statusOf(world, key)).toBe(200);
    const write = await ask(world, "POST", "/keys", { roles: ["client"] }, key);
    expect([write.status, write.body.code]).toEqual([403, "access.scope"]);
    expect((await ask(world, "GET", "/users", undefined, key)).body.code).toBe("access.scope");
    expect((await ask(world, "GET", "/tokens", undefined, key)).body.code).toBe("access.scope");
  });

  test("makes none that may do more than itself", async () => {
    await using world = await accessWorld();
    const limited = await make(world, { roles: ["admin"], scopes: ["keys:write", "nodes:read"] });
    const code = async (json: object) => (await make(world, json, limited.key)).code;
    expect(await code({ roles: ["client"] })).toBe("access.grant_too_wide");
    expect(await code({ roles: ["client"], scopes: ["users:read"] })).toBe("access.grant_too_wide");
    expect(await code({ roles: ["client"], scopes: ["nodes:read"] })).toBeUndefined();
    const ofAcme = await make(world, { roles: ["admin"], org: "acme" });
    expect((await make(world, { roles: ["client"] }, ofAcme.key)).code).toBe(
      "access.grant_too_wide",
    );
    const plain = await make(world);
    const others = await ask(world, "DELETE", `/keys/${plain.key_id}`, undefined, ofAcme.key);
    expect(others.body.code).toBe("key.unknown");
  });

  test("carries organization and scopes to whoever asks who calls", async () => {
    await using world = await accessWorld();
    const json = { roles: ["client"], org: "acme", scopes: ["pools:read", "nodes:read"] };
    const { key, key_id } = await make(world, json);
    const request = new Request("http://pool/", { headers: { "x-api-key": key ?? "" } });
    expect(await world.access.authenticate(request)).toEqual({
      type: "key",
      id: `key:${key_id}`,
      roles: ["client"],
      org: "acme",
      scopes: ["nodes:read", "pools:read"],
    });
  });

  test("dies with the rights of the person who made it, and for good with the person", async () => {
    await using world = await accessWorld();
    const { persons, keys } = world.people;
    await persons.create(operator, { name: "root", roles: ["admin"] });
    await persons.create(operator, { name: "ada", roles: ["admin"] });
    const ada: Caller = { type: "user", id: "user:ada", roles: ["admin"] };
    const { text } = await keys.create(ada, { roles: ["admin"] });
    expect(await statusOf(world, text)).toBe(200);
    await persons.update(operator, "ada", { isDisabled: true });
    expect(await statusOf(world, text)).toBe(401);
    await persons.update(operator, "ada", { isDisabled: false });
    expect(await statusOf(world, text)).toBe(200);
    await persons.update(operator, "ada", { roles: ["operator"] });
    expect(await statusOf(world, text)).toBe(401);
    await persons.remove(operator, "ada");
    await persons.create(operator, { name: "ada", roles: ["admin"] });
    expect(await statusOf(world, text)).toBe(401);
    expect(await statusOf(await world.restarted(), text)).toBe(401);
  });

  test("is refused beyond the most that are kept", async () => {
    await using world = await accessWorld();
    const add = () => world.people.keys.create(operator, { roles: ["client"] });
    for (let at = 0; at < PEOPLE_TERMS.keysMax; at++) await add();
    expect(await refusal(add())).toBe("key.limit");
  });

  test("is listed in pages, the newest first", async () => {
    await using world = await accessWorld();
    const made: string[] = [];
    for (let at = 0; at < 5; at++) {
      made.unshift((await make(world)).key_id);
      if (at !== 2) world.clock.advance(1_000);
    }
    const seen: string[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const path: string = `/keys?limit=2${cursor && `&cursor=${cursor}`}`;
      const page = (await ask(world, "GET", path)).body as unknown as {
        items: Shown[];
        next_cursor: string | null;
      };
      seen.push(...page.items.map(({ key_id }) => key_id));
      cursor = page.next_cursor;
    }
    expect([seen.length, new Set(seen)]).toEqual([5, new Set(made)]);
    expect([seen[0], seen[4]]).toEqual([made[0], made[4]]);
  });
});
