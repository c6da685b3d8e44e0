import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Core } from "./core.ts";
import type { Patch } from "./mutant.ts";

/** Copies of the core with something wrong in them: the files of the product are never touched. */

const ROOT = join(import.meta.dir, "../../..");

/** A core with these changes, loaded from a folder of its own. */
export async function mutantCore(patches: readonly Patch[]): Promise<Core> {
  const folder = mkdtempSync(join(tmpdir(), "galaxy-pool-mutant-"));
  try {
    copy(folder);
    for (const patch of patches) apply(folder, patch);
    const { theCore } = (await import(join(folder, "core.ts"))) as { readonly theCore: Core };
    return theCore;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function copy(folder: string): void {
  cpSync(join(ROOT, "src/core/consensus"), folder, { recursive: true });
  cpSync(join(ROOT, "test/support/symbolic-signatures.ts"), join(folder, "symbolic-signatures.ts"));
  cpSync(join(import.meta.dir, "core.ts"), join(folder, "core.ts"));
  const paths = {
    "@/core/consensus/*": [`${folder}/*`],
    "@/*": [join(ROOT, "src/*")],
    "#test/support/*": [`${folder}/*`],
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: { paths } }));
}

/** Changes a text that stands there exactly once: else the mutant is not what it says it is. */
function apply(folder: string, { file, from, to }: Patch): void {
  const path = join(folder, file);
  const parts = readFileSync(path, "utf8").split(from);
  if (parts.length !== 2)
    throw new Error(`${file} has ${parts.length - 1} times, not once: ${from}`);
  writeFileSync(path, parts.join(to));
}
