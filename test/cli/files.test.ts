import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { typed } from "#test/support/command-line.ts";
import { temporaryFolder } from "#test/support/folder.ts";
import { Outcome } from "@/cli/options.ts";
import { buildProgram } from "@/cli/program.ts";

const ROOT = join(import.meta.dir, "../..");
const SOURCES = [
  ["galaxy-pool.service", "systemd/galaxy-pool.service"],
  ["galaxy-node.service", "systemd/galaxy-node.service"],
  ["lan.conf", "systemd/drop-ins/lan.conf"],
  ["node-lan.conf", "systemd/drop-ins/node-lan.conf"],
  ["credentials.conf", "systemd/drop-ins/credentials.conf"],
  ["wx.conf", "systemd/drop-ins/wx.conf"],
  ["galaxy-pool-uninstall", "scripts/uninstall.sh"],
] as const;

interface Listed {
  readonly items: readonly {
    readonly name: string;
    readonly path: string;
    readonly mode: string;
  }[];
}

describe("files", () => {
  test.each(SOURCES)("prints %s as it is in %s", async (name, source) => {
    const { code, stdout } = await typed("files", name);
    expect([code, stdout]).toEqual([0, readFileSync(join(ROOT, source), "utf8")]);
  });

  test("lists every file it prints, with its place and mode", async () => {
    const { code, stdout } = await typed("files", "--json");
    expect(code).toBe(0);
    const { items } = JSON.parse(stdout) as Listed;
    expect(items.map(({ name }) => name)).toEqual([
      ...SOURCES.map(([name]) => name),
      "galaxy-pool.8",
    ]);
    expect(items.filter(({ mode }) => mode === "0755").map(({ path }) => path)).toEqual([
      "/usr/local/bin/galaxy-pool-uninstall",
    ]);
  });

  test("names another folder of the executable everywhere", async () => {
    const list = await typed("files", "--bin-dir", "/opt/bin");
    expect(list.stdout).toContain("/opt/bin/galaxy-pool-uninstall");
    for (const unit of ["galaxy-pool.service", "galaxy-node.service"]) {
      const { stdout } = await typed("files", unit, "--bin-dir", "/opt/bin");
      expect(stdout).toContain("\nExecStart=/opt/bin/galaxy-pool ");
      expect(stdout).not.toContain("/usr/local/bin");
    }
  });

  test("prints a file with its place as JSON", async () => {
    const { stdout } = await typed("files", "wx.conf", "--json");
    expect(JSON.parse(stdout)).toMatchObject({
      name: "wx.conf",
      mode: "0644",
      path: "/etc/systemd/system/galaxy-pool.service.d/wx.conf",
      text: readFileSync(join(ROOT, "systemd/drop-ins/wx.conf"), "utf8"),
    });
  });

  test.each([
    ["a file there is none of", ["files", "galaxy.service"]],
    ["a folder that is no whole path", ["files", "--bin-dir", "bin"]],
    ["a folder a unit would misread", ["files", "--bin-dir", "/opt/my bin"]],
    ["a folder with a specifier", ["files", "--bin-dir", "/opt/%h"]],
  ])("refuses %s", async (_, words) => {
    expect((await typed(...words)).code).toBe(2);
  });
});

describe("the manual page", () => {
  /** What `man` shows, as plain text in one line. */
  async function shown(): Promise<{ readonly text: string; readonly warnings: string }> {
    const page = await typed("files", "galaxy-pool.8");
    using folder = temporaryFolder();
    const file = join(folder.path, "galaxy-pool.8");
    await Bun.write(file, page.stdout);
    const words = ["groff", "-man", "-Tutf8", "-ww", "-rLL=200n", "-P-cbou", file];
    const run = Bun.spawnSync(words, { stdout: "pipe", stderr: "pipe" });
    return { text: run.stdout.toString().replace(/\s+/g, " "), warnings: run.stderr.toString() };
  }

  function leavesOf(command: Command, path = ""): (readonly [string, Command])[] {
    return command.commands.flatMap((one) => {
      const name = `${path} ${one.name()}`.trim();
      return one.commands.length > 0 ? leavesOf(one, name) : [[name, one] as const];
    });
  }

  test("is shown without a warning", async () => {
    expect((await shown()).warnings).toBe("");
  });

  test("has every part a page of section 8 has", async () => {
    const { stdout } = await typed("files", "galaxy-pool.8");
    const titles = [...stdout.matchAll(/^\.SH (.*)$/gm)].map(([, title]) => title);
    expect(titles).toEqual([
      "NAME",
      "SYNOPSIS",
      "DESCRIPTION",
      "COMMANDS",
      "EXIT STATUS",
      "ENVIRONMENT",
      "FILES",
      "SIGNALS",
      "EXAMPLES",
      "SECURITY",
      "SEE ALSO",
    ]);
  });

  test("has every command with every option and what they are for", async () => {
    const { text } = await shown();
    const lacking = leavesOf(buildProgram(new Outcome())).flatMap(([name, command]) => {
      const options = command.options.flatMap(({ flags, description }) => [
        flags.replace(/[<>[\]]/g, ""),
        description.slice(1),
      ]);
      return [name, command.description().slice(1), ...options].filter(
        (one) => !text.includes(one.replace(/\s+/g, " ")),
      );
    });
    expect(lacking).toEqual([]);
  });
});
