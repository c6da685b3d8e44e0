import { readFileSync } from "node:fs";

/** How short memory is: `tight` sheds what can wait, `full` all but what keeps the pool alive. */
export type Level = "calm" | "tight" | "full";

const TIGHT_SHARE = 0.95;
const FULL_SHARE = 0.98;

/** What a process may know about its memory. */
export interface Memory {
  /** What is resident now, in bytes. */
  resident(): number;
  /** The most it may be; infinite where nothing limits it. */
  readonly limitBytes: number;
}

/** How short memory is at this moment. */
export function levelOf({ resident, limitBytes }: Memory): Level {
  if (limitBytes === Number.POSITIVE_INFINITY) return "calm";
  const share = resident() / limitBytes;
  if (share >= FULL_SHARE) return "full";
  return share >= TIGHT_SHARE ? "tight" : "calm";
}

/** The memory limit of the control group this process runs in; infinite where there is none. */
export function groupLimitBytes(root = ""): number {
  try {
    const line = readFileSync(`${root}/proc/self/cgroup`, "utf8").trim().split("\n").at(-1) ?? "";
    const group = line.startsWith("0::") ? line.slice(3) : "/";
    const limit = readFileSync(`${root}/sys/fs/cgroup${group}/memory.max`, "utf8").trim();
    return limit === "max" ? Number.POSITIVE_INFINITY : Number(limit);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
