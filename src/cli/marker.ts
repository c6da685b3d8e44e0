import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { toHex, utf8 } from "@/std/bytes.ts";
import { sha256 } from "@/std/crypto.ts";
import { PoolError } from "@/std/errors.ts";
import { writeWholeFile } from "./whole-file.ts";

/** What `init` leaves beside the configuration, so that an unmounted disk is not mistaken for a new pool. */
interface Marker {
  readonly data_dir: string;
  readonly installation_id: string;
  readonly initialised_at: string;
}

/** The file that says that a data folder was initialised; one for each folder. */
export function markerPath(configFile: string, dataDir: string): string {
  const name = toHex(sha256(utf8(dataDir))).slice(0, 12);
  return join(dirname(configFile), `initialised-${name}.json`);
}

/** Leaves the marker. */
export function leaveMarker(configFile: string, dataDir: string, installationId: string): void {
  const path = markerPath(configFile, dataDir);
  const marker: Marker = {
    data_dir: dataDir,
    installation_id: installationId,
    initialised_at: new Date().toISOString(),
  };
  writeWholeFile(path, `${JSON.stringify(marker, null, 2)}\n`);
}

/** Refuses an empty data folder whose marker says that it should not be empty (`data.vanished`). */
export function requireNotVanished(configFile: string, dataDir: string): void {
  const path = markerPath(configFile, dataDir);
  if (!existsSync(path) || !isEmpty(dataDir)) return;
  const { installation_id, initialised_at } = JSON.parse(readFileSync(path, "utf8")) as Marker;
  throw new PoolError(
    "precondition",
    "data.vanished",
    `The data folder ${dataDir} is empty, but it was initialised on ${initialised_at} (installation ${installation_id}). ` +
      `Is its disk mounted? If the data is really gone and you want a new, empty pool, remove ${path} and run "galaxy-pool init".`,
  );
}

function isEmpty(folder: string): boolean {
  return !namesIn(folder).some((name) => name !== "lost+found");
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return [];
    throw new PoolError(
      "denied",
      "data.denied",
      `The data folder ${folder} cannot be read by this user: ${message}. Run as its owner, or name another with --data.`,
      {},
      error,
    );
  }
}
