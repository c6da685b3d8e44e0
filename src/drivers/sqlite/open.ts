import { Database } from "bun:sqlite";
import { dirname } from "node:path";
import { PoolError } from "@/std/errors.ts";
import { makeOwnedFolder } from "../disk/owner.ts";
import { diskFailed, refusing } from "../disk/refusals.ts";
import { faultOf, isDamage } from "./faults.ts";
import { createPrivate, type FolderLock, lockFolder } from "./lock.ts";

/** FULL keeps every acknowledged commit through a power cut; money.md §1.3 says why it must. */
const PRAGMAS = [
  "journal_mode = WAL",
  "synchronous = FULL",
  "journal_size_limit = 8388608",
  "foreign_keys = ON",
  "trusted_schema = OFF",
  "cell_size_check = ON",
  "temp_store = MEMORY",
  "busy_timeout = 0",
];

/** The path of a database that lives in memory and dies with its handle. */
export const IN_MEMORY = ":memory:";

/** An open database file, and the lock on its folder. */
export interface OpenFile {
  readonly connection: Database;
  readonly lock: FolderLock | undefined;
}

/**
 * Opens a file nobody else has open. Refuses one that is damaged (`data.damaged`), one this user may not
 * touch (`data.denied`), and a disk that does not take it now (`disk.failed`).
 */
export function openFile(path: string): OpenFile {
  if (path === IN_MEMORY) return { connection: openChecked(path), lock: undefined };
  return refusing(path, () => openAlone(path));
}

function openAlone(path: string): OpenFile {
  const folder = dirname(path);
  makeOwnedFolder(folder);
  const lock = lockFolder(folder);
  try {
    createPrivate(path);
    return { connection: openChecked(path), lock };
  } catch (error) {
    lock.release();
    throw error;
  }
}

function openChecked(path: string): Database {
  let connection: Database | undefined;
  try {
    connection = new Database(path, { readwrite: true, strict: true, safeIntegers: true });
    for (const pragma of PRAGMAS) connection.run(`PRAGMA ${pragma}`);
    check(connection, path);
    return connection;
  } catch (error) {
    connection?.close();
    throw refusalToOpen(path, error);
  }
}

/** Only what is wrong in the file itself needs a backup; all else is the disk's, and may pass. */
function refusalToOpen(path: string, error: unknown): unknown {
  const { message } = error as Error;
  if (isDamage(error)) return damaged(path, message, error);
  const fault = faultOf(error);
  return fault === "failed" || fault === "full" ? diskFailed(path, message, error) : error;
}

function check(connection: Database, path: string): void {
  const statement = connection.prepare("PRAGMA quick_check(1)");
  const found = statement.values().flat().join("; ");
  statement.finalize();
  if (found !== "ok") throw damaged(path, found);
}

function damaged(path: string, found: string, cause?: unknown): PoolError {
  return new PoolError(
    "precondition",
    "data.damaged",
    `The database ${path} cannot be used (${found}). ` +
      "Keep the file, check the disk, and restore the newest backup.",
    { path },
    cause,
  );
}
