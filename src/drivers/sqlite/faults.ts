import { SQLiteError } from "bun:sqlite";

const UNIQUE = 2067;
const PRIMARY_KEY = 1555;
const ROWID = 2579;
/** The disk had no room for the index of the log; nothing was flushed, so nothing is uncertain. */
const SHM_SIZE = 4874;

/**
 * What an error of SQLite means for us. `full` and `busy` pass, after `failed` the handle must not be
 * used again, `mistake` is our own.
 */
export type Fault = "conflict" | "check" | "full" | "busy" | "failed" | "mistake";

/** CORRUPT and NOTADB. */
const DAMAGES = new Set([11, 26]);

const BY_PRIMARY_CODE: Readonly<Record<number, Fault>> = {
  5: "busy",
  6: "busy",
  8: "failed", // READONLY: the file system was remounted
  10: "failed", // IOERR
  11: "failed", // CORRUPT
  13: "full",
  14: "failed", // CANTOPEN
  19: "check", // CONSTRAINT
  26: "failed", // NOTADB
};

/** Tells the meaning of whatever SQLite threw. */
export function faultOf(error: unknown): Fault {
  if (!(error instanceof SQLiteError)) return "mistake";
  const { errno } = error;
  if (errno === UNIQUE || errno === PRIMARY_KEY || errno === ROWID) return "conflict";
  if (errno === SHM_SIZE) return "full";
  return BY_PRIMARY_CODE[errno & 0xff] ?? "mistake";
}

/** Whether the file itself is broken, or no database at all. */
export function isDamage(error: unknown): boolean {
  return error instanceof SQLiteError && DAMAGES.has(error.errno & 0xff);
}

/** Whether a fault concerns one commit only, not the transaction it shares with others. */
export function isOfOneCommit(fault: Fault): boolean {
  return fault === "conflict" || fault === "check" || fault === "mistake";
}
