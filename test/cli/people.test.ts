import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { typed } from "#test/support/command-line.ts";
import { type WholePool, wholePool } from "#test/support/whole-pool.ts";

setDefaultTimeout(30_000);

let pool: WholePool;

beforeAll(async () => {
  pool = await wholePool();
});

afterAll(() => pool[Symbol.asyncDispose]());

function operatorToken(): string {
  return pool.kernel.service("files").readText("operator.token")?.trim() ?? "";
}

function say(...words: readonly string[]) {
  const url = pool.server.urls().plain[0] ?? "";
  return typed(...words, "--url", url, "--token", operatorToken());
}

async function json(...words: readonly string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await say(...words, "--json");
  expect([code, stderr]).toEqual([0, ""]);
  return JSON.parse(stdout);
}

describe("on the command line", () => {
  test("people are added, shown, changed, kept out, let in, given a password and removed", async () => {
    const made = await json("user", "create", "ada", "--role", "admin", "--role", "operator");
    expect(made).toMatchObject({ schema_version: 1, name: "ada", roles: ["admin", "operator"] });
    expect(made["one_time_password"]).toStartWith("gpp_");
    await json("user", "create", "bob", "--role", "client", "--org", "acme");
    expect(await json("user", "update", "bob", "--no-org", "--role", "auditor")).toMatchObject({
      org: null,
      roles: ["auditor"],
    });
    expect(await json("user", "disable", "bob")).toMatchObject({ state: "disabled" });
    expect(await json("user", "enable", "bob")).toMatchObject({ state: "active" });
    expect((await json("user", "password", "bob", "--reset"))["one_time_password"]).toStartWith(
      "gpp_",
    );
    const list = await say("user", "list");
    expect(list.stdout).toMatch(/^ada +admin, operator +– +active +one_time$/m);
    expect((await say("user", "show", "bob")).stdout).toContain("auditor");
    expect((await say("user", "delete", "bob")).stdout).toContain("bob is removed");
    const last = await say("user", "delete", "ada");
    expect([last.code, last.stderr]).toEqual([1, expect.stringContaining("last admin")]);
    const nobody = await say("user", "show", "bob");
    expect([nobody.code, nobody.stderr]).toEqual([1, expect.stringContaining("nobody called")]);
  });

  test("a password made for somebody is shown once, with what to do", async () => {
    const { stdout } = await say("user", "create", "eve", "--role", "client");
    expect(stdout).toMatch(/gpp_[a-z2-7]{20}/);
    expect(stdout).toContain("galaxy-pool user password eve");
  });

  test("what is wrong with a password is told, and not hidden as if it were one", async () => {
    const url = pool.server.urls().plain[0] ?? "";
    const words = ["user", "create", "me", "--role", "client", "--url", url];
    const { stderr } = await typed(...words, "--token", operatorToken());
    expect(stderr).toContain("name – must be 1 to 32");
    const child = Bun.spawn(
      [
        process.execPath,
        "src/main.ts",
        "user",
        "create",
        "ivy",
        "--role",
        "client",
        "--url",
        url,
        "--password-stdin",
      ],
      {
        stdin: new Blob(["short\n"]),
        stderr: "pipe",
        stdout: "pipe",
        env: { ...process.env, GALAXY_POOL_TOKEN: operatorToken() },
      },
    );
    expect(await new Response(child.stderr).text()).toContain(
      "password – must have 12 to 128 characters",
    );
    expect(await child.exited).toBe(1);
  });

  test("a role or a lifetime that cannot be is told with what can", async () => {
    const role = await say("user", "create", "zoe", "--role", "emperor");
    expect([role.code, role.stderr]).toEqual([
      1,
      expect.stringContaining("roles.0 – Expected one of admin, operator, client, auditor"),
    ]);
    const ttl = await say("key", "create", "--name", "x", "--role", "client", "--ttl", "3000d");
    expect([ttl.code, ttl.stderr]).toEqual([
      1,
      expect.stringMatching(/ttl_seconds – Expected a whole number from \d+ to 31536000: How/),
    ]);
  });

  test("a pool is known by its name as well as by its id", async () => {
    const { pool_id: id } = await json("pool", "create", "lab");
    expect(await json("pool", "show", "lab")).toMatchObject({ pool_id: id });
    expect(await json("token", "create", "--pool", "lab")).toMatchObject({ pool_id: id });
    expect(await json("pool", "delete", "lab")).toMatchObject({ deleted: id });
    const { code, stderr } = await say("pool", "show", "lab");
    expect([code, stderr]).toEqual([1, expect.stringContaining("There is no pool lab here")]);
  });

  test("a password that did not come is missed in a sentence", async () => {
    const words = ["user", "create", "zoe", "--role", "client", "--password-stdin", "--token", "x"];
    const child = Bun.spawn(
      [process.execPath, "src/main.ts", ...words, "--url", "http://[::1]:9"],
      {
        stdin: new Blob([]),
        stderr: "pipe",
      },
    );
    expect(await new Response(child.stderr).text()).toContain(
      "galaxy-pool: The password is missing.",
    );
    expect(await child.exited).toBe(2);
  });

  test("a password of one's own is chosen with the one before, both from standard input", async () => {
    const made = await json("user", "create", "una", "--role", "client");
    const url = pool.server.urls().plain[0] ?? "";
    const lines = `${made["one_time_password"]}\nlong enough phrase\n`;
    const child = Bun.spawn(
      [process.execPath, "src/main.ts", "user", "password", "una", "--url", url, "--token", "none"],
      { stdin: new Blob([lines]), stderr: "pipe", stdout: "pipe" },
    );
    expect(await new Response(child.stdout).text()).toContain("una is changed");
    expect(await child.exited).toBe(0);
    expect(await json("user", "show", "una")).toMatchObject({ password: "own" });
  });

  test("API keys are made, shown without their secret, and revoked", async () => {
    const words = [
      "--role",
      "auditor",
      "--scope",
      "nodes:read",
      "--name",
      "backup",
      "--ttl",
      "30d",
    ];
    const plain = await say("key", "create", ...words);
    expect(plain.stdout).toMatch(/^gpk_[a-z2-7]{8}_[a-z2-7]{26}\n$/);
    const made = await json("key", "create", ...words);
    const id = String(made["key_id"]);
    expect(made["key"]).toStartWith(`gpk_${id}_`);
    expect(await json("key", "show", id)).toMatchObject({ name: "backup", scopes: ["nodes:read"] });
    expect((await say("key", "list")).stdout).toMatch(
      new RegExp(`^${id} +backup +auditor +nodes:read +live`, "m"),
    );
    expect((await say("key", "revoke", id)).code).toBe(0);
    expect(await json("key", "show", id)).toMatchObject({ state: "revoked" });
    expect((await say("key", "revoke", id)).code).toBe(1);
    const unknown = await say("key", "create", "--role", "auditor", "--scope", "moon:read");
    expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining("payouts")]);
  });

  test("the operator's token and the key of access tokens are replaced while the pool runs", async () => {
    const before = operatorToken();
    expect((await say("token", "rotate")).stdout).toContain("operator.token");
    const after = operatorToken();
    expect(after).not.toBe(before);
    expect((await json("token", "rotate", "--jwt"))["kid"]).toMatch(/^[a-z2-7]{16}$/);
    const url = pool.server.urls().plain[0] ?? "";
    const old = await typed("key", "list", "--url", url, "--token", before);
    expect([old.code, old.stderr]).toEqual([1, expect.stringContaining("credentials")]);
  });

  test.each([
    ["no role", ["user", "create", "ann"]],
    ["nothing to change", ["user", "update", "ada"]],
    ["a key without a role", ["key", "create"]],
    ["a time that is none", ["key", "create", "--role", "client", "--ttl", "soon"]],
  ])("%s is a mistake of usage", async (_, words) => {
    expect((await say(...words)).code).toBe(2);
  });
});
