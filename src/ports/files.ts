/** The data folder of a pool or a node. Paths are relative to it; files are 0600, folders 0700. */
export interface Files {
  readonly root: string;
  read(path: string): Uint8Array | undefined;
  readText(path: string): string | undefined;
  /** Writes beside, fsyncs, renames: afterwards it is wholly there or wholly as before. */
  write(path: string, content: Uint8Array | string): void;
  list(folder: string): readonly string[];
  remove(path: string): void;
  /** Free bytes where the folder lies, null when it cannot be known. */
  freeBytes(): number | null;
}
