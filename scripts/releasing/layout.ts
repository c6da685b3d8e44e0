import { createHash } from "node:crypto";
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Refusal } from "./refusal.ts";
import type { Architecture } from "./wish.ts";

/** A line of SHA256SUMS. */
export interface Summed {
  readonly name: string;
  readonly size: number;
  readonly sha256: string;
}

/** The name of an executable in a release. */
export function executableName(version: string, architecture: Architecture): string {
  return `galaxy-pool-${version}-linux-${architecture}`;
}

/** The sum and size of a file. */
export function sumOf(path: string, name: string): Summed {
  const bytes = readFileSync(path);
  return { name, size: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
}

/** Packs a file so that the same bytes always give the same bytes. */
export async function packFile(from: string, to: string): Promise<void> {
  const file = Bun.file(`${to}.gz`);
  const gzip = Bun.spawn(["gzip", "-n", "-9", "-c"], { stdio: [Bun.file(from), file, "inherit"] });
  if ((await gzip.exited) !== 0) throw new Refusal(`gzip could not pack ${from}.`);
}

/**
 * Writes SHA256SUMS over every file of the folder and over the executables as they are unpacked, which
 * are not served themselves: an installer sees by their sums that it has the right one already.
 */
export function writeSums(folder: string, executables: readonly Summed[]): readonly Summed[] {
  const files = readdirSync(folder).map((name) => sumOf(join(folder, name), name));
  const all = [...files, ...executables].sort((one, other) => (one.name < other.name ? -1 : 1));
  const lines = all.map(({ name, sha256 }) => `${sha256}  ${name}\n`);
  writeFileSync(join(folder, "SHA256SUMS"), lines.join(""));
  return all;
}

/** Puts a finished release where it is served from; until then nothing there has changed. */
export function publish(folder: string, out: string, version: string): void {
  for (const place of [`download/v${version}`, "latest/download"]) {
    const to = join(out, place);
    mkdirSync(join(to, ".."), { recursive: true });
    rmSync(`${to}.new`, { recursive: true, force: true });
    cpSync(folder, `${to}.new`, { recursive: true });
    rmSync(to, { recursive: true, force: true });
    renameSync(`${to}.new`, to);
  }
}
