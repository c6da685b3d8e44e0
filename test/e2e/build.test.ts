import { afterAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { temporaryFolder } from "#test/support/folder.ts";

const ROOT = join(import.meta.dir, "../..");
const BUILD_MS = 120_000;
const folder = temporaryFolder();
afterAll(() => folder[Symbol.dispose]());

/** A copy of what git knows, in a folder of any name, built by its own script. */
function builtIn(name: string): Buffer {
  const clone = join(folder.path, name);
  for (const path of tracked()) {
    mkdirSync(dirname(join(clone, path)), { recursive: true });
    cpSync(join(ROOT, path), join(clone, path));
  }
  symlinkSync(join(ROOT, "node_modules"), join(clone, "node_modules"));
  const built = Bun.spawnSync(
    [process.execPath, "scripts/build.ts", "--only", "x64", "--out", join(clone, "dist")],
    { cwd: clone, env: { ...process.env, SOURCE_DATE_EPOCH: "1700000000" } },
  );
  expect(built.stderr.toString()).toBe("");
  return readFileSync(join(clone, "dist/galaxy-pool-linux-x64"));
}

function tracked(): string[] {
  const files = Bun.spawnSync(
    [
      "git",
      "ls-files",
      "src",
      "systemd",
      "scripts",
      "package.json",
      "package-lock.json",
      "tsconfig.json",
    ],
    { cwd: ROOT },
  );
  return files.stdout.toString().split("\n").filter(Boolean);
}

function sum(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

describe("the build", () => {
  test(
    "makes the same bytes in two folders of different names",
    () => {
      const first = builtIn("one");
      const second = builtIn("another name/deeper");
      expect(sum(first)).toBe(sum(second));
      expect(first.includes(folder.path)).toBe(false);
    },
    BUILD_MS,
  );
});
