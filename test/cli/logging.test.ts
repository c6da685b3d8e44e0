import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "#test/support/folder.ts";
import { loadConfiguration } from "@/cli/configuration.ts";
import { isJournal, withPriority } from "@/cli/journal.ts";
import { openLog } from "@/cli/logging.ts";

const ROOT = join(import.meta.dir, "../..");

function logOf(...set: readonly string[]) {
  return openLog(loadConfiguration({ set }, { HOME: "/nowhere" }).configuration);
}

/** What a process says on its two outputs; `journal` names those that are the journal's. */
async function saidBy(script: string, journal: readonly ("stdout" | "stderr")[]) {
  using folder = temporaryFolder();
  const files = { stdout: join(folder.path, "stdout"), stderr: join(folder.path, "stderr") };
  const shell = `set -e; touch ${files.stdout} ${files.stderr}
    export JOURNAL_STREAM=$(stat -c %d:%i ${journal.map((one) => files[one]).join(" ") || "/"})
    exec ${process.execPath} -e "$1" >>${files.stdout} 2>>${files.stderr}`;
  const ran = Bun.spawn(["sh", "-c", shell, "sh", script], { cwd: ROOT });
  await ran.exited;
  return { stdout: readFileSync(files.stdout, "utf8"), stderr: readFileSync(files.stderr, "utf8") };
}

const LOGS = `
  import { loadConfiguration } from "@/cli/configuration.ts";
  import { openLog } from "@/cli/logging.ts";
  const set = ["logging.level=TRACE", "logging.format=" + (process.env.FORMAT ?? "text")];
  const log = openLog(loadConfiguration({ set }, { HOME: "/nowhere" }).configuration);
  for (const level of ["trace", "debug", "info", "warn", "error", "fatal"]) log[level](level);
`;
const REFUSES = `
  import { run } from "@/cli/program.ts";
  process.exit(await run(["explain", "n", "--url", "http://127.0.0.1:9", "--token", "t"]));
`;

describe("the log", () => {
  test("goes on when the disk it is on is full", () => {
    const log = logOf("logging.file=/dev/full");
    const said = () => {
      for (let line = 0; line < 10_000; line++) log.info({ line }, "something happened");
    };
    expect(said).not.toThrow();
  });

  test("as text keeps each event on one line, whatever it names", () => {
    using folder = temporaryFolder();
    const file = join(folder.path, "log");
    const log = logOf("logging.format=text", `logging.file=${file}`);
    log.info({ name: "a\n<2>b\u0007" }, "node joined");
    expect(readFileSync(file, "utf8")).toMatch(/^\S+ INFO node joined name=a\\n<2>b\\u0007\n$/);
  });
});

describe("the journal", () => {
  test("is told the priority of each line", async () => {
    const { stdout } = await saidBy(LOGS, ["stdout"]);
    const priorities = stdout
      .split("\n")
      .map((line) => `${line.slice(0, 3)} ${line.split(" ").at(-1)}`);
    expect(priorities.slice(0, -1)).toEqual([
      "<7> trace",
      "<7> debug",
      "<6> info",
      "<4> warn",
      "<3> error",
      "<2> fatal",
    ]);
  });

  test("is told the priority of each line of JSON too", async () => {
    const { stdout } = await saidBy(LOGS.replace("process.env.FORMAT", '"json"'), ["stdout"]);
    expect(stdout.split("\n")[3]).toMatch(/^<4>\{"level":40,/);
  });

  test("is told that a refusal is an error", async () => {
    const { stderr } = await saidBy(REFUSES, ["stderr"]);
    expect(stderr).toMatch(/^<3>galaxy-pool: No pool answers.*\n<3> {2}code: cli.unreachable\n$/);
  });

  test("is somewhere else when the output was redirected", async () => {
    const log = await saidBy(LOGS, ["stderr"]);
    const refusal = await saidBy(REFUSES, ["stdout"]);
    expect([log.stdout, refusal.stderr]).toEqual([
      expect.not.stringContaining("<"),
      expect.not.stringContaining("<3>"),
    ]);
  });

  test("is not what a log is that goes to a file", async () => {
    using folder = temporaryFolder();
    const file = join(folder.path, "log");
    const script = LOGS.replace('["logging', `["logging.file=${file}", "logging`);
    const { stdout } = await saidBy(script, ["stdout"]);
    expect([stdout, readFileSync(file, "utf8")]).toEqual(["", expect.not.stringContaining("<")]);
  });

  test("is nowhere without JOURNAL_STREAM, or with one that names a closed descriptor", () => {
    expect([isJournal(1, {}), isJournal(999, { JOURNAL_STREAM: "1:2" })]).toEqual([false, false]);
  });

  test("hears no priority of an empty line", () => {
    expect(withPriority(3, "a\n\nb\n")).toBe("<3>a\n\n<3>b\n");
  });
});
