import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { boardPart } from "./accept/board.ts";
import { containerPart } from "./accept/container.ts";
import { Readme } from "./accept/readme.ts";
import { RELEASE_URL, Release } from "./accept/release.ts";
import { Part } from "./accept/report.ts";
import { systemdPart } from "./accept/systemd.ts";
import type { World } from "./accept/world.ts";

/**
 * Shows on real systems that the pool does what README.md says: a Debian under systemd, an arm64 board, a
 * container. Prints PASS or FAIL, time and evidence for every step; ends with 0 when all passed.
 */

const USAGE = `usage: scripts/acceptance --harness FOLDER [options]

  --harness FOLDER   the scripts that boot real systems (nspawn-boot.sh, arm64-vm.sh, distroless-base.sh)
  --only PARTS       systemd, board, container; several with commas between
  --release FOLDER   keep the releases that are tried there, and use those of an earlier run
  --keep             leave machines and folders where they are
  --help

As root, with the Debian packages the harness names, minisign and openssh-client.`;

const PARTS: ReadonlyMap<string, (world: World) => Promise<void>> = new Map([
  ["systemd", systemdPart],
  ["board", boardPart],
  ["container", containerPart],
]);

async function accept(): Promise<number> {
  const values = wished();
  if (values === undefined) return told(USAGE, 2);
  if (values.help) return told(USAGE, 0);
  const names = values.only?.split(",") ?? [...PARTS.keys()];
  const strange = names.find((name) => !PARTS.has(name));
  if (strange !== undefined) return told(`acceptance: no part "${strange}"\n\n${USAGE}`, 2);
  if (!values.harness || !existsSync(join(values.harness, "nspawn-boot.sh")))
    return told(`acceptance: --harness must name the folder with nspawn-boot.sh\n\n${USAGE}`, 2);
  const release = await Release.open(values.release && resolve(values.release));
  try {
    return await runParts(names, { harness: resolve(values.harness), keep: values.keep, release });
  } finally {
    await release.close(values.keep);
  }
}

/** What the command line says; undefined when it cannot be understood. */
function wished() {
  const [text, flag] = [{ type: "string" }, { type: "boolean", default: false }] as const;
  try {
    return parseArgs({
      options: { harness: text, only: text, release: text, keep: flag, help: flag },
    }).values;
  } catch {
    return undefined;
  }
}

async function runParts(
  names: readonly string[],
  given: Pick<World, "harness" | "keep" | "release">,
): Promise<number> {
  const begun: Part[] = [];
  const world: World = {
    ...given,
    readme: Readme.read(RELEASE_URL),
    part(name) {
      const part = new Part(name);
      begun.push(part);
      return part;
    },
  };
  for (const name of names) {
    await PARTS.get(name)?.(world);
  }
  for (const part of begun) console.log(part.summary());
  return begun.length >= names.length && begun.every(({ failures }) => failures === 0) ? 0 : 1;
}

function told(text: string, code: number): number {
  console.error(text);
  return code;
}

process.exitCode = await accept();
