import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { OPERATOR_TOKEN_FILE } from "@/modules/access/operator-token.ts";
import { toBase32 } from "@/std/bytes.ts";
import { type AccessWorld, accessWorld, DAY_MS, HOUR_MS, refusal } from "./world.ts";

interface Shown {
  readonly token_id: string;
  readonly token?: string;
}

async function make(world: AccessWorld, json: object, headers = {}): Promise<Response> {
  return world.ask("POST", "/api/v1/tokens", { as: world.operatorToken, json, headers });
}

describe("the operator's token", () => {
  test("makes an admin of its bearer, in either header", async () => {
    await using world = await accessWorld();
    const bearer = await world.ask("GET", "/api/v1/tokens", { as: world.operatorToken });
    const headers = { "x-api-key": world.operatorToken };
    const key = await world.ask("GET", "/api/v1/tokens", { headers });
    expect([bearer.status, key.status]).toEqual([200, 200]);
  });

  test("is 0600 in the data folder, with 130 bits", async () => {
    await using world = await accessWorld();
    const path = join(world.files.root, OPERATOR_TOKEN_FILE);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readFileSync(path, "utf8")).toMatch(/^gpo_[a-z2-7]{26}\n$/);
  });

  test.each([
    ["nothing", {}],
    ["another token", { authorization: `Bearer gpo_${"a".repeat(26)}` }],
    ["its prefix alone", { authorization: "Bearer gpo_" }],
    ["another scheme", { authorization: "Basic Z3BvOg==" }],
    ["an empty bearer", { authorization: "Bearer " }],
    ["two words", { authorization: "Bearer a b" }],
    ["a key of no kind", { "x-api-key": "secret" }],
  ])("is what is missing with %s", async (_, headers) => {
    await using world = await accessWorld();
    const response = await world.ask("GET", "/api/v1/tokens", { headers });
    expect(response.status).toBe(401);
    expect(((await response.json()) as { code: string }).code).toBe("access.unauthenticated");
  });

  test("loses its rights when the file is replaced and read again", async () => {
    await using world = await accessWorld();
    const next = `gpo_${"b".repeat(26)}`;
    world.files.write(OPERATOR_TOKEN_FILE, `${next}\n`);
    expect((await world.ask("GET", "/api/v1/tokens", { as: next })).status).toBe(401);
    world.access.reload();
    expect((await world.ask("GET", "/api/v1/tokens", { as: next })).status).toBe(200);
    const old = await world.ask("GET", "/api/v1/tokens", { as: world.operatorToken });
    expect(old.status).toBe(401);
  });
});

describe("join tokens", () => {
  test("are shown once, and listed without what they are worth", async () => {
    await using world = await accessWorld();
    const pool = await world.pool();
    const response = await make(world, { pool_id: pool, uses: 2, node_name: "attic" });
    const made = (await response.json()) as Shown;
    expect(response.status).toBe(201);
    expect(made).toMatchObject({
      pool_id: pool,
      uses: 2,
      uses_left: 2,
      node_name: "attic",
      specialization: null,
      revoked_at: null,
      created_by: "operator:local",
      expires_at: new Date(world.clock.now() + HOUR_MS).toISOString(),
    });
    const list = await world.ask("GET", "/api/v1/tokens", { as: world.operatorToken });
    const text = await list.text();
    expect(text).toContain(made.token_id);
    expect(text).not.toContain(made.token?.split(".")[4] ?? "a token");
    const machine = world.machine();
    machine.name = "attic";
    expect(await refusal(machine.enroll(made.token ?? ""))).toBe("allowed");
  });

  test("come once per Idempotency-Key, and the secret not a second time", async () => {
    await using world = await accessWorld();
    const json = { pool_id: await world.pool() };
    const headers = { "idempotency-key": "once" };
    const first = (await (await make(world, json, headers)).json()) as Shown;
    const again = (await (await make(world, json, headers)).json()) as Shown;
    const { token, ...rest } = first;
    expect(token).toStartWith("GP1.");
    expect(again).toEqual(rest);
  });

  test("are listed in pages, the newest first", async () => {
    await using world = await accessWorld();
    const pool = await world.pool();
    const made: string[] = [];
    for (let at = 0; at < 5; at++) {
      made.unshift(((await (await make(world, { pool_id: pool })).json()) as Shown).token_id);
      if (at !== 2) world.clock.advance(1_000);
    }
    const seen: string[] = [];
    let cursor = "";
    do {
      const path = `/api/v1/tokens?limit=2${cursor && `&cursor=${cursor}`}`;
      const page = (await (await world.ask("GET", path, { as: world.operatorToken })).json()) as {
        items: Shown[];
        next_cursor: string | null;
      };
      expect(page.items.length).toBeLessThanOrEqual(2);
      seen.push(...page.items.map(({ token_id }) => token_id));
      cursor = page.next_cursor ?? "";
    } while (cursor !== "");
    expect(seen).toHaveLength(5);
    expect(new Set(seen)).toEqual(new Set(made));
    expect([seen[0], seen[4]]).toEqual([made[0], made[4]]);
  });

  test("are revoked once; afterwards they admit nobody", async () => {
    await using world = await accessWorld();
    const text = await world.token(await world.pool());
    const path = `/api/v1/tokens/${text.split(".")[3]}`;
    const first = await world.ask("DELETE", path, { as: world.operatorToken });
    const again = await world.ask("DELETE", path, { as: world.operatorToken });
    expect([first.status, again.status]).toEqual([204, 404]);
    expect(await refusal(world.machine().enroll(text))).toBe("enrolment.refused");
    expect(await world.actions()).toContain("token.revoked");
  });

  test.each([
    ["a pool nobody knows", { pool_id: "a".repeat(26) }, 404],
    ["no pool name", { pool_id: "" }, 400],
    ["no use", { uses: 0 }, 400],
    ["more than 30 days", { ttl_seconds: 30 * 86_400 + 1 }, 400],
    ["an unknown field", { role: "admin" }, 400],
  ])("are not made for %s", async (_, changes, status) => {
    await using world = await accessWorld();
    const pool_id = await world.pool();
    expect((await make(world, { pool_id, ...changes })).status).toBe(status);
  });

  test("are for the oldest pool when none is named, and refused without any", async () => {
    await using world = await accessWorld();
    expect((await make(world, {})).status).toBe(404);
    const pool = await world.pool("first");
    world.clock.advance(1);
    await world.pool("second");
    expect(await (await make(world, {})).json()).toMatchObject({ pool_id: pool });
  });

  test("say what became of them", async () => {
    await using world = await accessWorld();
    const pool = await world.pool();
    const [live, used, revoked] = [
      await world.token(pool, { ttlSeconds: 7_200 }),
      await world.token(pool),
      await world.token(pool),
    ];
    await world.machine().enroll(used);
    const idOf = (text: string) => text.split(".")[3] ?? "";
    await world.ask("DELETE", `/api/v1/tokens/${idOf(revoked)}`, { as: world.operatorToken });
    const expired = await world.token(pool);
    world.clock.advance(HOUR_MS);
    const list = await world.ask("GET", "/api/v1/tokens", { as: world.operatorToken });
    const { items } = (await list.json()) as { items: { token_id: string; state: string }[] };
    const states = [live, used, revoked, expired].map(
      (text) => items.find(({ token_id }) => token_id === idOf(text))?.state,
    );
    expect(states).toEqual(["live", "used", "revoked", "expired"]);
  });

  test.each([
    ["a specialization that cannot be", { specialization: "Big Data!" }, "specialization"],
    ["a name that cannot be printed", { node_name: "a\tb" }, "node_name"],
    ["a name with a space at its end", { node_name: "cellar " }, "node_name"],
  ])("are refused with %s: nobody could join with them", async (_, json, path) => {
    await using world = await accessWorld();
    await world.pool();
    const refused = await world.ask("POST", "/api/v1/tokens", { as: world.operatorToken, json });
    const problem = (await refused.json()) as { code: string; errors: { path: string }[] };
    expect([refused.status, problem.code]).toEqual([400, "token.invalid"]);
    expect(problem.errors.map((error) => error.path)).toEqual([path]);
  });

  test("are nothing for a node", async () => {
    await using world = await accessWorld();
    const pool = await world.pool();
    const { access_token } = await (await world.member(pool)).login();
    const json = { pool_id: pool };
    const response = await world.ask("POST", "/api/v1/tokens", { as: access_token, json });
    expect(response.status).toBe(403);
  });

  test("are forgotten 30 days after their end", async () => {
    await using world = await accessWorld();
    const pool = await world.pool();
    const id = (await world.token(pool)).split(".")[3] ?? "";
    world.clock.advance(HOUR_MS + 30 * DAY_MS);
    await world.token(pool);
    expect(await world.access.joinTokens.find(id)).toBeDefined();
    world.clock.advance(1);
    await world.token(pool);
    expect(await world.access.joinTokens.find(id)).toBeUndefined();
  });
});

describe("GET /api/v1/authority", () => {
  test("shows anybody the root, its pin and the pool's time", async () => {
    await using world = await accessWorld();
    const response = await world.ask("GET", "/api/v1/authority");
    expect(await response.json()).toEqual({
      installation_id: world.authority.installationId,
      root_pem: world.authority.rootPem,
      pin: toBase32(world.authority.pin),
      pool_time: new Date(world.clock.now()).toISOString(),
      previous: null,
    });
  });
});

describe("secrets", () => {
  test("stand in no row, no log line and no refusal", async () => {
    await using world = await accessWorld();
    const pool = await world.pool();
    const text = await world.token(pool);
    const secret = text.split(".")[4] ?? "";
    const machine = world.machine();
    await machine.enroll(text);
    const grant = await machine.login();
    const answers = [
      await (await world.ask("GET", "/api/v1/tokens", { as: `${world.operatorToken}x` })).text(),
      await (await world.ask("GET", "/api/v1/tokens", { as: `${grant.access_token}x` })).text(),
      await (await world.ask("GET", `/api/v1/tokens?token=${secret}`, { as: "x" })).text(),
      String(
        await world
          .machine()
          .enroll(text)
          .catch((error) => error),
      ),
    ];
    const kept = [await rowsOf(world), world.lines.join("\n"), ...answers].join("\n");
    const jwtSeed = world.files.read(`keys/jwt/${world.files.list("keys/jwt")[0]}`);
    const secrets = [
      secret,
      world.operatorToken,
      grant.refresh_token,
      grant.access_token,
      Buffer.from(machine.seed).toString("hex"),
      Buffer.from(jwtSeed ?? []).toString("hex"),
    ];
    expect(secrets.filter((canary) => canary === "" || kept.includes(canary))).toEqual([]);
    expect(kept).toContain(machine.id);
  });

  test("lie in files that only their owner reads", async () => {
    await using world = await accessWorld();
    await world.pool();
    const entries = readdirSync(world.files.root, { recursive: true, withFileTypes: true });
    for (const entry of entries) {
      const mode = statSync(join(entry.parentPath, entry.name)).mode & 0o777;
      expect([entry.name, mode]).toEqual([entry.name, entry.isDirectory() ? 0o700 : 0o600]);
    }
    expect(entries.length).toBeGreaterThan(8);
  });
});

/** Every row of every table of this module, bytes as hexadecimal and as text. */
async function rowsOf({ database }: AccessWorld): Promise<string> {
  const tables = ["audit", "join_token", "enrolment", "node_certificate", "refresh_token"] as const;
  const rows: unknown[] = [];
  for (const table of tables) {
    rows.push(
      ...(await database.sql
        .selectFrom(table as "audit")
        .selectAll()
        .execute()),
    );
  }
  return JSON.stringify(rows, (_, value) => {
    if (typeof value === "bigint") return `${value}`;
    if (!(value instanceof Uint8Array)) return value;
    return `${Buffer.from(value).toString("hex")} ${Buffer.from(value).toString("latin1")}`;
  });
}
