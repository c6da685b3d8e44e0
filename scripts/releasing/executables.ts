import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Refusal } from "./refusal.ts";
import { run } from "./run.ts";
import type { Source } from "./source.ts";
import { ARCHITECTURES, type Architecture, HOST } from "./wish.ts";

/** Where an executable of Bun believes its own files to be, before `/root/`. */
const VIRTUAL = ["/$bunfs", "B:/~BUN"] as const;

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

/** Builds the executables with the source's own script, run by the Bun that was fetched and verified. */
export function buildExecutables(build: Build): void {
  const { source, architectures, version, runtimes, to, env = {} } = build;
  const [only] = architectures;
  const words = ["--out", to, "--runtimes", runtimes];
  if (version !== source.packageVersion) words.push("--as", version);
  if (only !== undefined && architectures.length < ARCHITECTURES.length) words.push("--only", only);
  run([join(runtimes, HOST, "bun"), "scripts/build.ts", ...words], {
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
  const told = folders.filter((path) => holdsPath(bytes, path));
  if (told.length > 0) throw new Refusal(`${executable} holds the path ${told.join(", ")}.`);
}

/** Whether a file under the folder is named; Bun's own `/$bunfs/root/` is nobody's home. */
function holdsPath(bytes: Buffer, folder: string): boolean {
  const wanted = `${folder}/`;
  for (let at = bytes.indexOf(wanted); at >= 0; at = bytes.indexOf(wanted, at + 1)) {
    const before = bytes.toString("latin1", Math.max(0, at - 10), at);
    if (!VIRTUAL.some((name) => before.endsWith(name))) return true;
  }
  return false;
}
