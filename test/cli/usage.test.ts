import { describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { typed } from "#test/support/command-line.ts";
import { temporaryFolder } from "#test/support/folder.ts";

import { Outcome } from "@/cli/options.ts";
import { buildProgram } from "@/cli/program.ts";

function everyCommand(program: Command, path = ""): (readonly [string, Command])[] {
  return program.commands.flatMap((command) => {
    const name = `${path} ${command.name()}`.trim();
    const inner = everyCommand(command, name);
    return inner.length > 0 ? inner : [[name, command] as const];
  });
}

const NOBODY = ["--url", "http://127.0.0.1:9", "--token", "x"] as const;

describe("the command line", () => {
  test.each([
    ["nothing", []],
    ["a command there is none of", ["nodes"]],
    ["an option there is none of", ["status", "--fast"]],
    ["a missing argument", ["node", "show"]],
    ["a join without its token", ["node", "join", "pool.lan"]],
    ["a join without its pool", ["node", "join", "--token", "t"]],
    [
      "a fact that is no pair",
      ["node", "join", "h", "--token", "t", "--meta", "x", "--data", "DATA"],
    ],
    ["a level there is none of", ["node", "run", "--log-level", "loud", "--data", "DATA"]],
    ["an address that is none", ["node", "list", "--url", "foo", "--token", "x"]],
    ["an address without a host", ["node", "list", "--url", "http://", "--token", "x"]],
    ["an address that is none, for health", ["health", "--url", "foo"]],
    ["an address without a host, for health", ["health", "--url", "http://"]],
    ["a count that is none", ["token", "create", "--uses", "many", "--pool", "p", ...NOBODY]],
    ["a time that is none", ["token", "create", "--ttl", "soon", "--pool", "p", ...NOBODY]],
    ["a shell there is none of", ["completion", "cmd"]],
  ])("ends with 2 for %s", async (_, words) => {
    using home = temporaryFolder();
    const { code } = await typed(...words.map((word) => (word === "DATA" ? home.path : word)));
    expect(code).toBe(2);
  });

  test.each(everyCommand(buildProgram(new Outcome())))("shows an example of %s", (_, command) => {
    let help = "";
    command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
    expect(help.match(/^Examples?:$/gm)).toHaveLength(1);
  });

  test.each(["two\nlines", "“curly”", ""])(
    "never repeats a token that is none (%j)",
    async (token) => {
      const ran = await typed("node", "list", "--url", "http://127.0.0.1:9", "--token", token);
      expect([ran.code, ran.stderr]).toEqual([2, expect.stringContaining("--token")]);
      if (token !== "") expect(ran.stderr).not.toContain(token);
    },
  );

  test("ends with 3 where nobody answers", async () => {
    const ran = await typed("node", "list", ...NOBODY);
    expect([ran.code, ran.stderr]).toEqual([3, expect.stringContaining("cli.unreachable")]);
  });

  test("ends with 3 where something else answers", async () => {
    using page = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("<html>") });
    const ran = await typed("node", "list", "--url", page.url.href, "--token", "x", "--json");
    expect([ran.code, ran.stderr]).toEqual([3, expect.stringContaining("cli.not_a_pool")]);
  });

  test("refuses a proof that cannot be read", async () => {
    const ran = await typed("poot", "verify", "/nowhere/proof.json");
    expect([ran.code, ran.stderr]).toEqual([1, expect.stringContaining("poot.unreadable")]);
  });

  test("refuses a data folder that is a file", async () => {
    using home = temporaryFolder();
    const data = join(home.path, "data");
    writeFileSync(data, "");
    const node = await typed("node", "status", "--data", data);
    expect([node.code, node.stderr]).toEqual([1, expect.stringContaining("data.denied")]);
    const config = join(home.path, "pool.yaml");
    const pool = await typed("init", "--config", config, "--data", data);
    expect([pool.code, pool.stderr]).toEqual([1, expect.stringContaining("data.denied")]);
  });

  test("refuses a log file that cannot be written", async () => {
    using home = temporaryFolder();
    mkdirSync(join(home.path, "log"));
    const words = ["--config", join(home.path, "pool.yaml"), "--data", join(home.path, "pool")];
    const ran = await typed("init", ...words, "--set", `logging.file=${join(home.path, "log")}`);
    expect([ran.code, ran.stderr]).toEqual([1, expect.stringContaining("logging.unwritable")]);
  });
});
