/** What tells this machine from others. */
export interface Machine {
  /**
   * Its marks by kind: `board` is burnt into the board, `system` belongs to the installed system and is
   * copied with its disk. What cannot be known is left out, and in a container nothing is.
   */
  marks(): Readonly<Partial<Record<MachineMark, string>>>;
}

/** The kinds of marks, the one that says most first. */
export type MachineMark = "board" | "system";
