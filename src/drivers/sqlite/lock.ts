import { Database } from "bun:sqlite";
import { closeSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { utf8 } from "@/std/bytes.ts";
import { giveToOwnerOf } from "../disk/owner.ts";
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
export function lockFolder(folder: string): FolderLock {
  const file = join(folder, "lock");
  const pidFile = join(folder, "lock.pid");
  createPrivate(file);
  const database = new Database(file, { readwrite: true });
  try {
    database.run("BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    if (faultOf(error) !== "busy") throw error;
    throw dataLocked(`The data folder ${folder}`, `process ${pidIn(pidFile)}`);
  }
  tellWhoHolds(pidFile);
  return {
    release() {
      rmSync(pidFile, { force: true });
      database.close(true);
    },
  };
}

/** Creates a file for the owner of its folder only, unless it is there. */
export function createPrivate(file: string, content = ""): void {
  let descriptor: number;
  try {
    descriptor = openSync(file, "wx", 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return;
    throw error;
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
