import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { confinedSteps } from "./container-confined.ts";
import { imageSteps } from "./container-image.ts";
import { livingSteps } from "./container-living.ts";
import { Engine } from "./engine.ts";
import { OLD, type Release } from "./release.ts";
import type { Part } from "./report.ts";
import type { World } from "./world.ts";

const ROOT = join(import.meta.dir, "../..");
/** Every container of this part bears this name and something behind it. */
const PREFIX = "d-pool";

/** How the engine calls a processor, how the release does, and how long its containers may take. */
const PROCESSORS = [
  { architecture: "arm64", released: "arm64", patienceMs: 600_000 },
  { architecture: "amd64", released: "x64", patienceMs: 90_000 },
] as const;

/** One image that is tried. */
export interface Contained {
  readonly part: Part;
  readonly engine: Engine;
  readonly release: Release;
  readonly architecture: string;
  readonly tag: string;
  /** The name of its containers, and the beginning of those of others. */
  readonly name: string;
  /** The name of the volume that outlives its containers. */
  readonly volume: string;
  /** A folder on this host for what is mounted. */
  readonly folder: string;
  /** What the image is built from: the files of the repository and the executables of the release. */
  readonly context: string;
  readonly patienceMs: number;
}

/** The image, built for both processors, run without rights: healthy and not, joined, paid, stopped, replaced. */
export async function containerPart(world: World): Promise<void> {
  const part = world.part("container");
  const engine = new Engine(world.harness);
  const folder = mkdtempSync(join(tmpdir(), "galaxy-container-"));
  const context = buildContext(folder, world.release);
  for (const { architecture, patienceMs } of PROCESSORS) {
    const name = `${PREFIX}-${architecture}`;
    const place = { name, tag: `${PREFIX}:${architecture}`, volume: `${name}-data` };
    const tried = { part, engine, release: world.release, architecture, folder, context };
    await tryImage({ ...tried, ...place, patienceMs }, world.keep);
  }
  if (!world.keep) rmSync(folder, { recursive: true, force: true });
}

async function tryImage(contained: Contained, keep: boolean): Promise<void> {
  const before = await contained.engine.nameless();
  try {
    if (!(await imageSteps(contained))) return;
    await confinedSteps(contained);
    await livingSteps(contained);
  } finally {
    if (!keep) await forget(contained, before);
  }
}

/** Removes image, stages and volume; containers are removed by whoever started them. */
async function forget(contained: Contained, before: ReadonlySet<string>): Promise<void> {
  const { engine, tag, volume } = contained;
  await engine.drive(["podman", "volume", "rm", "--force", volume], { allowFailure: true });
  await engine.drive(["podman", "rmi", "--force", tag], { allowFailure: true });
  const stages = [...(await engine.nameless())].filter((id) => !before.has(id));
  for (const id of stages)
    await engine.drive(["podman", "rmi", "--force", id], { allowFailure: true });
}

/** What `docker build` is given after a release was made into dist/. */
function buildContext(folder: string, release: Release): string {
  const context = join(folder, "context");
  mkdirSync(join(context, "dist"), { recursive: true });
  for (const name of ["Dockerfile.arm64", ".dockerignore", "LICENSE"])
    cpSync(join(ROOT, name), join(context, name));
  const licences = release.bytes(OLD, "THIRD-PARTY-LICENSES.txt");
  writeFileSync(join(context, "dist/THIRD-PARTY-LICENSES.txt"), licences);
  for (const { released } of PROCESSORS) {
    const packed = release.bytes(OLD, `galaxy-pool-${OLD}-linux-${released}.gz`);
    const file = join(context, `dist/galaxy-pool-linux-${released}`);
    writeFileSync(file, Bun.gunzipSync(Uint8Array.from(packed)));
    chmodSync(file, 0o755);
  }
  return context;
}
