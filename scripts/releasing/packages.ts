import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { Refusal } from "./refusal.ts";
import { run } from "./run.ts";
import { type LockedPackage, lockedPackages, type Source } from "./source.ts";
import { type Architecture, HOST } from "./wish.ts";

const RUNTIMES: Readonly<Record<Architecture, string>> = {
  arm64: "@oven/bun-linux-aarch64",
  x64: "@oven/bun-linux-x64",
};
const QUIET = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];

/**
 * Installs the packages of the lock into the source. `npm ci` compares every package with the integrity
 * the lock names, also those from its cache, so a changed one never gets in. The cache comes first: a
 * machine that has installed this lock before needs no network.
 */
export function installPackages(source: Source, packages: string): void {
  withCacheFirst((mode) => run(["npm", "ci", mode, ...QUIET], { cwd: packages }));
  renameSync(join(packages, "node_modules"), join(source.folder, "node_modules"));
}

/** Refuses to go on with another Bun than the lock names: what it says of itself goes into the papers. */
export function refuseOtherBun(source: Source): void {
  const version = lockedPackages(source).get("node_modules/bun")?.version;
  if (version === Bun.version) return;
  throw new Refusal(`This is Bun ${Bun.version}, the lock has ${version}: run "npm install".`);
}

/**
 * Fetches Bun as the lock names it, for each architecture and for this machine, which builds with it, to
 * FOLDER/{arm64,x64}/bun.
 */
export function fetchRuntimes(
  source: Source,
  folder: string,
  architectures: readonly Architecture[],
): string {
  const locked = lockedPackages(source);
  for (const architecture of new Set([...architectures, HOST])) {
    const name = RUNTIMES[architecture];
    const entry = locked.get(`node_modules/${name}`);
    if (!entry) throw new Refusal(`package-lock.json does not name ${name}.`);
    const to = join(folder, architecture);
    mkdirSync(to, { recursive: true });
    unpackVerified(name, entry, to);
  }
  return folder;
}

function unpackVerified(name: string, { version, integrity }: LockedPackage, to: string): void {
  const pack = ["npm", "pack", `${name}@${version}`, "--pack-destination", to, "--json"];
  const packed = withCacheFirst((mode) => run([...pack, mode, "--loglevel=error"], { cwd: to }));
  const [{ filename }] = JSON.parse(packed) as [{ filename: string }];
  const archive = join(to, filename.replace("@", "").replace("/", "-"));
  refuseOtherBytes(`${name}@${version}`, readFileSync(archive), integrity);
  run(["tar", "-xzf", archive, "--strip-components=2", "-C", to, "package/bin/bun"]);
  if (!existsSync(join(to, "bun"))) throw new Refusal(`${name}@${version} holds no Bun.`);
}

/** Refuses a package whose bytes are not those the lock file names. */
export function refuseOtherBytes(name: string, bytes: Uint8Array, integrity?: string): void {
  const sum = createHash("sha512").update(bytes).digest("base64");
  if (integrity !== `sha512-${sum}`)
    throw new Refusal(`${name} is not the package that package-lock.json names.`);
}

function withCacheFirst<T>(act: (mode: string) => T): T {
  try {
    return act("--offline");
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return act("--prefer-offline");
  }
}

/** Takes the packages that are installed for development: those of the lock, or the trial is refused. */
export function linkPackages(source: Source, root: string): void {
  for (const [path, { version, dev, devOptional }] of lockedPackages(source)) {
    const manifest = join(root, path, "package.json");
    if (dev || devOptional || !existsSync(manifest)) continue;
    const installed = JSON.parse(readFileSync(manifest, "utf8")) as { version: string };
    if (installed.version !== version)
      throw new Refusal(`${path} is ${installed.version}, not ${version}: run "npm install".`);
  }
  symlinkSync(join(root, "node_modules"), join(source.folder, "node_modules"));
}
