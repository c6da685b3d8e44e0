import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { typed } from "#test/support/command-line.ts";
import { temporaryFolder } from "#test/support/folder.ts";

function init(home: string, ...words: readonly string[]) {
  return typed("init", ...where(home), ...words);
}

function where(home: string): readonly string[] {
  return ["--config", join(home, "etc/pool.yaml"), "--data", join(home, "pool")];
}

describe("init", () => {
  test("repeated, changes nothing and names the same installation", async () => {
    using home = temporaryFolder();
    const first = await init(home.path, "--json");
    const again = await init(home.path, "--json");
    const [made, known] = [JSON.parse(first.stdout), JSON.parse(again.stdout)];
    expect(known).toEqual({ ...made, created: false });
  });

  test.each([
    ["a kind there is none of", ["--kind", "cluster"]],
    ["an enterprise that names no owner", ["--kind", "enterprise"]],
    ["a name that cannot be printed", ["--name", "a\tb"]],
  ])("refuses %s before anything is written", async (_, words) => {
    using home = temporaryFolder();
    const ran = await init(home.path, ...words);
    expect([ran.code, ran.stderr]).toEqual([1, expect.stringContaining("pool.invalid")]);
    expect(readdirSync(home.path)).toEqual([]);
  });

  test("makes an enterprise pool of the organization that is named", async () => {
    using home = temporaryFolder();
    const words = ["--kind", "enterprise", "--org", "acme"];
    expect((await init(home.path, ...words)).code).toBe(0);
    const first = JSON.parse(readFileSync(join(home.path, "pool/first-pool.json"), "utf8"));
    expect(first).toMatchObject({ kind: "enterprise", org: "acme" });
  });

  test("goes on where it was cut off, whatever is missing", async () => {
    using home = temporaryFolder();
    await init(home.path);
    for (const lost of ["keys/installation", "operator.token", "first-pool.json", "keys/jwt"]) {
      rmSync(join(home.path, "pool", lost), { recursive: true });
      rmSync(join(home.path, "etc"), { recursive: true });
      writeFileSync(join(home.path, "pool", ".half.new"), "half");
      expect((await init(home.path)).code).toBe(0);
      expect(existsSync(join(home.path, "pool", lost))).toBe(true);
    }
  });

  test("refuses a data folder that is empty although it was initialised", async () => {
    using home = temporaryFolder();
    await init(home.path);
    rmSync(join(home.path, "pool"), { recursive: true });
    for (const command of ["init", "serve"]) {
      const ran = await typed(command, ...where(home.path));
      expect([ran.code, ran.stderr]).toEqual([1, expect.stringContaining("data.vanished")]);
    }
  });

  test("says what to type next so that a shell takes it", async () => {
    using home = temporaryFolder();
    const [config, data] = [join(home.path, "it's.yaml"), join(home.path, "c d")];
    const ran = await typed("init", "--config", config, "--data", data);
    expect(ran.stdout).toContain(`serve --config '${home.path}/it'\\''s.yaml' --data '${data}'`);
  });
});
