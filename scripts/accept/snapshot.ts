import type { Machine } from "./machine.ts";

/** What systemd and the machine itself write while they run; nothing of ours lies there. */
const MACHINE_STATE = [
  "/var/log",
  "/var/lib/systemd",
  "/var/tmp",
  "/var/cache/ldconfig",
  "/etc/.pwd.lock",
] as const;

/**
 * Every file of a machine's disk with its kind, mode, owner, size and SHA-256. Other file systems, such as
 * /proc, /sys, /run, /dev and /tmp, are not looked into, unless they are named.
 */
export class Snapshot {
  readonly #lines: ReadonlySet<string>;

  private constructor(lines: readonly string[]) {
    this.#lines = new Set(lines);
  }

  /** `without` are folders that may change, `also` are mounted ones to look into. */
  static async take(
    machine: Machine,
    { without = [], also = [] }: { without?: readonly string[]; also?: readonly string[] } = {},
  ): Promise<Snapshot> {
    const skipped = [...MACHINE_STATE, ...without].map((path) => `-path '${path}'`).join(" -o ");
    const find = `find / ${also.join(" ")} -xdev \\( ${skipped} \\) -prune -o`;
    const listed = await machine.read(
      `${find} -type f -printf 'f %m %U:%G %s %p\\n' -o -printf '%y %m %U:%G %p %l\\n'
       ${find} -type f -print0 | xargs -0 sha256sum`,
      { timeoutMs: 300_000 },
    );
    return new Snapshot(listed.split("\n"));
  }

  get size(): number {
    return this.#lines.size;
  }

  /** What is different now: `+` for what came, `-` for what went. */
  differences(now: Snapshot): readonly string[] {
    const came = [...now.#lines].filter((line) => !this.#lines.has(line));
    const went = [...this.#lines].filter((line) => !now.#lines.has(line));
    return [...came.map((line) => `+ ${line}`), ...went.map((line) => `- ${line}`)];
  }
}
