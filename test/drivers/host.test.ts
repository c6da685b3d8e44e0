import { describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { TestClock } from "#test/support/clock.ts";
import { temporaryFolder } from "#test/support/folder.ts";
import { openHost } from "@/drivers/host.ts";

const BOARD: Readonly<Record<string, string>> = {
  "proc/stat": "cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 100 0 100 800 0 0 0 0 0 0\n",
  "proc/loadavg": "0.52 0.58 0.59 1/467 12345\n",
  "proc/meminfo": "MemTotal:        1000 kB\nMemFree:  1 kB\nMemAvailable:     400 kB\n",
  "proc/net/dev": [
    "Inter-|   Receive                                                |  Transmit",
    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets",
    "    lo:    999       1    0    0    0     0          0         0      999       1    0    0    0     0       0          0",
    "  eth0:   1500       2    0    0    0     0          0         0      700       3    0    0    0     0       0          0",
    " wlan0: 500 2 0 0 0 0 0 0 300 3 0 0 0 0 0 0",
  ].join("\n"),
  "proc/self/io": "rchar: 1\nwchar: 2\nwrite_bytes: 4096\n",
  "proc/self/status": "Name: pool\nVmRSS:\t   2048 kB\n",
  "sys/class/thermal/thermal_zone0/temp": "41500\n",
  "sys/class/thermal/thermal_zone1/temp": "48250\n",
  "sys/devices/platform/soc/soc:firmware/get_throttled": "50005\n",
};

function write(root: string, files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}

describe("a sample of this board", () => {
  test("reads what the kernel says", () => {
    using folder = temporaryFolder();
    write(folder.path, BOARD);
    expect(openHost(new TestClock(7), folder.path, folder.path).sample()).toMatchObject({
      atMs: 7,
      load1: 0.52,
      memoryTotalBytes: 1_024_000,
      memoryAvailableBytes: 409_600,
      temperatureCelsius: 48.25,
      throttled: true,
      networkReceivedBytes: 2_000,
      networkSentBytes: 1_000,
      writtenBytes: 4_096,
      residentBytes: 2_097_152,
    });
  });

  test("knows the use of the processor only from the second one on", () => {
    using folder = temporaryFolder();
    write(folder.path, BOARD);
    const host = openHost(new TestClock(), folder.path, folder.path);
    expect(host.sample().cpuUsed).toBeNull();
    write(folder.path, { "proc/stat": "cpu  125 0 125 850 0 0 0 0 0 0\n" });
    expect(host.sample().cpuUsed).toBe(0.5);
  });

  test("says null, never zero, for what cannot be known", () => {
    using folder = temporaryFolder();
    const sample = openHost(new TestClock(), "/nowhere/at/all", folder.path).sample();
    const { atMs, ...rest } = sample;
    expect(new Set(Object.values(rest))).toEqual(new Set([null]));
  });

  test("sees a board that does not throttle itself now, though it once did", () => {
    using folder = temporaryFolder();
    write(folder.path, { "sys/devices/platform/soc/soc:firmware/get_throttled": "50000\n" });
    expect(openHost(new TestClock(), folder.path, folder.path).sample().throttled).toBe(false);
  });

  test("is true of the machine this runs on", () => {
    const host = openHost(new TestClock(), "/tmp");
    const { memoryTotalBytes, diskFreeBytes, residentBytes } = host.sample();
    expect(
      [memoryTotalBytes, diskFreeBytes, residentBytes].every((value) => Number(value) > 0),
    ).toBe(true);
  });
});

describe("a board", () => {
  test("is reached by names and addresses that are not the loopback's", () => {
    const { dnsNames, ipAddresses } = openHost(new TestClock(), "/tmp").names();
    expect(dnsNames.length).toBeGreaterThan(0);
    expect(ipAddresses).not.toContain("127.0.0.1");
  });

  test("says what it is", async () => {
    const inventory = await openHost(new TestClock(), "/tmp").inventory();
    expect(inventory.architecture).toBe(process.arch);
    expect(inventory.kernel).toMatch(/^\d+\./);
  });
});
