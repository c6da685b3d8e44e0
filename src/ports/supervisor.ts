/**
 * Whoever started this process and wants to know how it is: systemd, or nobody. What it is told is a
 * courtesy: telling never waits, never fails, and costs nothing where nobody listens.
 */
export interface Supervisor {
  /** The work can begin: every door is open. Also ends `reloading`. The line is for people. */
  ready(line: string): void;
  /** How it goes, in one line for people. */
  status(line: string): void;
  /** The configuration is being read anew; `ready` says that this is over. */
  reloading(): void;
  stopping(line: string): void;
  /**
   * Feeds the watchdog, if there is one, as long as `isServing` answers yes and in time. The answer
   * ends it.
   */
  feedWhile(isServing: () => boolean | Promise<boolean>): () => void;
}
