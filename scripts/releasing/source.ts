import { cpSync, existsSync, lstatSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Refusal } from "./refusal.ts";
import { run } from "./run.ts";

/** The files a release is made from, in a folder of their own. */
export interface Source {
  readonly folder: string;
  readonly commit: string;
  readonly dirty: readonly string[];
  readonly packageVersion: string;
  /** Seconds since 1970 when the commit was made. */
  readonly epoch: string;
}

/** A package as the lock file names it; the path is the key, such as `node_modules/pino`. */
export interface LockedPackage {
  readonly version: string;
  readonly integrity?: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly devOptional?: boolean;
}

interface Lock {
  version: string;
  packages: Record<string, LockedPackage & { version: string; devDependencies?: unknown }>;
}

const NAMED_MAX = 20;

/** What is not committed, as paths. */
export function uncommitted(root: string): readonly string[] {
  const words = ["status", "--porcelain", "-z", "--no-renames", "--untracked-files=all"];
  const status = run(["git", ...words], { cwd: root });
  return status
    .split("\0")
    .filter(Boolean)
    .map((line) => line.slice(3));
}

/** Refuses a work tree whose HEAD is not what its files say. */
export function refuseUnclean(dirty: readonly string[]): void {
  if (dirty.length === 0) return;
  const more = dirty.length > NAMED_MAX ? `\n  and ${dirty.length - NAMED_MAX} more` : "";
  const names = dirty.slice(0, NAMED_MAX).map((name) => `\n  ${name}`);
  throw new Refusal(
    `The work tree is not clean:${names.join("")}${more}\n` +
      "Commit or remove these, or try things out with --allow-dirty.",
  );
}

/** A clean clone of HEAD; or, for a trial, a copy of the work tree without what git ignores. */
export function takeSource(root: string, folder: string, dirty: readonly string[]): Source {
  const isClean = dirty.length === 0;
  if (isClean) run(["git", "clone", "--quiet", "--no-hardlinks", root, folder]);
  else copyWorkTree(root, folder);
  const known = { cwd: isClean ? folder : root };
  const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
    version: string;
  };
  return {
    folder,
    commit: run(["git", "rev-parse", "HEAD"], known).trim(),
    dirty,
    packageVersion: version,
    epoch: run(["git", "log", "-1", "--format=%ct"], known).trim(),
  };
}

/** The same source in another folder, without the packages that were installed into it. */
export function takeAgain(first: Source, folder: string): Source {
  cpSync(first.folder, folder, {
    recursive: true,
    filter: (path) => path !== join(first.folder, "node_modules"),
  });
  return { ...first, folder };
}

function copyWorkTree(root: string, folder: string): void {
  const words = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
  const listed = run(["git", ...words], { cwd: root });
  for (const path of listed.split("\0").filter(Boolean)) {
    const from = join(root, path);
    if (!existsSync(from) || lstatSync(from).isDirectory()) continue;
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    cpSync(from, join(folder, path), { verbatimSymlinks: true });
  }
}

/** Every package of the lock file. */
export function lockedPackages(source: Source): ReadonlyMap<string, LockedPackage> {
  return new Map(Object.entries(lockOf(source).packages).filter(([path]) => path !== ""));
}

/**
 * Writes package.json and its lock without what is only for development: what `npm ci` then installs and
 * the SBOM then names is what the executable can be made of, no more.
 */
export function writeRuntimePackages(source: Source, folder: string, version: string): void {
  const manifest = JSON.parse(readFileSync(join(source.folder, "package.json"), "utf8"));
  manifest.version = version;
  for (const key of ["devDependencies", "scripts", "knip", "overrides"]) delete manifest[key];
  const lock = { ...lockOf(source), version };
  for (const [path, entry] of Object.entries(lock.packages)) {
    delete entry.devDependencies;
    if (path === "") entry.version = version;
    if (entry.dev || entry.devOptional) delete lock.packages[path];
  }
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  writeFileSync(join(folder, "package-lock.json"), `${JSON.stringify(lock, null, 2)}\n`);
}

function lockOf({ folder }: Source): Lock {
  return JSON.parse(readFileSync(join(folder, "package-lock.json"), "utf8")) as Lock;
}
