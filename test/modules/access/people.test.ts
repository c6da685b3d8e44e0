import { describe, expect, test } from "bun:test";
import { databases } from "#test/support/database.ts";
import type { Caller, Role } from "@/core/caller.ts";
import { type AccessWorld, accessWorld, operator, PEOPLE_TERMS, refusal } from "./world.ts";

const PASSWORD = "correct horse battery";

interface Shown {
  readonly code?: string;
  readonly name?: string;
  readonly one_time_password?: string;
  readonly [name: string]: unknown;
}

async function ask(world: AccessWorld, method: string, path: string, json?: object, headers = {}) {
  const asked = { as: world.operatorToken, headers, ...(json && { json }) };
  const response = await world.ask(method, `/api/v1${path}`, asked);
  const body = response.status === 204 ? {} : ((await response.json()) as Shown);
  return { status: response.status, body };
}

describe.each(databases())("people on $kind", (kind) => {
  test("are added, shown, listed, changed and removed, also over a restart", async () => {
    await using world = await accessWorld(kind);
    const made = await ask(world, "POST", "/users", { name: "ada", roles: ["admin"] });
    expect(made.status).toBe(201);
    expect(made.body["one_time_password"]).toMatch(/^gpp_[a-z2-7]{20}$/);
    const { one_time_password: _, ...view } = made.body;
    expect(view).toMatchObject({
      roles: ["admin"],
      org: null,
      state: "active",
      password: "one_time",
    });
    expect((await ask(world, "GET", "/users/ada")).body).toEqual(view);
    await ask(world, "POST", "/users", {
      name: "bob",
      roles: ["client"],
      org: "acme",
      password: PASSWORD,
    });

    const changes = { roles: ["operator", "auditor"], org: null, disabled: true };
    const changed = await ask(world, "PUT", "/users/bob", changes);
    const { disabled: _isDisabled, ...kept } = changes;
    expect(changed.body).toMatchObject({ ...kept, state: "disabled" });
    const again = await world.restarted();
    const { items } = (await ask(again, "GET", "/users")).body as { items?: Shown[] };
    expect(items).toEqual([view, changed.body]);

    expect((await ask(again, "DELETE", "/users/bob")).status).toBe(204);
    expect((await ask(again, "GET", "/users/bob")).body.code).toBe("user.unknown");
    expect((await ask(again, "DELETE", "/users/bob")).status).toBe(404);
    expect(await world.actions()).toEqual([
      "user.created",
      "user.created",
      "user.updated",
      "user.deleted",
    ]);
  });

  test("have passwords that stand nowhere but as argon2id", async () => {
    await using world = await accessWorld(kind);
    const json = { name: "ada", roles: ["admin"], password: PASSWORD };
    await ask(world, "POST", "/users", json, { "idempotency-key": "k" });
    const reset = await ask(world, "POST", "/users/ada/password", {}, { "idempotency-key": "r" });
    const secret = reset.body.one_time_password ?? "";
    expect(secret).toStartWith("gpp_");
    const again = await ask(world, "POST", "/users/ada/password", {}, { "idempotency-key": "r" });
    expect(again.body).toEqual({ ...reset.body, one_time_password: undefined } as unknown as Shown);
    const tables = ["person", "audit", "idempotency"] as const;
    const rows = await Promise.all(
      tables.map((table) => world.database.sql.selectFrom(table).selectAll().execute()),
    );
    const stored = JSON.stringify(rows, (_, value) =>
      typeof value === "bigint" ? `${value}` : value,
    );
    expect(stored).toContain("$argon2id$v=19$m=64,t=2,p=1$");
    expect(stored).not.toContain(PASSWORD);
    expect(stored).not.toContain(secret);
    expect(world.lines.join("")).not.toContain(secret);
  });
});

describe("a person", () => {
  test.each([
    ["a bad name", { name: "Ada", roles: ["client"] }, 400, "user.invalid"],
    ["no role", { name: "ada", roles: [] }, 400, "request.invalid"],
    ["the role of a node", { name: "ada", roles: ["node"] }, 400, "request.invalid"],
    ["a bad organization", { name: "ada", roles: ["client"], org: "a b" }, 400, "user.invalid"],
    [
      "a short password",
      { name: "ada", roles: ["client"], password: "short" },
      400,
      "user.invalid",
    ],
    [
      "a field nobody knows",
      { name: "ada", roles: ["client"], admin: true },
      400,
      "request.invalid",
    ],
    ["a taken name", { name: "eve", roles: ["client"] }, 409, "user.exists"],
  ])("with %s is refused", async (_, json, status, code) => {
    await using world = await accessWorld();
    await ask(world, "POST", "/users", { name: "eve", roles: ["client"] });
    const answer = await ask(world, "POST", "/users", json);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
  });

  test("is added once, however many ask at once", async () => {
    await using world = await accessWorld();
    const answers = await Promise.all(
      Array.from({ length: 8 }, () =>
        ask(world, "POST", "/users", { name: "ada", roles: ["client"] }),
      ),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ body }) => body.code === "user.exists")).toHaveLength(7);
  });

  test("is refused beyond the most there may be", async () => {
    await using world = await accessWorld();
    const { persons } = world.people;
    const add = (at: number) => persons.create(operator, { name: `p${at}`, roles: ["client"] });
    for (let at = 0; at < PEOPLE_TERMS.personsMax; at++) await add(at);
    expect(await refusal(add(99))).toBe("user.limit");
  });

  test("who is the last admin stays one", async () => {
    await using world = await accessWorld();
    for (const name of ["ada", "bob"])
      await ask(world, "POST", "/users", { name, roles: ["admin"] });
    const both = await Promise.all(
      ["ada", "bob"].map((name) => ask(world, "DELETE", `/users/${name}`)),
    );
    expect(both.map(({ status }) => status).sort()).toEqual([204, 409]);
    const left = world.people.persons.list(operator)[0]?.name;
    for (const json of [{ roles: ["operator"] }, { disabled: true }, { org: "acme" }]) {
      const answer = await ask(world, "PUT", `/users/${left}`, json);
      expect([answer.status, answer.body.code]).toEqual([409, "user.last_admin"]);
    }
    expect((await ask(world, "PUT", `/users/${left}`, { roles: ["admin", "client"] })).status).toBe(
      200,
    );
  });
});

describe("an admin of an organization", () => {
  const ofAcme: Caller = { type: "user", id: "user:x", roles: ["admin"], org: "acme" };

  test("sees and changes its people alone", async () => {
    await using world = await accessWorld();
    const { persons } = world.people;
    const add = (name: string, org?: string) =>
      persons.create(operator, { name, roles: ["admin"], org });
    await add("root");
    await add("ann", "acme");
    await add("bea", "bolt");
    expect(persons.list(ofAcme).map(({ name }) => name)).toEqual(["ann"]);
    for (const name of ["root", "bea", "nobody"]) {
      const acts = [
        persons.update(ofAcme, name, { isDisabled: true }),
        persons.reset(ofAcme, name),
        persons.remove(ofAcme, name),
      ];
      expect(await Promise.all(acts.map(refusal))).toEqual(acts.map(() => "user.unknown"));
    }
    const out = persons.update(ofAcme, "ann", { org: null });
    expect(await refusal(out)).toBe("access.grant_too_wide");
    const wide = persons.create(ofAcme, { name: "new", roles: ["client"] });
    expect(await refusal(wide)).toBe("access.grant_too_wide");
    expect(await refusal(persons.remove(ofAcme, "ann"))).toBe("allowed");
  });

  test("cannot be bypassed with a key limited to scopes", async () => {
    await using world = await accessWorld();
    const { persons } = world.people;
    await persons.create(operator, { name: "root", roles: ["admin"] });
    const limited: Caller = { type: "key", id: "key:a", roles: ["admin"], scopes: ["users:write"] };
    const roles: readonly Role[] = ["admin"];
    const acts = [
      persons.create(limited, { name: "mine", roles }),
      persons.reset(limited, "root"),
      persons.update(limited, "root", { isDisabled: true }),
      persons.remove(limited, "root"),
    ];
    expect(await Promise.all(acts.map(refusal))).toEqual(acts.map(() => "access.grant_too_wide"));
  });
});
