import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { typed } from "#test/support/command-line.ts";
import { temporaryFolder } from "#test/support/folder.ts";
import { parseEnvironment } from "@/cli/environment-file.ts";

describe("a file of variables, as systemd reads it", () => {
  test.each<[string, string, Record<string, string>]>([
    ["one assignment", "A=1", { A: "1" }],
    ["blank lines and comments", "\n# A=0\n; B=0\n\nA=1\n", { A: "1" }],
    ["a comment that is indented", "  # A=0\nB=1", { B: "1" }],
    ["no comment after a value", "A=1 # one", { A: "1 # one" }],
    ["blanks around", "  A = 1 2 \t\nB=3", { A: "1 2", B: "3" }],
    ["an empty value", "A=\nB=''\n", { A: "", B: "" }],
    ["double quotes", 'A="x y  "', { A: "x y  " }],
    ["single quotes", "A='x \"y\" $z \\'", { A: 'x "y" $z \\' }],
    ["quotes beside each other", "A='x' \"y\"z", { A: "xyz" }],
    ["a quote within a value", "A=it's", { A: "it's" }],
    ["escapes between double quotes", 'A="\\"\\\\\\$\\`\\n"', { A: '"\\$`\\n' }],
    ["an escape in a bare value", "A=a\\ \\\\b\\n", { A: "a \\bn" }],
    ["an escape before the value", "A=\\#x", { A: "#x" }],
    ["a bare value over two lines", "A=x\\\ny", { A: "xy" }],
    ["a double quoted value over two lines", 'A="x\\\ny\nz"', { A: "xy\nz" }],
    ["a quoted value that never ends", "A='x\nB=1", { A: "x\nB=1" }],
    ["lines that end in CR LF", "A=1\r\nB=2\r\n", { A: "1", B: "2" }],
    ["the later of two", "A=1\nA=2", { A: "2" }],
    ["what is no assignment", "export A=1\nB\n1C=2\n=3\nD=4", { D: "4" }],
    ["a comment that ends in a backslash", "# x\\\nA=1", { A: "1" }],
    [
      "an equals sign in a value",
      "URL=postgres://u:p@h/db?a=b",
      { URL: "postgres://u:p@h/db?a=b" },
    ],
    ["an escaped blank at the end", "A=x\\ ", { A: "x " }],
  ])("holds %s", (_, text, found) => {
    expect(parseEnvironment(text)).toEqual(found);
  });
});

describe("config check --env-file", () => {
  const check = async (text: string) => {
    using home = temporaryFolder();
    const file = join(home.path, "env");
    writeFileSync(file, text);
    return await typed("config", "check", "--env-file", file, "--json");
  };

  test("counts what the file sets, and nothing of this shell", async () => {
    process.env["MAX_NODES_PER_POOL"] = "none";
    const ran = await check('GALAXY_POOL_HTTP_PORT="9000"\nLOG_LEVEL=debug\n').finally(() => {
      delete process.env["MAX_NODES_PER_POOL"];
    });
    expect([ran.code, ran.stderr]).toEqual([0, ""]);
    expect(JSON.parse(ran.stdout)).toMatchObject({ ok: true, keys_set: 2 });
  });

  test.each([
    ["an unknown key", "GALAXY_POOL_HTTP_PROT=1", "config.unknown_key"],
    ["a value that is none", "MAX_NODES_PER_POOL=many", "config.invalid"],
    ["a demo in production", "ENV=production\nGALAXY_POOL_POOT_DEMO=true", "config.demo"],
  ])("refuses %s", async (_, text, code) => {
    const ran = await check(text);
    expect([ran.code, ran.stderr]).toEqual([1, expect.stringContaining(code)]);
  });

  test("refuses a file that is not there", async () => {
    const ran = await typed("config", "check", "--env-file", "/nowhere/env");
    expect([ran.code, ran.stderr]).toEqual([1, expect.stringContaining("config.unreadable")]);
  });
});
