import { describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "#test/support/folder.ts";
import { groupLimitBytes, levelOf } from "@/drivers/intake/pressure.ts";

describe("memory", () => {
  test.each([
    [949, "calm"],
    [950, "tight"],
    [979, "tight"],
    [980, "full"],
    [2_000, "full"],
  ] as const)("at %p of 1000 is %s", (bytes, level) => {
    expect(levelOf({ resident: () => bytes, limitBytes: 1_000 })).toBe(level);
  });

  test("without a limit is calm and is not looked at", () => {
    const resident = (): number => {
      throw new Error("looked");
    };
    expect(levelOf({ resident, limitBytes: Number.POSITIVE_INFINITY })).toBe("calm");
  });

  test.each([
    ["the limit of the unit", "0::/system.slice/pool.service", "536870912\n", 536_870_912],
    ["no limit", "0::/system.slice/pool.service", "max\n", Number.POSITIVE_INFINITY],
    ["the limit of a container", "0::/", "1024\n", 1_024],
  ])("finds %s", (_, line, limit, bytes) => {
    using folder = temporaryFolder();
    const group = join(folder.path, "sys/fs/cgroup", line.slice("0::".length));
    mkdirSync(join(folder.path, "proc/self"), { recursive: true });
    mkdirSync(group, { recursive: true });
    writeFileSync(join(folder.path, "proc/self/cgroup"), `${line}\n`);
    writeFileSync(join(group, "memory.max"), limit);
    expect(groupLimitBytes(folder.path)).toBe(bytes);
  });

  test("finds none where there are no control groups", () => {
    using folder = temporaryFolder();
    expect(groupLimitBytes(folder.path)).toBe(Number.POSITIVE_INFINITY);
  });
});
