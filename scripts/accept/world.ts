import type { Readme } from "./readme.ts";
import type { Release } from "./release.ts";
import type { Part } from "./report.ts";

/** What every part is given. */
export interface World {
  /** The folder with the scripts that boot real systems. */
  readonly harness: string;
  readonly release: Release;
  readonly readme: Readme;
  /** Leave machines and folders where they are at the end. */
  readonly keep: boolean;
  /** Begins the report of a part. */
  part(name: string): Part;
}
