import { fstatSync } from "node:fs";

/** The priorities of syslog that a program of ours speaks with. */
export const PRIORITY = { critical: 2, error: 3, warning: 4, info: 6, debug: 7 } as const;

/**
 * Whether a descriptor is the journal's: systemd says in JOURNAL_STREAM which device and inode that
 * is. Somebody may have redirected either output since.
 */
export function isJournal(
  descriptor: number,
  environment: NodeJS.ProcessEnv = process.env,
): boolean {
  const told = environment["JOURNAL_STREAM"];
  if (told === undefined) return false;
  try {
    const { dev, ino } = fstatSync(descriptor, { bigint: true });
    return told === `${dev}:${ino}`;
  } catch {
    return false;
  }
}

/** Every line with its priority in front, as the journal reads it. */
export function withPriority(priority: number, text: string): string {
  return text.replace(/^(?=.)/gm, `<${priority}>`);
}

/** Says something on standard error; to the journal as an error. */
export function complain(text: string): void {
  console.error(isJournal(2) ? withPriority(PRIORITY.error, text) : text);
}
