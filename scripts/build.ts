import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";

/**
 * Builds dist/galaxy-pool-linux-{arm64,x64} and dist/SHA256SUMS.
 *
 * The bytes depend on the folder that is built in and on the name of the output, so everything is
 * copied to one fixed folder first: two clones in differently named folders make the same bytes.
 * `--only x64` builds one of them, `--out FOLDER` puts them elsewhere, `--as 1.2.3` makes them say another
 * version, `--runtimes FOLDER` takes Bun itself from FOLDER/{arm64,x64}/bun and downloads nothing.
 */

const ROOT = join(import.meta.dir, "..");
const STAGE = "/var/tmp/galaxy-pool-build";
const LOCK = `${STAGE}.lock`;
const LOCK_WAIT_MS = 300_000;
const TARGETS = { arm64: "bun-linux-arm64", x64: "bun-linux-x64" } as const;
const OUTFILE = "galaxy-pool";

type Target = keyof typeof TARGETS;

async function build(): Promise<void> {
  const only = optionOf("--only") as Target | undefined;
  const out = optionOf("--out") ?? join(ROOT, "dist");
  const targets = only ? [only] : (Object.keys(TARGETS) as Target[]);
  mkdirSync(out, { recursive: true });
  await withLock(() => {
    stage();
    for (const target of targets) compile(target, join(out, `galaxy-pool-linux-${target}`));
    rmSync(STAGE, { recursive: true, force: true });
  });
  writeSums(out, targets);
}

function optionOf(name: string): string | undefined {
  const at = process.argv.indexOf(name);
  return at < 0 ? undefined : process.argv[at + 1];
}

function runtimeOf(target: Target): string[] {
  const runtimes = optionOf("--runtimes");
  if (runtimes === undefined) return [];
  return [`--compile-executable-path=${resolve(runtimes, target, "bun")}`];
}

function versionDefine(): string[] {
  const version = optionOf("--as");
  return version === undefined ? [] : [`--define=GALAXY_VERSION=${JSON.stringify(version)}`];
}

async function withLock(act: () => void): Promise<void> {
  const until = performance.now() + LOCK_WAIT_MS;
  while (!takeLock()) {
    if (performance.now() > until)
      throw new Error(`another build holds ${LOCK}; remove it if none runs`);
    await Bun.sleep(500);
  }
  try {
    act();
  } finally {
    rmSync(LOCK, { recursive: true, force: true });
  }
}

function takeLock(): boolean {
  try {
    mkdirSync(LOCK);
    writeFileSync(join(LOCK, "pid"), String(process.pid));
    return true;
  } catch {
    const owner = existsSync(join(LOCK, "pid")) ? readFileSync(join(LOCK, "pid"), "utf8") : "";
    if (owner !== "" && !existsSync(`/proc/${owner}`))
      rmSync(LOCK, { recursive: true, force: true });
    return false;
  }
}

/** Copies what the executable is made of: the sources and the packages that are not for development only. */
function stage(): void {
  rmSync(STAGE, { recursive: true, force: true });
  mkdirSync(STAGE, { recursive: true });
  for (const name of ["src", "systemd", "scripts/uninstall.sh", "package.json", "tsconfig.json"])
    cpSync(join(ROOT, name), join(STAGE, name), { recursive: true });
  const lock = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")) as {
    packages: Record<string, { dev?: boolean; devOptional?: boolean }>;
  };
  for (const [path, { dev }] of Object.entries(lock.packages)) {
    const from = join(ROOT, path);
    if (path === "" || dev || !existsSync(from) || !isTop(path)) continue;
    cpSync(from, join(STAGE, path), { recursive: true });
  }
}

/** Nested packages come along with the one they are nested in. */
function isTop(path: string): boolean {
  return path.lastIndexOf("node_modules/") === 0;
}

function compile(target: Target, to: string): void {
  const built = Bun.spawnSync(
    [
      process.execPath,
      "build",
      "--compile",
      "--minify",
      "--bytecode",
      "--format=esm",
      "--sourcemap=linked",
      `--target=${TARGETS[target]}`,
      "--no-compile-autoload-dotenv",
      "--no-compile-autoload-bunfig",
      `--define=GALAXY_BUILD_TIME_MS=${commitTimeMs()}`,
      ...versionDefine(),
      ...runtimeOf(target),
      `--define=process.env.NODE_ENV="production"`,
      "src/main.ts",
      "--outfile",
      OUTFILE,
    ],
    { cwd: STAGE, stdout: "pipe", stderr: "pipe" },
  );
  if (built.exitCode !== 0)
    throw new Error(`the build of ${target} failed:\n${built.stderr}${built.stdout}`);
  cpSync(join(STAGE, OUTFILE), `${to}.new`);
  renameSync(`${to}.new`, to);
  console.log(`${to}  ${(statSync(to).size / 1e6).toFixed(1)} MB`);
}

/** When the commit was made: the same in every clone of it. */
function commitTimeMs(): number {
  const epoch = process.env["SOURCE_DATE_EPOCH"];
  if (epoch !== undefined) return Number(epoch) * 1000;
  const log = Bun.spawnSync(["git", "log", "-1", "--format=%ct"], { cwd: ROOT });
  return log.exitCode === 0 ? Number(log.stdout.toString().trim()) * 1000 : 0;
}

function writeSums(out: string, targets: readonly Target[]): void {
  const lines = targets.map((target) => {
    const name = `galaxy-pool-linux-${target}`;
    const sum = createHash("sha256")
      .update(readFileSync(join(out, name)))
      .digest("hex");
    return `${sum}  ${name}\n`;
  });
  writeFileSync(join(out, "SHA256SUMS"), lines.join(""));
}

await build();
