import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "#test/support/folder.ts";

export const ROOT = join(import.meta.dir, "../..");
export const VERSION = (
  JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string }
).version;

/** What a run of scripts/release left and said. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A folder with throw-away keys and stand-ins for the executables, which only say a version. */
export class Workshop implements Disposable {
  readonly #folder = temporaryFolder();
  readonly path = this.#folder.path;
  readonly minisignKey = join(this.path, "minisign.key");
  readonly sshKey = join(this.path, "release_ed25519");
  readonly executables = join(this.path, "executables");

  constructor() {
    must(["minisign", "-G", "-W", "-s", this.minisignKey, "-p", join(this.path, "minisign.pub")]);
    must(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", this.sshKey]);
    mkdirSync(this.executables);
    for (const architecture of ["arm64", "x64"]) this.#standIn(architecture);
  }

  /** Runs scripts/release over the stand-ins, with both keys. */
  async release(out: string, ...more: readonly string[]): Promise<Ran> {
    const keys = ["--minisign-key", this.minisignKey, "--ssh-key", this.sshKey];
    const from = ["--allow-dirty", "--executables", this.executables];
    return runRelease(["--out", join(this.path, out), ...from, ...keys, ...more]);
  }

  [Symbol.dispose](): void {
    this.#folder[Symbol.dispose]();
  }

  #standIn(architecture: string): void {
    const path = join(this.executables, `galaxy-pool-linux-${architecture}`);
    writeFileSync(path, `#!/bin/sh\n# ${architecture}\necho ${VERSION}\n`);
    chmodSync(path, 0o755);
  }
}

export async function runRelease(words: readonly string[]): Promise<Ran> {
  const run = Bun.spawn([join(ROOT, "scripts/release"), ...words], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr] = await Promise.all([run.stdout.text(), run.stderr.text()]);
  return { code: await run.exited, stdout, stderr };
}

/** Runs a program of the system and tells how it ended. */
export function ran(command: readonly string[], cwd?: string, input?: string): Ran {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...command], {
    ...(cwd === undefined ? {} : { cwd }),
    stdin: input === undefined ? "ignore" : Buffer.from(input),
    stdout: "pipe",
    stderr: "pipe",
  });
  return { code: exitCode, stdout: stdout.toString(), stderr: stderr.toString() };
}

export function must(command: readonly string[], cwd?: string): string {
  const { code, stdout, stderr } = ran(command, cwd);
  if (code !== 0) throw new Error(`${command.join(" ")} failed: ${stderr}${stdout}`);
  return stdout;
}
