import { describe, expect, test } from "bun:test";
import { wholePool } from "#test/support/whole-pool.ts";
import { type AccessWorld, accessWorld, HOUR_MS, operator, PEOPLE_TERMS } from "./world.ts";

const PASSWORD = "correct horse battery";
const OWN = { origin: "https://pi:8443", "sec-fetch-site": "same-origin" };
const MINUTE_MS = 60_000;

interface Page {
  readonly cookie: string;
  readonly csrf: string;
}

async function withAda(): Promise<AccessWorld & AsyncDisposable> {
  const world = await accessWorld();
  for (const name of ["ada", "root"]) {
    await world.people.persons.create(operator, { name, roles: ["admin"], password: PASSWORD });
  }
  return world;
}

function begin(world: AccessWorld, headers: Record<string, string> = OWN, isSecure = true) {
  const json = { user: "ada", password: PASSWORD };
  return world.ask("POST", "/api/v1/auth/session", { json, headers, isSecure });
}

async function signIn(world: AccessWorld): Promise<Page> {
  const answer = await begin(world);
  expect(answer.status).toBe(201);
  const cookie = (answer.headers.get("set-cookie") ?? "").split(";")[0] ?? "";
  return { cookie, csrf: ((await answer.json()) as { csrf_token: string }).csrf_token };
}

function get(world: AccessWorld, { cookie }: Page, headers = {}, isSecure = true) {
  return world.ask("GET", "/api/v1/users", { headers: { cookie, ...headers }, isSecure });
}

function post(world: AccessWorld, { cookie }: Page, headers: Record<string, string>) {
  const json = { roles: ["client"] };
  return world.ask("POST", "/api/v1/keys", {
    json,
    headers: { cookie, ...headers },
    isSecure: true,
  });
}

async function codeOf(answer: Response): Promise<unknown> {
  return [answer.status, ((await answer.json()) as { code: string }).code];
}

describe("a session", () => {
  test("is a cookie that only this host gets, only over TLS, and no script reads", async () => {
    await using world = await withAda();
    const cookie = (await begin(world)).headers.get("set-cookie") ?? "";
    const [value = "", ...attributes] = cookie.split("; ");
    expect(value).toMatch(/^__Host-galaxy_session=gps_[a-z2-7]{26}$/);
    expect(attributes.sort()).toEqual([
      "HttpOnly",
      "Max-Age=43200",
      "Path=/",
      "SameSite=Strict",
      "Secure",
    ]);
  });

  test("reads with its cookie, and changes with the token beside it", async () => {
    await using world = await withAda();
    const page = await signIn(world);
    expect((await get(world, page)).status).toBe(200);
    expect((await post(world, page, { ...OWN, "x-csrf-token": page.csrf })).status).toBe(201);
    const who = await world.ask("GET", "/api/v1/auth/session", {
      headers: { cookie: page.cookie },
      isSecure: true,
    });
    expect(await who.json()).toEqual({
      id: "user:ada",
      type: "user",
      roles: ["admin"],
      org: null,
      scopes: null,
      session: { csrf_token: page.csrf, expires_in: 43_200, idle_seconds: 1_800 },
    });
    const { actor } =
      (await world.database.sql.selectFrom("audit").selectAll().execute()).at(-1) ?? {};
    expect(actor).toBe("user:ada");
  });

  test("does not begin, and does not count, without TLS", async () => {
    await using world = await withAda();
    const plain = { origin: "http://localhost" };
    expect(await codeOf(await begin(world, plain, false))).toEqual([409, "session.insecure"]);
    const page = await signIn(world);
    expect((await get(world, page, {}, false)).status).toBe(401);
  });

  test.each([
    ["another origin", { origin: "https://evil.example" }],
    ["a sandbox", { origin: "null" }],
    ["another port", { origin: "https://pi:9000", "sec-fetch-site": "same-site" }],
    ["nothing known", {}],
  ])("does not begin from %s, whatever the password", async (_, headers) => {
    await using world = await withAda();
    expect(await codeOf(await begin(world, headers as Record<string, string>))).toEqual([
      403,
      "access.csrf",
    ]);
  });

  test.each([
    ["another origin", { origin: "https://evil.example" }, true],
    [
      "another origin that knows the token",
      { origin: "https://evil.example", "sec-fetch-site": "cross-site" },
      true,
    ],
    ["no origin", {}, true],
    ["this host without TLS", { origin: "http://pi:8443" }, true],
    ["this host without the token", OWN, false],
  ])("changes nothing from %s", async (_, headers, hasToken) => {
    await using world = await withAda();
    const page = await signIn(world);
    const before = await world.actions();
    const token = hasToken ? { "x-csrf-token": page.csrf } : {};
    const answer = await post(world, page, { ...(headers as Record<string, string>), ...token });
    expect(await codeOf(answer)).toEqual([403, "access.csrf"]);
    expect(await world.actions()).toEqual(before);
  });

  test("changes nothing with the token of another session", async () => {
    await using world = await withAda();
    const [first, second] = [await signIn(world), await signIn(world)];
    const answer = await post(world, first, { ...OWN, "x-csrf-token": second.csrf });
    expect(await codeOf(answer)).toEqual([403, "access.csrf"]);
  });

  test("is not read by a page elsewhere, and not hidden by one more cookie", async () => {
    await using world = await withAda();
    const page = await signIn(world);
    const foreign = await get(world, page, { origin: "https://evil.example" });
    expect(await codeOf(foreign)).toEqual([403, "access.csrf"]);
    const twice = { cookie: `__Host-galaxy_session=gps_x; ${page.cookie}`, csrf: page.csrf };
    expect((await get(world, twice)).status).toBe(401);
    expect((await post(world, twice, { ...OWN, "x-csrf-token": page.csrf })).status).toBe(403);
  });

  test("leaves a program with a token of its own alone, whatever cookie comes with it", async () => {
    await using world = await withAda();
    const { cookie } = await signIn(world);
    const headers = { cookie, authorization: `Bearer ${world.operatorToken}` };
    const asked = { json: { roles: ["client"] }, headers, isSecure: true };
    const made = await world.ask("POST", "/api/v1/keys", asked);
    expect(((await made.json()) as { created_by: string }).created_by).toBe("operator:local");
  });
});

describe("every route of the pool that changes something", () => {
  test("refuses a form and a fetch from elsewhere, and a request without the token", async () => {
    await using pool = await wholePool();
    const people = pool.kernel.service("people");
    const roles = ["admin", "operator"] as const;
    const ada = await people.persons.create(operator, { name: "ada", roles, password: PASSWORD });
    const cookie = `__Host-galaxy_session=${await people.sessions.begin(ada.person)}`;
    const from = { isSecure: true, addressOf: () => "192.0.2.1", keepOpen: () => {} };
    const ask = (method: string, path: string, headers: Record<string, string>) => {
      const url = `https://pi:8443${path.replace(/:\w+/g, "x")}`;
      const body = method === "GET" ? {} : { body: "{}" };
      return pool.server.answer(new Request(url, { method, headers, ...body }), from);
    };
    expect((await ask("GET", "/api/v1/nodes", { cookie })).status).toBe(200);
    const foreign = ["https://evil.example", "null", "https://pi:9000", "http://pi:8443"];
    const forms = ["application/x-www-form-urlencoded", "text/plain", "application/json"];
    const mutating = pool.server.permissions().filter(({ method }) => method !== "GET");
    expect(mutating.length).toBeGreaterThan(30);
    for (const { method, path, ownPagesOnly } of mutating) {
      const requests = forms.flatMap((type) => [
        ...foreign.map((origin) => ({ cookie, origin, "content-type": type })),
        { cookie, "content-type": type },
        { cookie, "content-type": type, "sec-fetch-site": "cross-site" },
        ...(ownPagesOnly ? [] : [{ cookie, "content-type": type, origin: "https://pi:8443" }]),
      ]);
      for (const headers of requests) {
        const code = await codeOf(await ask(method, path, headers));
        expect([method, path, code]).toEqual([method, path, [403, "access.csrf"]]);
      }
    }
  }, 60_000);
});

describe("a session ends", () => {
  test("when it is ended, and then once", async () => {
    await using world = await withAda();
    const page = await signIn(world);
    const end = () =>
      world.ask("DELETE", "/api/v1/auth/session", {
        headers: { cookie: page.cookie, "x-csrf-token": page.csrf, ...OWN },
        isSecure: true,
      });
    const ended = await end();
    expect([ended.status, ended.headers.get("set-cookie")]).toEqual([
      204,
      expect.stringContaining("Max-Age=0"),
    ]);
    expect((await get(world, page)).status).toBe(401);
    expect((await end()).status).toBe(401);
    expect((await world.actions()).slice(-2)).toEqual(["session.started", "session.ended"]);
  });

  test("after half an hour without use, to the millisecond", async () => {
    await using world = await withAda();
    const page = await signIn(world);
    world.clock.advance(30 * MINUTE_MS - 1);
    expect((await get(world, page)).status).toBe(200);
    world.clock.advance(30 * MINUTE_MS);
    expect((await get(world, page)).status).toBe(401);
  });

  test("after twelve hours however much it is used, and whatever the wall clock says", async () => {
    await using world = await withAda();
    const page = await signIn(world);
    world.clock.jump(-48 * HOUR_MS);
    for (let at = 0; at < 47; at++) {
      world.clock.advance(15 * MINUTE_MS);
      expect((await get(world, page)).status).toBe(200);
    }
    world.clock.advance(15 * MINUTE_MS);
    expect((await get(world, page)).status).toBe(401);
  });

  test.each([
    [
      "is disabled",
      (world: AccessWorld) => world.people.persons.update(operator, "ada", { isDisabled: true }),
    ],
    [
      "gets other roles",
      (world: AccessWorld) => world.people.persons.update(operator, "ada", { roles: ["client"] }),
    ],
    ["gets another password", (world: AccessWorld) => world.people.persons.reset(operator, "ada")],
    ["is removed", (world: AccessWorld) => world.people.persons.remove(operator, "ada")],
  ] as const)("when its person %s", async (_, act) => {
    await using world = await withAda();
    const page = await signIn(world);
    await act(world);
    expect((await get(world, page)).status).toBe(401);
  });

  test("with the process, and when its person begins more than he may have", async () => {
    await using world = await withAda();
    const first = await signIn(world);
    expect((await get(await world.restarted(), first)).status).toBe(401);
    const second = await signIn(world);
    for (let at = 1; at < PEOPLE_TERMS.session.sessionsOfOneMax; at++) await signIn(world);
    expect((await get(world, first)).status).toBe(401);
    expect((await get(world, second)).status).toBe(200);
  });
});
