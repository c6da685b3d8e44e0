import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "../..");
const ARCHITECTURE = process.arch === "arm64" ? "arm64" : "x64";
const BUILT = join(ROOT, "dist", `galaxy-pool-linux-${ARCHITECTURE}`);
const SOURCES = [
  "src",
  "systemd",
  "scripts/uninstall.sh",
  "package.json",
  "package-lock.json",
  "tsconfig.json",
  "scripts/build.ts",
];
const RUN_MS = 60_000;

/** What a command said and how it ended. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

let found: Promise<string> | undefined;

/**
 * The compiled executable for this machine: built anew when a source is newer than it. Another one can
 * be named with GALAXY_TEST_EXECUTABLE.
 */
export function executable(): Promise<string> {
  found ??= find();
  return found;
}

async function find(): Promise<string> {
  const given = process.env["GALAXY_TEST_EXECUTABLE"];
  if (given) return given;
  const builtMs = existsSync(BUILT) ? statSync(BUILT).mtimeMs : 0;
  if (SOURCES.every((source) => newestMs(join(ROOT, source)) < builtMs)) return BUILT;
  const build = Bun.spawn([process.execPath, "scripts/build.ts", "--only", ARCHITECTURE], {
    cwd: ROOT,
    stdout: "ignore",
    stderr: "pipe",
  });
  const complaint = await build.stderr.text();
  if ((await build.exited) !== 0) throw new Error(`the executable was not built: ${complaint}`);
  return BUILT;
}

/** When a file, or the newest file of a folder, was changed. */
function newestMs(path: string): number {
  const stats = statSync(path);
  if (!stats.isDirectory()) return stats.mtimeMs;
  return Math.max(0, ...readdirSync(path).map((name) => newestMs(join(path, name))));
}

/** The environment of a test's process: what the person who runs the tests has set does not steer it. */
export function cleanEnvironment(
  home: string,
  more: Readonly<Record<string, string>> = {},
): Record<string, string> {
  return { PATH: process.env["PATH"] ?? "", HOME: home, ...more };
}

/** Runs the executable to its end; one that does not end is killed and answers a code of its signal. */
export async function runGalaxy(
  words: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<Ran> {
  const run = Bun.spawn([await executable(), ...words], {
    stdio: ["ignore", "pipe", "pipe"],
    env: environment,
    timeout: RUN_MS,
    killSignal: "SIGKILL",
  });
  const [stdout, stderr] = await Promise.all([run.stdout.text(), run.stderr.text()]);
  return { code: await run.exited, stdout, stderr };
}

/** The JSON a command printed, which must have succeeded. */
// biome-ignore lint/suspicious/noExplicitAny: a test reads whatever JSON came
export function jsonOf(line: string, { code, stdout, stderr }: Ran): any {
  if (code !== 0) throw new Error(`${line} ended with ${code}: ${stderr}`);
  try {
    return JSON.parse(stdout);
  } catch {
    throw new Error(`${line} printed no JSON: ${stdout}`);
  }
}
