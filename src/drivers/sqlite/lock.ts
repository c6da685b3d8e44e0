import { Database } from "bun:sqlite";
import { closeSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { defineModule } from "@/kernel/module.ts";
import { utf8 } from "@/std/bytes.ts";
import { giveToOwnerOf } from "../disk/owner.ts";
import { diskFailed, refusing } from "../disk/refusals.ts";
import { dataLocked } from "../sql/refusals.ts";
import { faultOf } from "./faults.ts";

/** A folder kept for one process. */
export interface FolderLock {
  release(): void;
}

/**
 * Keeps a folder for this process until it releases it or dies in whatever way: an exclusive
 * transaction on a file of its own, so the kernel lets go of it even after kill -9. Nothing else in
 * the process may open that file: closing any descriptor of it would drop the lock (POSIX).
 */
export function lockFolder(folder: string, service?: string): FolderLock {
  const file = join(folder, "lock");
  const pidFile = join(folder, "lock.pid");
  createPrivate(file);
  const database = new Database(file, { readwrite: true });
  try {
    database.run("PRAGMA journal_mode = MEMORY"); // A full disk has room for a lock.
    database.run("BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    if (faultOf(error) !== "busy") throw refusalToLock(file, error);
    throw dataLocked(`The data folder ${folder}`, `process ${pidIn(pidFile)}`, service);
  }
  tellWhoHolds(pidFile);
  return {
    release() {
      rmSync(pidFile, { force: true });
      database.close(true);
    },
  };
}

function refusalToLock(file: string, error: unknown): unknown {
  return faultOf(error) === "mistake" ? error : diskFailed(file, (error as Error).message, error);
}

/**
 * Creates a file for the owner of its folder only, unless it is there. Either way it can be written
 * afterwards: SQLite says no more than that it cannot open a file, the system says why.
 */
export function createPrivate(file: string, content = ""): void {
  let descriptor: number;
  try {
    descriptor = openSync(file, "wx", 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    closeSync(openSync(file, "r+"));
    return;
  }
  try {
    giveToOwnerOf(dirname(file), descriptor);
    writeSync(descriptor, utf8(content));
  } finally {
    closeSync(descriptor);
  }
}

/** A courtesy to whoever comes second; a full disk is no reason to stay away. */
function tellWhoHolds(pidFile: string): void {
  try {
    rmSync(pidFile, { force: true });
    createPrivate(pidFile, `${process.pid}\n`);
  } catch {
    return;
  }
}

function pidIn(file: string): string {
  try {
    return readFileSync(file, "utf8").trim() || "of unknown number";
  } catch {
    return "of unknown number";
  }
}

/** Keeps the folder of a node for one `node run`: two would count their heartbeats apart. */
export const nodeLock = defineModule({
  name: "node-lock",
  needs: ["files"],
  start({ files: { root } }, { defer }) {
    const lock = refusing(root, () => lockFolder(root, "galaxy-node"));
    defer(() => lock.release());
  },
});
