import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Refusal } from "./refusal.ts";

/** A package some file of which is in the executable. */
export interface Bundled {
  /** Its folder, as the lock file names it: `node_modules/pino`. */
  readonly path: string;
  readonly name: string;
  readonly version: string;
  readonly license: string;
  /** The files of it that came in, from its folder. */
  readonly files: readonly string[];
  /** The packages its makers put inside those files, as the source maps beside them say. */
  readonly holds: readonly string[];
}

const PACKAGE = /node_modules\/(?:.*\/node_modules\/)?(?:@[^/]+\/)?[^/]+/;

/** Asks Bun's bundler which files the executable is made of, and gives the packages they belong to. */
export async function bundledPackages(folder: string): Promise<readonly Bundled[]> {
  const files = new Map<string, string[]>();
  for (const input of await inputsOf(folder)) {
    const path = PACKAGE.exec(input)?.[0];
    if (path === undefined) continue;
    const name = input.slice(input.indexOf(path) + path.length + 1);
    files.set(path, [...(files.get(path) ?? []), name]);
  }
  return [...files.keys()].sort().map((path) => packageAt(folder, path, files.get(path) ?? []));
}

async function inputsOf(folder: string): Promise<readonly string[]> {
  const built = await Bun.build({
    entrypoints: [join(folder, "src/main.ts")],
    root: folder,
    target: "bun",
    minify: true,
    metafile: true,
    define: { "process.env.NODE_ENV": '"production"' },
  });
  const inputs = Object.keys(built.metafile?.inputs ?? {});
  if (inputs.length === 0) throw new Refusal("Bun did not say which files the executable has.");
  return inputs.map((input) => resolve(folder, input));
}

function packageAt(folder: string, path: string, files: readonly string[]): Bundled {
  const manifest = JSON.parse(readFileSync(join(folder, path, "package.json"), "utf8")) as {
    name: string;
    version: string;
    license?: string | { type?: string };
    licenses?: readonly { type?: string }[];
  };
  const { name, version, license, licenses = [] } = manifest;
  const spelled = typeof license === "string" ? license : (license?.type ?? licenses[0]?.type);
  const holds = heldIn(files.map((file) => join(folder, path, `${file}.map`)));
  return { path, name, version, license: spelled ?? "", files: [...files].sort(), holds };
}

function heldIn(maps: readonly string[]): readonly string[] {
  const sources = maps.filter(existsSync).flatMap((map) => {
    const { sources: named = [] } = JSON.parse(readFileSync(map, "utf8")) as { sources?: string[] };
    return named;
  });
  const names = sources.flatMap((source) => {
    const after = source.split("node_modules/").at(-1) ?? "";
    const [name] = /^(@[^/]+\/)?[^/]+/.exec(after) ?? [];
    return after === source || name === undefined ? [] : [name];
  });
  return [...new Set(names)].sort();
}
