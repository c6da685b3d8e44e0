import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { toHex } from "@/std/bytes.ts";
import { sha256 } from "@/std/crypto.ts";
import { spawned } from "./machine.ts";
import { NEW, type Release } from "./release.ts";
import { demand } from "./report.ts";

/** What signatures of releases are for. */
export const NAMESPACE = "galaxy-pool-release";

/**
 * A properly signed release whose executable for x64 is this shell script: a new version that is broken
 * in a way a build of ours is not. Everything else is as in the newest real one.
 */
export async function craftRelease(
  release: Release,
  version: string,
  script: string,
): Promise<void> {
  const from = join(release.file(NEW, "."));
  const to = join(release.file(version, "."));
  rmSync(to, { recursive: true, force: true });
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from).filter((one) => !one.startsWith("SHA256SUMS")))
    cpSync(join(from, name), join(to, name.replace(NEW, version)));
  restamp(join(to, "install.sh"), version);
  const name = `galaxy-pool-${version}-linux-x64`;
  writeFileSync(join(to, `${name}.gz`), Bun.gzipSync(Buffer.from(script)));
  writeSums(release, version, { [name]: Buffer.from(script) });
  await sign(release, join(to, "SHA256SUMS"), version);
}

function restamp(file: string, version: string): void {
  const text = readFileSync(file, "utf8");
  const stamped = text.replace(/^RELEASE_VERSION='.*'$/m, `RELEASE_VERSION='${version}'`);
  demand(stamped !== text, "a version stamped into install.sh");
  writeFileSync(file, stamped);
}

/** Sums of every file, and of executables that are only listed. */
function writeSums(
  release: Release,
  version: string,
  listed: Readonly<Record<string, Uint8Array>>,
): void {
  const folder = release.file(version, ".");
  const files = readdirSync(folder).filter((name) => !name.startsWith("SHA256SUMS"));
  const bytes = new Map<string, Uint8Array>(Object.entries(listed));
  for (const name of files) if (!bytes.has(name)) bytes.set(name, release.bytes(version, name));
  const lines = [...bytes].map(([name, content]) => `${toHex(sha256(content))}  ${name}\n`);
  const sorted = lines.toSorted((a, b) => (a.slice(66) < b.slice(66) ? -1 : 1));
  writeFileSync(join(folder, "SHA256SUMS"), sorted.join(""));
}

async function sign(release: Release, sums: string, version: string): Promise<void> {
  const { minisign, ssh } = release.keys;
  const comment = `galaxy-pool ${version}`;
  for (const command of [
    ["minisign", "-S", "-s", minisign, "-m", sums, "-t", comment],
    ["ssh-keygen", "-q", "-Y", "sign", "-n", NAMESPACE, "-f", ssh, sums],
  ]) {
    const { code, stderr } = await spawned(command);
    demand(code === 0, `${command[0]} to sign`, stderr);
  }
}
