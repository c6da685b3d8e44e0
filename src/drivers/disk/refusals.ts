import { PoolError } from "@/std/errors.ts";

/** What stays so until a person does something. */
const DENIED = new Set([
  "EACCES",
  "EPERM",
  "ENOENT",
  "ENOTDIR",
  "EISDIR",
  "ENOTEMPTY",
  "EEXIST",
  "ELOOP",
  "ENAMETOOLONG",
]);
/** What may pass: a disk that is full, or away, or was mounted read-only after an error. */
const DISK_FAILED = new Set(["ENOSPC", "EDQUOT", "EROFS", "EIO", "ENODEV", "ENXIO", "ESTALE"]);
const RETRY_AFTER_SECONDS = 30;

/** Does something with a path; says in our words what the file system says of it. */
export function refusing<Value>(path: string, act: () => Value): Value {
  try {
    return act();
  } catch (error) {
    const { code = "", message } = error as NodeJS.ErrnoException;
    if (DENIED.has(code)) throw denied(path, message, error);
    if (DISK_FAILED.has(code)) throw diskFailed(path, message, error);
    throw error;
  }
}

function denied(path: string, why: string, cause: unknown): PoolError {
  const uid = process.getuid?.();
  const message =
    `${path} cannot be used by this user (uid ${uid}): ${why}. ` +
    `Give the data folder to it (chown -R ${uid}), run as its owner, or name another data folder.`;
  return new PoolError("denied", "data.denied", message, {}, cause);
}

/** The disk does not take it now; it may later. */
export function diskFailed(path: string, why: string, cause: unknown): PoolError {
  const message = `${path} cannot be written now: ${why}. Make room on the disk, or check it; nothing was changed.`;
  const details = { retryAfterSeconds: RETRY_AFTER_SECONDS };
  return new PoolError("unavailable", "disk.failed", message, details, cause);
}
