import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const BLOCK = Buffer.alloc(4096, 1);

/** A file system of its own that is soon full. */
export interface SmallDisk extends Disposable {
  readonly path: string;
  /** Takes all room there is. */
  fill(): void;
  /** Gives it back. */
  clear(): void;
}

/** A small file system in memory; or why there is none: it takes root to mount one. */
export function smallDisk(megabytes: number): SmallDisk | string {
  const path = mkdtempSync(join(tmpdir(), "galaxy-disk-"));
  const mount = ["mount", "-t", "tmpfs", "-o", `size=${megabytes}m`, "galaxy-test", path];
  const mounted = Bun.spawnSync(mount, { stdout: "ignore", stderr: "pipe" });
  if (mounted.exitCode !== 0) {
    rmSync(path, { recursive: true, force: true });
    return `no small disk can be mounted (${mounted.stderr.toString().trim()})`;
  }
  const filler = join(path, "filler");
  return {
    path,
    fill: () => fillUp(filler),
    clear: () => rmSync(filler, { force: true }),
    [Symbol.dispose]() {
      Bun.spawnSync(["umount", "-l", path]);
      rmSync(path, { recursive: true, force: true });
    },
  };
}

function fillUp(file: string): void {
  const descriptor = openSync(file, "a");
  try {
    for (;;) writeSync(descriptor, BLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
  } finally {
    closeSync(descriptor);
  }
}
