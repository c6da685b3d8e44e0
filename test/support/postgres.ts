import { chownSync, existsSync, mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SQL } from "bun";

const HOME = "/usr/lib/postgresql";
const NOBODY = 65534;

/** A PostgreSQL server of the test run's own, on a socket in its own folder. */
export interface TestServer {
  readonly url: string;
  /** Runs pg_ctl on it, as the user it runs as: `control("restart", "-m", "immediate")`. */
  control(...args: readonly string[]): Promise<void>;
}

/** Why PostgreSQL is left out of this run, if somebody decided so. */
export const postgresSkipped: string | undefined =
  process.env["GALAXY_TEST_SKIP_POSTGRES"] || undefined;

let started: Promise<TestServer> | undefined;

/** The server; the first to ask starts it, and it stops with the test run. */
export function postgresServer(): Promise<TestServer> {
  started ??= start();
  return started;
}

/** A new, empty database of the server, as a URL for a process; it goes with the server. */
export async function postgresDatabase(): Promise<string> {
  const { url } = await postgresServer();
  const name = `pool_${crypto.randomUUID().replaceAll("-", "")}`;
  const sql = new SQL({ url, max: 1 });
  await sql.unsafe(`CREATE DATABASE ${name}`);
  await sql.close();
  return url.replace("/postgres?", `/${name}?`);
}

async function start(): Promise<TestServer> {
  const programs = findPrograms();
  const folder = mkdtempSync(join(tmpdir(), "galaxy-postgres-"));
  const data = join(folder, "data");
  const asUser = userOf(folder);
  const command = (program: string, args: readonly string[]) => [
    ...asUser,
    join(programs, program),
    "-D",
    data,
    ...args,
  ];
  const control = (...args: readonly string[]) => completed(command("pg_ctl", ["-w", ...args]));
  guard(folder, command("pg_ctl", ["-m", "immediate", "stop"]));
  await completed(command("initdb", ["-U", "galaxy", "-A", "trust", "-E", "UTF8", "-N"]));
  const options = `-c listen_addresses= -c fsync=off -c unix_socket_directories=${folder}`;
  await control("-l", join(folder, "log"), "-o", options, "start");
  return { url: `postgres://galaxy@localhost/postgres?path=${folder}/.s.PGSQL.5432`, control };
}

/**
 * Stops the server and removes its folder once this process is gone, in whatever way: a shell of its
 * own waits for the end of a pipe that only we hold.
 */
function guard(folder: string, stop: readonly string[]): void {
  const script = 'trap "" INT TERM HUP; cat; folder="$0"; "$@"; rm -rf "$folder"';
  const shell = Bun.spawn(["sh", "-c", script, folder, ...stop], {
    cwd: "/",
    stdin: "pipe",
    stdout: "ignore",
    stderr: "ignore",
  });
  shell.unref();
}

/** PostgreSQL refuses to run as root, so root hands the folder and the server to nobody. */
function userOf(folder: string): readonly string[] {
  if (process.getuid?.() !== 0) return [];
  chownSync(folder, NOBODY, NOBODY);
  return ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];
}

function findPrograms(): string {
  const versions = existsSync(HOME) ? readdirSync(HOME) : [];
  const newest = versions.sort((a, b) => Number(b) - Number(a))[0];
  if (newest !== undefined) return join(HOME, newest, "bin");
  throw new Error(
    "PostgreSQL is not installed, so half of the contract would go untested. Install it " +
      "(sudo apt-get install postgresql), or set GALAXY_TEST_SKIP_POSTGRES to the reason why not.",
  );
}

async function completed(command: readonly string[]): Promise<void> {
  const program = Bun.spawn([...command], { cwd: "/", stdout: "ignore", stderr: "pipe" });
  const complaint = await new Response(program.stderr).text();
  if ((await program.exited) !== 0) throw new Error(`${command.join(" ")}: ${complaint}`);
}
