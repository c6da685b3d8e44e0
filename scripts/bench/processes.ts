import { readFileSync } from "node:fs";
import { createServer } from "node:net";

/** What the kernel says of a process. */

const TICK_MS = 10;

/** The time a process has kept cores busy, milliseconds. */
export function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

/** Its resident memory. */
export function residentBytes(pid: number): number {
  return figureOf(`/proc/${pid}/status`, "VmRSS") * 1024;
}

/** Bytes it caused to be written to a disk. */
export function writtenBytes(pid: number): number {
  return figureOf(`/proc/${pid}/io`, "write_bytes");
}

function figureOf(file: string, name: string): number {
  const match = new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(readFileSync(file, "utf8"));
  return Number(match?.[1]);
}

/** A TCP port that nobody listens on now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}

/** Waits until `look` finds something; fails after so long. */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined> | T | undefined,
  { withinMs = 30_000, everyMs = 50 } = {},
): Promise<T> {
  const endMs = performance.now() + withinMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > endMs) throw new Error(`${what} did not happen in ${withinMs} ms`);
    await Bun.sleep(everyMs);
  }
}
