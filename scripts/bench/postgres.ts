import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writtenBytes } from "./processes.ts";

const HOME = "/usr/lib/postgresql";
const NOBODY = 65_534;
const ROOT = join(import.meta.dir, "../..");

/** A PostgreSQL server of the bench's own, with fsync, on a socket in its own folder. */
export class Postgres implements AsyncDisposable {
  readonly url: string;
  readonly #data: string;
  readonly #control: (...args: readonly string[]) => void;

  static start(folder: string): Postgres {
    run(["sh", join(ROOT, "scripts/needs.sh")]);
    return new Postgres(folder);
  }

  private constructor(folder: string) {
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    const isRoot = process.getuid?.() === 0;
    if (isRoot) chownSync(folder, NOBODY, NOBODY);
    const user = `--reuid=${NOBODY} --regid=${NOBODY} --clear-groups`.split(" ");
    const as = isRoot ? ["setpriv", ...user] : [];
    this.#data = join(folder, "data");
    const command = (program: string, ...args: readonly string[]): void =>
      run([...as, join(programs(), program), "-D", this.#data, ...args]);
    this.#control = (...args) => command("pg_ctl", "-w", ...args);
    command("initdb", "-U", "galaxy", "-A", "trust", "-E", "UTF8", "-N");
    const options = `-c listen_addresses= -c unix_socket_directories=${folder}`;
    this.#control("-l", join(folder, "log"), "-o", options, "start");
    this.url = `postgres://galaxy@localhost/postgres?path=${folder}/.s.PGSQL.5432`;
  }

  /** Bytes its processes have caused to be written; those of processes that ended are not in it. */
  writtenBytes(): number {
    const parent = readFileSync(join(this.#data, "postmaster.pid"), "utf8").split("\n")[0];
    const children = readFileSync(`/proc/${parent}/task/${parent}/children`, "utf8").trim();
    const pids = [parent, ...children.split(" ")].map(Number);
    return pids.reduce((sum, pid) => sum + writtenBytes(pid), 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#control("-m", "immediate", "stop");
  }
}

function programs(): string {
  const versions = existsSync(HOME) ? readdirSync(HOME) : [];
  const newest = versions.sort((a, b) => Number(b) - Number(a))[0];
  if (newest === undefined) throw new Error("PostgreSQL is not installed");
  return join(HOME, newest, "bin");
}

function run(command: readonly string[]): void {
  const { exitCode, stderr } = Bun.spawnSync([...command], { cwd: "/", stdout: "ignore" });
  if (exitCode !== 0) throw new Error(`${command.join(" ")}: ${stderr}`);
}
