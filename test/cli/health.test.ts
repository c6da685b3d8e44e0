import { describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { typed } from "#test/support/command-line.ts";
import { temporaryFolder } from "#test/support/folder.ts";

const CHECKS = { database: { ok: false, detail: "the disk is full" } };

function poolThatIs(status: () => string, hostname = "127.0.0.1") {
  return Bun.serve({
    port: 0,
    hostname,
    fetch: () => {
      const said = status();
      const body = { status: said, version: "1.2.3", checks: CHECKS };
      return Response.json(body, { status: said === "healthy" ? 200 : 503 });
    },
  });
}

describe("health", () => {
  test.each([
    ["healthy", 0],
    ["unhealthy", 4],
  ])("of a pool that is %s ends with %d", async (status, code) => {
    using pool = poolThatIs(() => status);
    const ran = await typed("health", "--url", pool.url.href);
    expect([ran.code, ran.stdout]).toEqual([code, expect.stringContaining(`1.2.3: ${status}`)]);
    expect(ran.stdout).toContain("NOT ok: the disk is full");
  });

  test("prints JSON", async () => {
    using pool = poolThatIs(() => "unhealthy");
    const ran = await typed("health", "--json", "--url", pool.url.href);
    expect(JSON.parse(ran.stdout)).toMatchObject({ status: "unhealthy", checks: CHECKS });
  });

  test("asks where the pool of this machine says that it listens, without a token", async () => {
    using pool = poolThatIs(() => "healthy");
    using home = temporaryFolder();
    const listening = JSON.stringify({ plain: [pool.url.origin] });
    writeFileSync(join(home.path, "listening.json"), listening);
    expect((await typed("health", "--data", home.path)).code).toBe(0);
  });

  test.each(["127.0.0.1", "127.0.0.2"])("asks no proxy about this machine at %s", async (host) => {
    using pool = poolThatIs(() => "healthy", host);
    using home = temporaryFolder();
    const listening = JSON.stringify({ plain: [`http://${host}:${pool.port}`] });
    writeFileSync(join(home.path, "listening.json"), listening);
    process.env["http_proxy"] = "http://127.0.0.1:9";
    const ran = await typed("health", "--data", home.path).finally(() => {
      for (const name of ["http_proxy", "no_proxy", "NO_PROXY"]) delete process.env[name];
    });
    expect(ran.code).toBe(0);
  });

  test("ends with 3 where nobody answers", async () => {
    const ran = await typed("health", "--url", "http://127.0.0.1:9", "--json");
    expect([ran.code, ran.stderr]).toEqual([3, expect.stringContaining("cli.unreachable")]);
  });

  test.each([
    ["another program's JSON", { ok: true }, "cli.not_a_pool"],
    ["no object", null, "cli.not_a_pool"],
    ["checks that are none", { status: "healthy", version: "1", checks: [null] }, "cli.not_a_pool"],
    ["a refusal", { code: "http.busy", detail: "Later." }, "cli.not_a_pool"],
  ])("ends with 3 where %s answers", async (_, body, code) => {
    using other = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => Response.json(body) });
    for (const form of [[], ["--json"]]) {
      const ran = await typed("health", "--url", other.url.href, ...form);
      expect([ran.code, ran.stderr]).toEqual([3, expect.stringContaining(code)]);
    }
  });

  test("waits until the pool is there and well", async () => {
    using home = temporaryFolder();
    let asked = 0;
    using pool = poolThatIs(() => (++asked > 1 ? "healthy" : "unhealthy"));
    const waiting = typed(
      "health",
      "--wait",
      "30s",
      "--data",
      join(home.path, "pool"),
      "--set",
      "http.port=9",
    );
    mkdirSync(join(home.path, "pool"));
    const listening = JSON.stringify({ plain: [pool.url.origin] });
    writeFileSync(join(home.path, "pool/listening.json"), listening);
    expect([(await waiting).code, asked]).toEqual([0, 2]);
  });

  test.each([
    ["3 when nobody came", () => "http://127.0.0.1:9", 3],
    ["4 when it never was well", (sick: string) => sick, 4],
  ])("waits no longer than told, and ends with %s", async (_, url, code) => {
    using sick = poolThatIs(() => "unhealthy");
    const ran = await typed("health", "--wait", "1s", "--url", url(sick.url.href));
    expect(ran.code).toBe(code);
  });

  test("ends with 2 for a time that is none", async () => {
    expect((await typed("health", "--wait", "soon")).code).toBe(2);
  });
});
