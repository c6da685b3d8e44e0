import { describe, expect, test } from "bun:test";
import { type AccessWorld, accessWorld, HOUR_MS, operator } from "./world.ts";

const PASSWORD = "correct horse battery";

async function withAda(): Promise<AccessWorld & AsyncDisposable> {
  const world = await accessWorld();
  const ada = { name: "ada", roles: ["admin"] as const, password: PASSWORD };
  await world.people.persons.create(operator, ada);
  return world;
}

function signIn(world: AccessWorld, address: string, password: string, user = "ada") {
  const json = { user, password };
  return world.ask("POST", "/api/v1/auth/token", { json, address });
}

/** How many of these answers are to a guess that was looked at. */
const tried = (answers: readonly Response[]) =>
  answers.filter(({ status }) => status === 401).length;

async function guess(world: AccessWorld, address: string, times: number): Promise<Response> {
  let last = await signIn(world, address, "wrong");
  for (let at = 1; at < times; at++) last = await signIn(world, address, "wrong");
  return last;
}

describe("whoever guesses", () => {
  test("a thousand times at once from one address is looked at five times, and others get in", async () => {
    await using world = await withAda();
    const guesses = Array.from({ length: 1_000 }, (_, at) =>
      signIn(world, "192.0.2.66", `wrong ${at}`),
    );
    const good = signIn(world, "192.0.2.7", PASSWORD);
    const answers = await Promise.all(guesses);
    expect(tried(answers)).toBe(5);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(995);
    expect(
      answers.every(({ status, headers }) => status === 401 || headers.has("retry-after")),
    ).toBe(true);
    expect((await good).status).toBe(200);
  });

  test("a thousand times from a hundred addresses is looked at five times from each at most", async () => {
    await using world = await withAda();
    expect((await signIn(world, "192.0.2.7", PASSWORD)).status).toBe(200);
    const from = (at: number) => `198.51.100.${at % 100}`;
    const guesses = Array.from({ length: 1_000 }, (_, at) =>
      signIn(world, from(at), `wrong ${at}`),
    );
    const good = signIn(world, "192.0.2.7", PASSWORD);
    const answers = await Promise.all(guesses);
    for (let address = 0; address < 100; address++) {
      expect(tried(answers.filter((_, at) => at % 100 === address))).toBeLessThanOrEqual(5);
    }
    expect((await good).status).toBe(200);
    expect((await signIn(world, "192.0.2.8", PASSWORD)).status).toBe(200);
  });

  test("five times within 30 seconds waits ten minutes, also with the right password", async () => {
    await using world = await withAda();
    expect((await guess(world, "192.0.2.66", 5)).status).toBe(401);
    const blocked = await signIn(world, "192.0.2.66", PASSWORD);
    const { code } = (await blocked.json()) as { code: string };
    expect([blocked.status, code, blocked.headers.get("retry-after")]).toEqual([
      429,
      "access.blocked",
      "600",
    ]);
    world.clock.advance(599_999);
    expect((await signIn(world, "192.0.2.66", PASSWORD)).status).toBe(429);
    world.clock.advance(1);
    expect((await signIn(world, "192.0.2.66", PASSWORD)).status).toBe(200);
  });

  test("slowly waits an hour after ten failures in a row, for that user from there alone", async () => {
    await using world = await withAda();
    const eve = { name: "eve", roles: ["client"] as const, password: PASSWORD };
    await world.people.persons.create(operator, eve);
    for (let at = 0; at < 10; at++) {
      world.clock.advance(31_000);
      expect((await signIn(world, "192.0.2.66", "wrong")).status).toBe(401);
    }
    world.clock.advance(31_000);
    const blocked = await signIn(world, "192.0.2.66", PASSWORD);
    expect([blocked.status, blocked.headers.get("retry-after")]).toEqual([429, "3569"]);
    expect((await signIn(world, "192.0.2.66", PASSWORD, "eve")).status).toBe(200);
    expect((await signIn(world, "192.0.2.7", PASSWORD)).status).toBe(200);
    world.clock.advance(HOUR_MS - 31_000);
    expect((await signIn(world, "192.0.2.66", PASSWORD)).status).toBe(200);
  });

  test("with a success in between begins a new row", async () => {
    await using world = await withAda();
    for (let at = 0; at < 30; at++) {
      world.clock.advance(31_000);
      const password = at % 9 === 8 ? PASSWORD : "wrong";
      expect((await signIn(world, "192.0.2.66", password)).status).toBe(
        password === "wrong" ? 401 : 200,
      );
    }
  });

  test("a hundred times in a day waits a day, whoever it tries to be", async () => {
    await using world = await withAda();
    for (let at = 0; at < 100; at++) {
      world.clock.advance(31_000);
      expect((await signIn(world, "192.0.2.66", "wrong", `user${at}`)).status).toBe(401);
    }
    world.clock.advance(23 * HOUR_MS);
    const blocked = await signIn(world, "192.0.2.66", PASSWORD);
    expect([blocked.status, blocked.headers.get("retry-after")]).toEqual([429, "3600"]);
    world.clock.advance(HOUR_MS);
    expect((await signIn(world, "192.0.2.66", PASSWORD)).status).toBe(200);
  });

  test("within one IPv6 network is one stranger, and the network beside it another", async () => {
    await using world = await withAda();
    for (let at = 0; at < 5; at++) await signIn(world, `2001:db8:0:1::${at}`, "wrong");
    expect((await signIn(world, "2001:db8:0:1::99", PASSWORD)).status).toBe(429);
    expect((await signIn(world, "2001:db8:0:2::1", PASSWORD)).status).toBe(200);
  });

  test("at keys, or at the password before a new one, is counted as well", async () => {
    await using world = await withAda();
    const json = { api_key: `gpk_aaaaaaaa_${"a".repeat(26)}` };
    const change = { user: "ada", password: "wrong", new_password: "another horse battery" };
    for (let at = 0; at < 5; at++) {
      const path = at % 2 ? "/api/v1/auth/token" : "/api/v1/auth/password";
      await world.ask("POST", path, { json: at % 2 ? json : change, address: "192.0.2.66" });
    }
    expect((await signIn(world, "192.0.2.66", PASSWORD)).status).toBe(429);
  });

  test("finds nobody faster refused than somebody: a hash is compared for both", async () => {
    await using world = await withAda();
    for (const user of ["ada", "nobody", "ADA", "?"]) {
      const before = world.verified;
      expect((await signIn(world, `192.0.2.${user.length}`, "wrong", user)).status).toBe(401);
      expect(world.verified - before).toBe(1);
    }
  });

  test("costs no hash while it is blocked", async () => {
    await using world = await withAda();
    await guess(world, "192.0.2.66", 5);
    const before = world.verified;
    await guess(world, "192.0.2.66", 20);
    expect(world.verified).toBe(before);
  });
});
