import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const SCRIPTS = join(import.meta.dir, "../../scripts");
const SIGNER = "release@galaxy-pool";
const NAMESPACE = "galaxy-pool-release";

export const ARCHITECTURE = process.arch === "arm64" ? "arm64" : "x64";

/** A signer of releases with throw-away keys. */
export interface Keys {
  readonly minisign: string;
  readonly ssh: string;
  /** Writes both signatures beside SHA256SUMS. */
  sign(folder: string): void;
}

/** Makes keys in a folder of their own. */
export function makeKeys(folder: string): Keys {
  mkdirSync(folder, { recursive: true });
  const [secret, open, ssh] = ["m.key", "m.pub", "ssh"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  run("minisign", "-G", "-W", "-f", "-s", secret, "-p", open);
  run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", SIGNER, "-f", ssh);
  return {
    minisign: readFileSync(open, "utf8").trim().split("\n").at(-1) ?? "",
    ssh: readFileSync(`${ssh}.pub`, "utf8").trim(),
    sign(release) {
      const sums = join(release, "SHA256SUMS");
      run("rm", "-f", `${sums}.sig`, `${sums}.minisig`);
      run("minisign", "-S", "-s", secret, "-m", sums, "-t", "galaxy-pool release");
      run("ssh-keygen", "-q", "-Y", "sign", "-f", ssh, "-n", NAMESPACE, sums);
    },
  };
}

/** What a release is made of. */
export interface Recipe {
  readonly version: string;
  readonly executable: Uint8Array | string;
  readonly keys: Keys;
  readonly baseUrl?: string;
  /** What the names say, when they lie. */
  readonly named?: string;
}

/** Makes the folder of one release as `scripts/release` would, with install.sh stamped. */
export function makeRelease(folder: string, { version, executable, keys, ...more }: Recipe): void {
  mkdirSync(folder, { recursive: true });
  const name = `galaxy-pool-${more.named ?? version}-linux-${ARCHITECTURE}`;
  const raw = Buffer.from(executable);
  const packed = gzipSync(raw, { level: 1 });
  const script = stampedScript({ version, keys, baseUrl: more.baseUrl ?? "" });
  writeFileSync(join(folder, `${name}.gz`), packed);
  writeFileSync(join(folder, "install.sh"), script);
  writeSums(folder, [
    [sha256(raw), name],
    [sha256(packed), `${name}.gz`],
    [sha256(script), "install.sh"],
  ]);
  keys.sign(folder);
}

/** Writes SHA256SUMS, as given. */
export function writeSums(folder: string, lines: readonly (readonly [string, string])[]): void {
  writeFileSync(join(folder, "SHA256SUMS"), lines.map((line) => `${line.join("  ")}\n`).join(""));
}

/** SHA-256 in hexadecimal. */
export function sha256(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** install.sh as a release carries it. */
export function stampedScript(stamp: { version: string; keys: Keys; baseUrl: string }): string {
  const values: Readonly<Record<string, string>> = {
    RELEASE_VERSION: stamp.version,
    MINISIGN_KEY: stamp.keys.minisign,
    SSH_KEY: stamp.keys.ssh,
    ...(stamp.baseUrl ? { BASE_URL: stamp.baseUrl } : {}),
  };
  let script = readFileSync(join(SCRIPTS, "install.sh"), "utf8");
  for (const [name, value] of Object.entries(values)) {
    script = script.replace(new RegExp(`^${name}='.*'$`, "m"), `${name}='${value}'`);
  }
  return script;
}

/** The stand-in for the executable; `unit` is what its unit files say. */
export function standIn(world: string, version: string, unit = "1"): string {
  return filled("stand-in.sh", { WORLD: world, VERSION: version, UNIT: unit });
}

/** Puts a stand-in for a tool of the system into a folder. */
export function putTool(folder: string, name: string, text: string): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, name), text);
  chmodSync(join(folder, name), 0o755);
}

/** The stand-in for systemctl. */
export function systemctl(world: string): string {
  return filled("systemctl.sh", { WORLD: world });
}

/** A stand-in for systemctl that really runs what is installed. */
export function runningSystemctl(world: string): string {
  return filled("running-systemctl.sh", { WORLD: world });
}

function filled(file: string, values: Readonly<Record<string, string>>): string {
  const text = readFileSync(join(import.meta.dir, file), "utf8");
  const all = { ...values, UNINSTALL: join(SCRIPTS, "uninstall.sh") };
  return Object.entries(all).reduce(
    (said, [name, value]) => said.replaceAll(`@${name}@`, value),
    text,
  );
}

function run(...words: readonly string[]): void {
  const ran = Bun.spawnSync([...words], { stdin: "ignore" });
  if (ran.exitCode !== 0) throw new Error(`${words.join(" ")}: ${ran.stderr}`);
}
