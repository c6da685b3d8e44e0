import { existsSync, lstatSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { PoolError } from "@/std/errors.ts";

/** What of a data folder is a key or a token. */
const SECRET = /^(?:keys\/.+|operator\.token|node\.key)$/;
const OTHERS = 0o007;

/** Refuses a key or token that any user of this machine may read or change (`data.exposed`). */
export function refuseExposed(path: string, file: string): void {
  if (!SECRET.test(path)) return;
  const found = statSync(file, { throwIfNoEntry: false });
  if (!found?.isFile() || (found.mode & OTHERS) === 0) return;
  const mode = (found.mode & 0o777).toString(8).padStart(4, "0");
  throw new PoolError(
    "denied",
    "data.exposed",
    `${file} is secret, but every user of this machine may read or change it (mode ${mode}). ` +
      `Run "chmod 600 ${file}", and think about who may have seen it: a token is replaced by a new one, ` +
      "a key by its rotation.",
  );
}

/**
 * Where systemd put the credential of a path, if there is one: `keys/root.pem` is `keys_root.pem`, as
 * LoadCredential= names the files of a folder.
 */
export function credentialOf(path: string, folder: string | undefined): string | undefined {
  if (folder === undefined || !SECRET.test(path)) return undefined;
  const file = join(folder, path.replaceAll("/", "_"));
  return existsSync(file) ? file : undefined;
}

/** The names in a folder of secrets that systemd holds: files, and the folders they lie in. */
export function credentialsIn(path: string, folder: string | undefined): string[] {
  if (folder === undefined || !SECRET.test(`${path}/x`) || !existsSync(folder)) return [];
  const prefix = `${path.replaceAll("/", "_")}_`;
  return readdirSync(folder)
    .filter((name) => name.startsWith(prefix) && lstatSync(join(folder, name)).isFile())
    .map((name) => name.slice(prefix.length));
}
