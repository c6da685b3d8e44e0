import { fchownSync, lchownSync, lstatSync, mkdirSync, statSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import { PoolError } from "@/std/errors.ts";

/**
 * What root makes in somebody else's folder belongs to that somebody: a command typed with sudo must
 * not leave files behind that the service cannot read. Whose it becomes is asked of the very folder it
 * lies in, so a link put there by the service gives away nothing elsewhere.
 */
export function giveToOwnerOf(folder: string, descriptor: number): void {
  asRoot(() => {
    const { uid, gid } = statSync(folder);
    if (uid !== 0) fchownSync(descriptor, uid, gid);
  });
}

/** Makes a folder and those above it, each with the owner of the one it lies in; answers the first made. */
export function makeOwnedFolder(folder: string): string | undefined {
  const first = mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (first === undefined) return undefined;
  const made: string[] = [];
  for (let one = folder; one.length >= first.length; one = dirname(one)) made.unshift(one);
  asRoot(() => {
    for (const one of made) {
      const { uid, gid } = statSync(dirname(one));
      if (uid !== 0) lchownSync(one, uid, gid);
    }
  });
  return first;
}

/**
 * In somebody else's folder root goes to `path` by folders and by links of root alone: a link that the
 * service put there may lead anywhere, and root may write and remove there (`data.denied`).
 */
export function refuseLinksOfOthers(root: string, path: string): void {
  if (process.getuid?.() !== 0) return;
  let folder = root;
  for (const part of dirname(path).slice(root.length).split(sep).filter(Boolean)) {
    folder = join(folder, part);
    const found = lstatSync(folder, { throwIfNoEntry: false });
    if (found?.isSymbolicLink() && found.uid !== 0) throw linkOfOthers(folder, found.uid);
  }
}

function linkOfOthers(link: string, uid: number): PoolError {
  const message =
    `${link} is a link that uid ${uid} put there; root does not follow it. ` +
    "Find out how it came there, and put the folder back in its place.";
  return new PoolError("denied", "data.denied", message);
}

/** Some file systems know no owners, and some roots may not give away: then it stays as it is. */
function asRoot(give: () => void): void {
  if (process.getuid?.() !== 0) return;
  try {
    give();
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (!["EPERM", "EINVAL", "ENOSYS", "EROFS"].includes(code)) throw error;
  }
}
