import type { Machine } from "./machine.ts";
import { demand } from "./report.ts";

const SECTOR_BYTES = 512;
const GROUP = "/sys/fs/cgroup/system.slice/galaxy-pool.service";

/** What the kernel says the pool uses, and what has been written to the disk under it. */
export interface Usage {
  readonly atMs: number;
  readonly pid: number;
  readonly residentBytes: number;
  readonly residentPeakBytes: number;
  /** What the cgroup is charged with, and the most it ever was. */
  readonly groupBytes: number;
  readonly groupPeakBytes: number;
  readonly oomKills: number;
  readonly tasks: number;
  /** Bytes this process caused to be written, and those written to the whole disk. */
  readonly writtenBytes: number;
  readonly diskBytes: number;
}

/** Everything is read in one go, because each command takes an emulated board a while. */
export async function usageOf(machine: Machine, pid: number): Promise<Usage> {
  const text = await machine.read(
    `cat /proc/${pid}/status /proc/${pid}/io
     cd ${GROUP} && grep -H . memory.current memory.peak memory.events pids.current
     grep ' vda ' /proc/diskstats`,
  );
  const figure = (pattern: RegExp): number => {
    const found = pattern.exec(text)?.[1];
    demand(found !== undefined, `${pattern} to be told`, text);
    return Number(found);
  };
  return {
    atMs: performance.now(),
    pid,
    residentBytes: figure(/^VmRSS:\s+(\d+)/m) * 1024,
    residentPeakBytes: figure(/^VmHWM:\s+(\d+)/m) * 1024,
    groupBytes: figure(/^memory\.current:(\d+)/m),
    groupPeakBytes: figure(/^memory\.peak:(\d+)/m),
    oomKills: figure(/^memory\.events:oom_kill (\d+)/m),
    tasks: figure(/^pids\.current:(\d+)/m),
    writtenBytes: figure(/^write_bytes: (\d+)/m),
    diskBytes: figure(/ vda \d+ \d+ \d+ \d+ \d+ \d+ (\d+)/) * SECTOR_BYTES,
  };
}
