import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spawned } from "./machine.ts";
import { demand } from "./report.ts";

/** The port at which every machine sees the release; stamped into the installer. */
export const RELEASE_PORT = 8080;
/** The address of the release as a machine sees it, after `machine.offer(RELEASE_PORT, release.port)`. */
export const RELEASE_URL = `http://127.0.0.1:${RELEASE_PORT}`;
export const OLD = "1.0.0";
export const NEW = "1.0.1";

const ROOT = join(import.meta.dir, "../..");
const BUILD_MS = 600_000;

type Change = (bytes: Uint8Array) => Uint8Array | undefined;

/** Two signed releases in a folder, served as a download site lays them out. */
export class Release {
  readonly folder: string;
  readonly #made: boolean;
  readonly #server: Bun.Server<undefined>;
  #latest = OLD;
  #changes: { readonly name: RegExp; readonly change: Change }[] = [];
  #requests: string[] = [];

  private constructor(folder: string, made: boolean) {
    this.folder = folder;
    this.#made = made;
    this.#server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: ({ url }) => this.#answer(new URL(url).pathname),
    });
  }

  /** Makes keys and both releases in a new folder, or serves the folder of an earlier run. */
  static async open(folder?: string): Promise<Release> {
    const home = folder ?? mkdtempSync(join(tmpdir(), "galaxy-release-"));
    for (const version of [OLD, NEW])
      if (!existsSync(join(folderOf(home, version), "SHA256SUMS")))
        await makeRelease(home, version);
    return new Release(home, folder === undefined);
  }

  /** The port of the server on this host. */
  get port(): number {
    return this.#server.port ?? 0;
  }

  /** A file of a release, on this host. */
  file(version: string, name: string): string {
    return join(folderOf(this.folder, version), name);
  }

  bytes(version: string, name: string): Uint8Array {
    return readFileSync(this.file(version, name));
  }

  /** The files of the secret keys both releases are signed with. */
  get keys(): { readonly minisign: string; readonly ssh: string } {
    return keysIn(this.folder);
  }

  /** A file of what `latest` is now. */
  latestBytes(name: string): Uint8Array {
    return this.bytes(this.#latest, name);
  }

  /** Says which version `latest` is. */
  setLatest(version: string): void {
    this.#latest = version;
  }

  /** From now on files whose path matches are served changed; `undefined` answers 404. */
  alter(name: RegExp, change: Change): void {
    this.#changes.push({ name, change });
  }

  /** Serves the files as they are again, and forgets what was asked for. */
  restore(): void {
    this.#changes = [];
    this.#requests = [];
  }

  /** The paths that were asked for since the last `restore`. */
  get requests(): readonly string[] {
    return this.#requests;
  }

  async close(keep: boolean): Promise<void> {
    await this.#server.stop(true);
    if (this.#made && !keep) rmSync(this.folder, { recursive: true, force: true });
  }

  #answer(path: string): Response {
    this.#requests.push(path);
    const [, version, name] =
      /^\/(?:download\/v|(?=latest\/))(latest\/download|[\d.]+)\/([\w.-]+)$/.exec(path) ?? [];
    if (version === undefined || name === undefined) return new Response("no", { status: 404 });
    const file = this.file(version === "latest/download" ? this.#latest : version, name);
    if (!existsSync(file)) return new Response("no such file", { status: 404 });
    let bytes: Uint8Array | undefined = readFileSync(file);
    for (const { name: pattern, change } of this.#changes)
      if (bytes && pattern.test(path)) bytes = change(bytes);
    return bytes
      ? new Response(new Blob([Buffer.from(bytes)]))
      : new Response("no", { status: 404 });
  }
}

function folderOf(home: string, version: string): string {
  return join(home, "download", `v${version}`);
}

function keysIn(home: string): { readonly minisign: string; readonly ssh: string } {
  const folder = join(home, "keys");
  return { minisign: join(folder, "minisign.key"), ssh: join(folder, "release_ed25519") };
}

/** Throw-away keys, made once in the folder; they sign nothing but these releases. */
async function makeKeys(home: string): Promise<readonly string[]> {
  const { minisign, ssh } = keysIn(home);
  if (!existsSync(ssh)) {
    mkdirSync(join(home, "keys"), { recursive: true });
    await must(["minisign", "-G", "-W", "-f", "-s", minisign, "-p", `${minisign}.pub`]);
    await must(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "acceptance", "-f", ssh]);
  }
  return ["--minisign-key", minisign, "--ssh-key", ssh];
}

async function makeRelease(home: string, version: string): Promise<void> {
  const keys = await makeKeys(home);
  const place = ["--out", home, "--base-url", RELEASE_URL];
  await must(
    [join(ROOT, "scripts/release"), "--allow-dirty", "--as", version, ...place, ...keys],
    BUILD_MS,
  );
  const folder = folderOf(home, version);
  demand(existsSync(join(folder, "SHA256SUMS")), `scripts/release to fill ${folder}`);
}

async function must(command: readonly string[], timeoutMs?: number): Promise<void> {
  const { code, stdout, stderr } = await spawned(command, timeoutMs ? { timeoutMs } : {});
  demand(code === 0, `${command.join(" ")} to succeed`, `${stdout}${stderr}`);
}
