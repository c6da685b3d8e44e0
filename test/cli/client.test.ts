import { describe, expect, test } from "bun:test";
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { typed } from "#test/support/command-line.ts";
import { temporaryFolder } from "#test/support/folder.ts";

describe("the operator's token", () => {
  test("is sent only when it is one: a link to a secret of root must not give that away", async () => {
    const heard: (string | null)[] = [];
    using pool = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch(request) {
        heard.push(request.headers.get("authorization"));
        return Response.json({ items: [] });
      },
    });
    using home = temporaryFolder();
    const secret = join(home.path, "secret");
    writeFileSync(secret, "of-somebody-else\n");
    symlinkSync(secret, join(home.path, "operator.token"));
    writeFileSync(join(home.path, "listening.json"), JSON.stringify({ plain: [pool.url.origin] }));
    const ran = await typed("pool", "list", "--data", home.path);
    expect([ran.code, ran.stderr]).toEqual([1, expect.stringContaining("cli.no_token")]);
    expect(ran.stderr).not.toContain("of-somebody-else");
    expect(heard).toEqual([]);
  });
});

test.each(["null", "", "[]", "no JSON"])("a bare refusal is one, too (%j)", async (body) => {
  using pool = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: () => new Response(body, { status: 413 }),
  });
  const ran = await typed("pool", "list", "--url", pool.url.origin, "--token", "x");
  expect([ran.code, ran.stderr]).toEqual([1, expect.stringContaining("The pool answered 413.")]);
});
