import { PoolError } from "@/std/errors.ts";

/** Seconds after which a caller may try again while the database takes no writes. */
export const RETRY_SECONDS = 5;

/** A row was not as the writer had read it, or its key is taken. */
export function conflict(cause?: unknown): PoolError {
  return new PoolError(
    "conflict",
    "database.conflict",
    "Somebody else changed this at the same time. Read it again and repeat.",
    {},
    cause,
  );
}

/** A rule of the schema (CHECK, NOT NULL, a foreign key, a trigger, a type) does not hold. */
export function checkFailed(rule: string, cause?: unknown): PoolError {
  const message = `A rule of the database does not allow this change: ${rule}.`;
  return new PoolError("precondition", "database.check", message, {}, cause);
}

/** The database takes no writes for now. */
export function readOnly(why: string, cause?: unknown): PoolError {
  const message = `The database takes no changes for now: ${why}.`;
  const details = { retryAfterSeconds: RETRY_SECONDS };
  return new PoolError("unavailable", "database.read_only", message, details, cause);
}

/** The database cannot be reached at all. */
export function unreachable(why: string, cause?: unknown): PoolError {
  const message = `The database cannot be reached: ${why}.`;
  const details = { retryAfterSeconds: RETRY_SECONDS };
  return new PoolError("unavailable", "database.unreachable", message, details, cause);
}

/** The server answers, and does not let this user in, or not do what it must. */
export function refused(why: string, cause?: unknown): PoolError {
  const message =
    `The database server refuses this pool: ${why}. ` +
    "Check user, password and database in database.url, and what that user may do.";
  return new PoolError("precondition", "database.refused", message, {}, cause);
}

/** More commits wait than may wait. */
export function tooManyCommits(): PoolError {
  const details = { retryAfterSeconds: 1 };
  const message = "Too many changes wait to be written. Try again in a moment.";
  return new PoolError("exhausted", "database.busy", message, details);
}

/** The data was written by a newer program. */
export function newerData(names: readonly string[]): PoolError {
  return new PoolError(
    "precondition",
    "database.newer",
    `The data was written by a newer version of galaxy-pool (it has ${names.join(", ")}). ` +
      "Install that version again, or restore a backup made by this one.",
  );
}

/** Another process works on the same data; the service is the one to stop. */
export function dataLocked(where: string, holder: string, service = "galaxy-pool"): PoolError {
  return new PoolError(
    "unavailable",
    "data.locked",
    `${where} is in use by ${holder}. Stop that one first (systemctl stop ${service}).`,
  );
}
