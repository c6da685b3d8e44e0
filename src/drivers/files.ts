import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join, normalize, resolve } from "node:path";
import { defineModule } from "@/kernel/module.ts";
import type { Files } from "@/ports/files.ts";
import { assert } from "@/std/assert.ts";
import { utf8 } from "@/std/bytes.ts";
import { giveToOwnerOf, makeOwnedFolder, refuseLinksOfOthers } from "./disk/owner.ts";
import { refusing } from "./disk/refusals.ts";
import { credentialOf, credentialsIn, refuseExposed } from "./disk/secrets.ts";

declare module "@/kernel/module.ts" {
  interface Services {
    files: Files;
  }
}

const TEMPORARY = ".new";

/**
 * The files below one folder, which is made when it is not there. Refuses what this user may not
 * touch (`data.denied`), what the disk does not take now (`disk.failed`), and secrets that everybody may
 * read (`data.exposed`). A secret that does not lie there is looked for among systemd's credentials.
 */
export function openFiles(
  folder: string,
  credentials = process.env["CREDENTIALS_DIRECTORY"],
): Files {
  const root = resolve(folder);
  refusing(root, () => fsyncMade(root, mkdirSync(root, { recursive: true, mode: 0o700 })));
  const read = (path: string) => refusing(path, () => readSecretly(root, path, credentials));
  return {
    root,
    read,
    readText(path) {
      const content = read(path);
      return content && new TextDecoder("utf-8", { fatal: true }).decode(content);
    },
    write: (path, content) => refusing(path, () => writeDurably(within(root, path), content)),
    list: (path) =>
      refusing(path, () => {
        const names = [...listOrNothing(within(root, path)), ...credentialsIn(path, credentials)];
        return [...new Set(names)].sort();
      }),
    remove: (path) => refusing(path, () => removeDurably(root, within(root, path))),
    freeBytes: () => freeBytes(root),
  };
}

/** Paths are ours, never a stranger's: one that leaves the folder is a mistake of this program. */
function within(root: string, path: string): string {
  const relative = normalize(path);
  assert(!relative.startsWith("..") && !relative.startsWith("/"), `${path} leaves the data folder`);
  const whole = join(root, relative);
  refuseLinksOfOthers(root, whole);
  return whole;
}

function readSecretly(root: string, path: string, credentials: string | undefined) {
  const file = within(root, path);
  refuseExposed(path, file);
  const found = readOrNothing(file);
  const credential = found === undefined ? credentialOf(path, credentials) : undefined;
  return credential === undefined ? found : readOrNothing(credential);
}

function readOrNothing(file: string): Uint8Array | undefined {
  return unlessMissing(() => new Uint8Array(readFileSync(file)), undefined);
}

function listOrNothing(folder: string): readonly string[] {
  const names = unlessMissing(() => readdirSync(folder), []);
  return names.filter((name) => !name.endsWith(TEMPORARY)).sort();
}

/** Written beside, fsynced, renamed, and the folder fsynced: a power cut leaves the old or the new. */
function writeDurably(file: string, content: Uint8Array | string): void {
  const folder = dirname(file);
  fsyncMade(folder, makeOwnedFolder(folder));
  const beside = join(folder, `.${basename(file)}${TEMPORARY}`);
  rmSync(beside, { force: true });
  try {
    writeFsynced(beside, typeof content === "string" ? utf8(content) : content);
    renameSync(beside, file);
  } catch (error) {
    rmSync(beside, { force: true });
    throw error;
  }
  fsyncFolder(folder);
}

function writeFsynced(file: string, content: Uint8Array): void {
  const descriptor = openSync(file, "wx", 0o600);
  try {
    giveToOwnerOf(dirname(file), descriptor);
    for (let at = 0; at < content.length; ) at += writeSync(descriptor, content, at);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function removeDurably(root: string, path: string): void {
  assert(path !== root, `${path} is the data folder`);
  rmSync(path, { recursive: true, force: true });
  unlessMissing(() => fsyncFolder(dirname(path)), undefined);
}

function fsyncFolder(folder: string): void {
  const descriptor = openSync(folder, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Every folder that was made, `first` and those below it, is also fsynced into its parent. */
function fsyncMade(folder: string, first: string | undefined): void {
  if (first === undefined) return;
  for (let made = folder; made.length >= first.length; made = dirname(made)) {
    fsyncFolder(dirname(made));
  }
}

function freeBytes(folder: string): number | null {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize;
  } catch {
    return null;
  }
}

function unlessMissing<Value>(look: () => Value, missing: Value): Value {
  try {
    return look();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return missing;
    throw error;
  }
}

/** Provides the data folder. */
export const files = defineModule({
  name: "files",
  needs: [],
  provides: "files",
  section: "storage",
  config: (t) =>
    t.Object({
      data_dir: t.String({
        default: "/var/lib/galaxy-pool",
        minLength: 1,
        description: "The folder that holds the database, the keys and the certificates.",
      }),
    }),
  start: (_services, { config }) => openFiles(config.data_dir),
});
