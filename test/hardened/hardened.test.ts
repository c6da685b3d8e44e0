import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, mkdirSync, readdirSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { executable } from "#test/support/executable.ts";
import { temporaryFolder } from "#test/support/folder.ts";
import { filterOf } from "#test/support/unit-filter.ts";

setDefaultTimeout(180_000);

const ROOT = join(import.meta.dir, "../..");
const PYTHON = "/usr/bin/python3";
const CONFINE = join(import.meta.dir, "confine.py");
/** Joins, heartbeats, earns, is paid, proves, stops; and a pool that reloads. */
const JOURNEYS = ["test/e2e/earning.test.ts", "test/e2e/serving.test.ts"];
const JOURNEY_NAMES = "on SQLite|stops gracefully|reloads with SIGHUP|makes keys and tokens";
/** Both units at once would forbid what one of them needs: the pool's is the one that serves. */
const UNIT = "galaxy-pool.service";

/** Why this machine cannot confine anything; undefined when it can. */
function cannotConfine(): string | undefined {
  const tries: readonly (readonly [string, readonly string[]])[] = [
    ["python3-seccomp is missing", [PYTHON, "-c", "import seccomp"]],
    ["systemd-analyze is missing", ["systemd-analyze", "--version"]],
    ["name spaces are forbidden here", [PYTHON, CONFINE, "--", "/bin/true"]],
    ["mounts are forbidden here", ["unshare", "--user", "--map-root-user", "--mount", "true"]],
  ];
  const failed = tries.find(([, words]) => {
    const [program = ""] = words;
    return Bun.which(program) === null || Bun.spawnSync([...words]).exitCode !== 0;
  });
  return failed?.[0];
}

const skipped = cannotConfine();
if (skipped !== undefined) process.stderr.write(`(skip) nothing is confined: ${skipped}\n`);

/** Words that put a program under the unit's filter. */
function filtered(folder: string): string[] {
  const { calls, families } = filterOf(UNIT);
  const file = join(folder, "calls");
  writeFileSync(file, calls.join("\n"));
  return ["--calls", file, "--families", families.join(",")];
}

/** The four libraries and the loader, where this machine has them. */
function libraries(): string[] {
  const linked = Bun.spawnSync(["ldd", process.execPath]).stdout.toString();
  const files = [...linked.matchAll(/(\/\S+\.so\S*)/g)].map(([file]) => file);
  return [...new Set(files)];
}

/** Runs the journeys with an executable that confines itself before it begins. */
async function travel(folder: string, words: readonly string[]) {
  const program = realpathSync(await executable());
  const temporary = join(folder, "tmp");
  mkdirSync(temporary);
  const wrapper = join(folder, "galaxy-pool");
  const quoted = [PYTHON, CONFINE, ...words, "--", program].map((word) => `'${word}'`).join(" ");
  writeFileSync(wrapper, `#!/bin/sh\nexec ${quoted} "$@"\n`);
  chmodSync(wrapper, 0o755);
  const run = Bun.spawn([process.execPath, "test", ...JOURNEYS, "-t", JOURNEY_NAMES], {
    cwd: ROOT,
    env: { ...process.env, GALAXY_TEST_EXECUTABLE: wrapper, TMPDIR: temporary },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [out, complaint] = await Promise.all([run.stdout.text(), run.stderr.text()]);
  return { code: await run.exited, said: out + complaint };
}

describe.skipIf(skipped !== undefined)("the filter of the unit, with the kill action", () => {
  const CALLS: readonly (readonly [string, string, string | null])[] = [
    ["lets an ordinary program be", "print(1)", null],
    ["kills who changes priorities", "import os; os.setpriority(os.PRIO_PROCESS, 0, 5)", "SIGSYS"],
    ["kills who changes an owner", "import os; os.chown('/tmp', -1, -1)", "SIGSYS"],
    ["kills who opens a raw packet socket", "import socket; socket.socket(17, 3)", "SIGSYS"],
    ["lets a socket of the internet be", "import socket; socket.socket(2, 1)", null],
  ];
  test.each(CALLS)("%s", (_, script, signal) => {
    using folder = temporaryFolder();
    const words = [PYTHON, CONFINE, ...filtered(folder.path), "--", PYTHON, "-c", script];
    const ran = Bun.spawnSync(words, { stderr: "pipe" });
    expect([ran.signalCode ?? null, ran.stderr.toString()]).toEqual([signal, ""]);
  });
});

describe.skipIf(skipped !== undefined)("a root of the executable, libc and /proc", () => {
  test("holds no shell and nothing it could write, but its own folder", async () => {
    using folder = temporaryFolder();
    const words = ["--root", folder.path, "--libraries", libraries().join(",")];
    const look = `
      const { readdirSync, writeFileSync } = require("node:fs");
      let said = readdirSync("/").sort().join(" ");
      try { writeFileSync("/x", ""); said += " WROTE"; } catch (e) { said += " " + e.code; }
      said += " " + process.getuid() + " " + require("node:fs").readFileSync("/proc/self/status", "utf8").match(/CapBnd:\\s*(\\S+)/)[1];
      console.log(said);`;
    const program = realpathSync(process.execPath);
    const ran = Bun.spawnSync([PYTHON, CONFINE, ...words, "--", program, "-e", look]);
    const tops = [program, folder.path, ...libraries()].map((path) => path.split("/")[1] ?? "");
    const expected = [...new Set([...tops, "proc", "tmp"])].sort().join(" ");
    expect(ran.stdout.toString()).toBe(`${expected} EROFS 65532 0000000000000000\n`);
    expect(readdirSync(folder.path).length).toBeLessThan(2);
  });
});

describe.skipIf(skipped !== undefined)("under the filter, in that root, and as nobody", () => {
  test("a pool is made, serves, is joined, hears, pays, proves, reloads and stops", async () => {
    using folder = temporaryFolder();
    const shared = join(folder.path, "tmp");
    const root = ["--root", shared, "--libraries", libraries().join(",")];
    const { code, said } = await travel(folder.path, [...filtered(folder.path), ...root]);
    expect([code, said]).toEqual([0, expect.stringMatching(/\n +[4-9] pass\n[\s\S]*\n 0 fail\n/)]);
  });
});
