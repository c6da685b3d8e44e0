import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { Refusal } from "./refusal.ts";
import { run } from "./run.ts";
import type { Source } from "./source.ts";
import { ARCHITECTURES, type Architecture } from "./wish.ts";

/** What a build is made of, and where its executables go. */
export interface Build {
  readonly source: Source;
  readonly architectures: readonly Architecture[];
  readonly version: string;
  readonly runtimes: string;
  readonly to: string;
  /** Surroundings that must not show in the bytes. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Builds the executables with the source's own script. */
export function buildExecutables(build: Build): void {
  const { source, architectures, version, runtimes, to, env = {} } = build;
  const [only] = architectures;
  const words = ["--out", to, "--runtimes", runtimes];
  if (version !== source.packageVersion) words.push("--as", version);
  if (only !== undefined && architectures.length < ARCHITECTURES.length) words.push("--only", only);
  run([process.execPath, "scripts/build.ts", ...words], {
    cwd: source.folder,
    env: { ...process.env, SOURCE_DATE_EPOCH: source.epoch, ...env },
  });
}

/** The executable of an architecture in the folder a build wrote. */
export function executableIn(folder: string, architecture: Architecture): string {
  const path = join(folder, `galaxy-pool-linux-${architecture}`);
  if (!existsSync(path)) throw new Refusal(`There is no ${path}; "npm run build" makes it.`);
  return path;
}

/** Refuses an executable that says another version, where this machine can run it. */
export function refuseOtherVersion(executable: string, version: string): void {
  const said = run([executable, "--version"]).trim();
  if (said !== version)
    throw new Refusal(`${executable} says it is ${said}, and the release is ${version}.`);
}

/** Refuses an executable that tells where and by whom it was built. */
export function refusePaths(executable: string, folders: readonly string[]): void {
  const bytes = readFileSync(executable);
  const told = [...folders, homedir()].filter((path) => path.length > 5 && bytes.includes(path));
  if (told.length > 0) throw new Refusal(`${executable} holds the path ${told.join(", ")}.`);
}
