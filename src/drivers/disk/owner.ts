import { fchownSync, lchownSync, mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";

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
