import { existsSync, readdirSync, readFileSync, statfsSync } from "node:fs";
import { hostname, networkInterfaces } from "node:os";
import { defineModule } from "@/kernel/module.ts";
import type { Clock } from "@/ports/clock.ts";
import type { Host, HostInventory, HostSample } from "@/ports/host.ts";

declare module "@/kernel/module.ts" {
  interface Services {
    host: Host;
  }
}

interface CpuTimes {
  readonly busy: number;
  readonly total: number;
}

const THROTTLED_NOW_BITS = 0xf;
const STA_UNSYNC = 0x40;

/** This board, read from /proc and /sys: no forks, some 50 µs a sample. What is not there is null. */
export function openHost(clock: Clock, dataDir: string, root = ""): Host {
  let before: CpuTimes | null = null;
  const text = (path: string): string | null => readText(`${root}${path}`);
  return {
    sample(): HostSample {
      const cpu = cpuTimes(text("/proc/stat"));
      const used = cpuUsed(before, cpu);
      before = cpu;
      return {
        atMs: clock.now(),
        cpuUsed: used,
        load1: firstNumber(text("/proc/loadavg")),
        ...memory(text("/proc/meminfo")),
        ...disk(dataDir),
        temperatureCelsius: temperature(root),
        throttled: throttled(root),
        ...network(text("/proc/net/dev")),
        writtenBytes: field(text("/proc/self/io"), "write_bytes"),
        residentBytes: kilobytes(text("/proc/self/status"), "VmRSS"),
      };
    },
    inventory: () => readInventory(text),
    names: boardNames,
    isClockSynchronised: () => synchronised(root),
  };
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

function firstNumber(text: string | null): number | null {
  const value = Number.parseFloat(text ?? "");
  return Number.isFinite(value) ? value : null;
}

function field(text: string | null, name: string): number | null {
  const match = new RegExp(`^${name}:\\s*(\\d+)`, "m").exec(text ?? "");
  return match ? Number(match[1]) : null;
}

function kilobytes(text: string | null, name: string): number | null {
  const value = field(text, name);
  return value === null ? null : value * 1024;
}

function cpuTimes(stat: string | null): CpuTimes | null {
  const numbers = /^cpu\s+([\d ]+)/m
    .exec(stat ?? "")?.[1]
    ?.split(" ")
    .map(Number);
  if (!numbers) return null;
  const total = numbers.slice(0, 8).reduce((sum, time) => sum + time, 0);
  return { total, busy: total - (numbers[3] ?? 0) - (numbers[4] ?? 0) };
}

function cpuUsed(before: CpuTimes | null, now: CpuTimes | null): number | null {
  if (!before || !now || now.total <= before.total) return null;
  return Math.min(1, Math.max(0, (now.busy - before.busy) / (now.total - before.total)));
}

function memory(text: string | null) {
  return {
    memoryTotalBytes: kilobytes(text, "MemTotal"),
    memoryAvailableBytes: kilobytes(text, "MemAvailable"),
  };
}

function disk(folder: string) {
  try {
    const { blocks, bavail, bsize } = statfsSync(folder);
    return { diskTotalBytes: blocks * bsize, diskFreeBytes: bavail * bsize };
  } catch {
    return { diskTotalBytes: null, diskFreeBytes: null };
  }
}

/** The hottest zone, as the kernel names them. */
function temperature(root: string): number | null {
  const folder = `${root}/sys/class/thermal`;
  if (!existsSync(folder)) return null;
  const readings = readdirSync(folder)
    .filter((name) => name.startsWith("thermal_zone"))
    .map((name) => firstNumber(readText(`${folder}/${name}/temp`)))
    .filter((reading) => reading !== null);
  return readings.length === 0 ? null : Math.max(...readings) / 1000;
}

/** The firmware of a Raspberry Pi says in bits 0 to 3 whether it throttles now. */
function throttled(root: string): boolean | null {
  const paths = [
    "/sys/devices/platform/soc/soc:firmware/get_throttled",
    "/sys/class/hwmon/hwmon1/in0_lcrit_alarm",
  ];
  const text = readText(`${root}${paths[0]}`);
  if (text !== null) return (Number.parseInt(text, 16) & THROTTLED_NOW_BITS) !== 0;
  const alarm = readText(`${root}${paths[1]}`);
  return alarm === null ? null : alarm.trim() === "1";
}

/** Bytes over all interfaces but the loopback. */
function network(text: string | null) {
  const lines = (text ?? "").split("\n").filter((line) => /^\s*[\w.-]+:/.test(line));
  const rows = lines.map((line) => line.trim().split(/[:\s]+/)).filter(([name]) => name !== "lo");
  if (text === null) return { networkReceivedBytes: null, networkSentBytes: null };
  const sum = (at: number): number => rows.reduce((all, row) => all + Number(row[at] ?? 0), 0);
  return { networkReceivedBytes: sum(1), networkSentBytes: sum(9) };
}

/** systemd-timesyncd leaves a file once it has synchronised; without it nobody says. */
function synchronised(root: string): boolean | null {
  if (existsSync(`${root}/run/systemd/timesync/synchronized`)) return true;
  const status = firstNumber(readText(`${root}/sys/kernel/timex/status`));
  return status === null ? null : (status & STA_UNSYNC) === 0;
}

function boardNames() {
  const name = hostname();
  const dnsNames = name.includes(".") ? [name] : [name, `${name}.local`];
  return { dnsNames, ipAddresses: interfaceAddresses() };
}

/** Without AF_NETLINK the call throws; then the board is reached by name only. */
function interfaceAddresses(): string[] {
  try {
    const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
    return all.filter(({ internal }) => !internal).map(({ address }) => address);
  } catch {
    return [];
  }
}

async function readInventory(text: (path: string) => string | null): Promise<HostInventory> {
  const { cpu, osInfo, system } = await import("systeminformation");
  const [board, processor, os] = await Promise.all([system(), cpu(), osInfo()]);
  const model = text("/proc/device-tree/model")?.replace(/\0/g, "").trim();
  const release = /^PRETTY_NAME="?([^"\n]+)/m.exec(text("/etc/os-release") ?? "")?.[1];
  return {
    model: known(model) ?? known([board.manufacturer, board.model].filter(Boolean).join(" ")),
    cpu: known(processor.brand),
    cores: processor.cores || null,
    distribution: known(release) ?? known(os.distro),
    kernel: known(text("/proc/sys/kernel/osrelease")?.trim()) ?? known(os.kernel),
    architecture: process.arch,
    hasClockChip: existsSync("/sys/class/rtc") ? readdirSync("/sys/class/rtc").length > 0 : null,
  };
}

function known(text: string | undefined): string | null {
  return text === undefined || text === "" || text === "unknown" ? null : text;
}

/** Provides `host`. */
export const host = defineModule({
  name: "host",
  needs: ["clock", "files"],
  provides: "host",
  start: ({ clock, files }) => openHost(clock, files.root),
});
