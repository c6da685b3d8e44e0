import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type Bundled, bundledPackages } from "./releasing/bundled.ts";
import {
  type Build,
  buildExecutables,
  executableIn,
  refuseOtherVersion,
  refusePaths,
} from "./releasing/executables.ts";
import { stampInstaller } from "./releasing/installer.ts";
import {
  executableName,
  packFile,
  publish,
  type Summed,
  sumOf,
  writeSums,
} from "./releasing/layout.ts";
import { thirdPartyLicences } from "./releasing/licences.ts";
import {
  fetchRuntimes,
  installPackages,
  linkPackages,
  refuseOtherBun,
} from "./releasing/packages.ts";
import { Progress } from "./releasing/progress.ts";
import { Refusal } from "./releasing/refusal.ts";
import { sbomOf } from "./releasing/sbom.ts";
import { type PublicKeys, publicKeys, refuseUnsigned, sign } from "./releasing/signatures.ts";
import {
  refuseUnclean,
  type Source,
  takeAgain,
  takeSource,
  uncommitted,
  writeRuntimePackages,
} from "./releasing/source.ts";
import { type Architecture, HOST, USAGE, type Wish, wishFrom } from "./releasing/wish.ts";

/**
 * Makes a release: `scripts/release --help`. Everything is made in a folder of its own from a clean clone
 * of HEAD; the place it is served from changes only once all of it is there and signed.
 */

const ROOT = resolve(import.meta.dir, "..");

await main().catch((error: unknown) => {
  if (!(error instanceof Refusal)) throw error;
  console.error(error.message);
  process.exitCode = error.exitCode;
});

async function main(): Promise<void> {
  const wish = wishFrom(process.argv.slice(2), ROOT);
  if (wish === undefined) {
    console.log(USAGE);
    return;
  }
  refuseUnsigned(wish);
  const dirty = uncommitted(ROOT);
  if (!wish.allowDirty) refuseUnclean(dirty);
  const work = mkdtempSync(join(tmpdir(), "galaxy-release-"));
  const clear = (): void => rmSync(work, { recursive: true, force: true });
  const interrupted = (): never => {
    clear();
    process.exit(130);
  };
  process.once("SIGINT", interrupted).once("SIGTERM", interrupted);
  try {
    await release(wish, work, dirty);
  } finally {
    clear();
  }
}

/** One release in the making. */
interface Job {
  readonly wish: Wish;
  readonly source: Source;
  readonly version: string;
  /** Where it is made. */
  readonly work: string;
  /** The files of the release, until they are published. */
  readonly files: string;
  readonly progress: Progress;
}

async function release(wish: Wish, work: string, dirty: readonly string[]): Promise<void> {
  const progress = new Progress(wish.json ? console.error : console.log);
  const source = await progress.part(
    "source",
    () => takeSource(ROOT, join(work, "source"), dirty),
    ({ commit }) => `commit ${commit.slice(0, 12)}`,
  );
  const version = wish.version ?? source.packageVersion;
  const job = { wish, source, version, work, files: join(work, "files"), progress };
  mkdirSync(job.files);
  warn(job);
  refuseOtherBun(source);
  const keys = publicKeys(wish);
  writeInstaller(job, keys);
  writeRuntimePackages(source, join(work, "packages"), version);
  const built = wish.executables === undefined ? await build(job) : given(job, wish.executables);
  await check(job, built);
  const raw = await progress.part("pack", () => packed(job, built));
  const bundled = await papers(job);
  const sums = await progress.part("sign", () => {
    const all = writeSums(job.files, raw);
    sign(join(job.files, "SHA256SUMS"), version, wish, keys);
    return all;
  });
  await progress.part(
    "publish",
    () => publish(job.files, wish.out, version),
    () => join(wish.out, `download/v${version}`),
  );
  if (wish.json) console.log(JSON.stringify(summary(job, { sums, bundled, keys }), null, 2));
}

function warn({ wish, source, version, progress }: Job): void {
  if (version !== source.packageVersion)
    progress.warn(`this release says ${version}, package.json says ${source.packageVersion}.`);
  if (source.dirty.length > 0)
    progress.warn(`${source.dirty.length} files are not committed; nobody else can build this.`);
  if (wish.executables !== undefined)
    progress.warn(`the executables of ${wish.executables} are taken as they are, not built.`);
  if (wish.minisignKey === undefined) progress.warn("there will be no minisign signature.");
  if (wish.sshKey === undefined) progress.warn("there will be no ssh signature.");
}

async function build(job: Job): Promise<string> {
  const { wish, source, version, work, progress } = job;
  const { architectures } = wish;
  await progress.part("packages", () => installPackages(source, join(work, "packages")));
  const runtimes = await progress.part("runtimes", () =>
    fetchRuntimes(source, join(work, "runtimes"), architectures),
  );
  const to = join(work, "built");
  const order = { source, architectures, version, runtimes, to };
  await progress.part("build", () => buildExecutables(order));
  if (wish.verify) await progress.part("build again", () => buildAgain(job, order));
  return to;
}

/** Another folder, another user, another language and time: the bytes must be the same. */
function buildAgain({ work, wish, source: first }: Job, order: Build): void {
  const folder = join(work, "elsewhere", "again");
  const source = takeAgain(first, folder);
  const packages = join(work, "packages-again");
  writeRuntimePackages(source, packages, order.version);
  installPackages(source, packages);
  const env = { TZ: "Pacific/Chatham", LANG: "C", LC_ALL: "C", USER: "somebody", HOME: work };
  const to = join(work, "built-again");
  buildExecutables({ ...order, source, to, env });
  for (const architecture of wish.architectures) {
    const [one, other] = [order.to, to].map((place) => executableIn(place, architecture));
    if (one && other && sumOf(one, "").sha256 !== sumOf(other, "").sha256)
      throw new Refusal(`Two builds of ${architecture} differ: the release is not reproducible.`);
  }
}

function given({ source }: Job, executables: string): string {
  linkPackages(source, ROOT);
  return executables;
}

async function check({ wish, version, work, progress }: Job, built: string): Promise<void> {
  await progress.part("check", () => {
    for (const architecture of wish.architectures) {
      const executable = executableIn(built, architecture);
      refusePaths(executable, [ROOT, work, homedir()]);
      if (architecture === HOST) refuseOtherVersion(executable, version);
    }
  });
}

function packed({ wish, version, files }: Job, built: string): Promise<readonly Summed[]> {
  const pack = async (architecture: Architecture): Promise<Summed> => {
    const name = executableName(version, architecture);
    const executable = executableIn(built, architecture);
    await packFile(executable, join(files, name));
    return sumOf(executable, name);
  };
  return Promise.all(wish.architectures.map(pack));
}

/** Writes what says which parts of others the executable holds. */
async function papers({ source, work, files, progress }: Job): Promise<readonly Bundled[]> {
  const bundled = await progress.part(
    "licences",
    () => bundledPackages(source.folder),
    (found) => `${found.length} packages`,
  );
  const text = thirdPartyLicences(source.folder, bundled);
  writeFileSync(join(files, "THIRD-PARTY-LICENSES.txt"), text);
  const sbom = await progress.part("sbom", () => sbomOf(join(work, "packages"), bundled));
  writeFileSync(join(files, "sbom.cdx.json"), sbom);
  return bundled;
}

/** Puts version, keys and address into install.sh. */
function writeInstaller({ wish, source, version, files }: Job, keys: PublicKeys): void {
  const script = join(source.folder, "scripts/install.sh");
  if (!existsSync(script)) throw new Refusal("There is no scripts/install.sh in the source.");
  const stamps = {
    RELEASE_VERSION: version,
    MINISIGN_KEY: keys.minisign,
    SSH_KEY: keys.ssh,
    ...(wish.baseUrl === undefined ? {} : { BASE_URL: wish.baseUrl }),
  };
  const stamped = stampInstaller(readFileSync(script, "utf8"), stamps);
  writeFileSync(join(files, "install.sh"), stamped, { mode: 0o755 });
}

interface Made {
  readonly sums: readonly Summed[];
  readonly bundled: readonly Bundled[];
  readonly keys: PublicKeys;
}

function summary({ wish, source, version, progress }: Job, { sums, bundled, keys }: Made) {
  return {
    version,
    commit: source.commit,
    dirty: source.dirty,
    out: wish.out,
    built: wish.executables === undefined,
    built_twice: wish.verify,
    minisign_key: keys.minisign || null,
    ssh_key: keys.ssh || null,
    files: sums,
    packages: bundled.length,
    seconds: progress.seconds,
  };
}
