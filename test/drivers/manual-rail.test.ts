import { describe, expect, test } from "bun:test";
import { readdirSync, statSync } from "node:fs";
import { temporaryFolder } from "#test/support/folder.ts";
import { nodeIdOf, poolIdOf } from "@/core/ids.ts";
import { openFiles } from "@/drivers/files.ts";
import { createManualRail } from "@/drivers/rails/manual.ts";
import type { RailBatch } from "@/ports/rail.ts";
import { utf8 } from "@/std/bytes.ts";

const batch: RailBatch = {
  id: "12",
  number: 12,
  pool: poolIdOf(utf8("pool")),
  asset: "USDT",
  sealedAt: 1,
  planHash: "ab",
  items: [{ id: 1, node: nodeIdOf(utf8("n")), name: "n", address: "bank, 1", amount: 10_000_000n }],
};

describe("the manual rail", () => {
  test("writes batch, table and sums beside each other, and they check", async () => {
    using folder = temporaryFolder();
    const rail = createManualRail(openFiles(folder.path));
    const sealed = rail.seal(batch);
    await rail.push(sealed);
    const names = ["batch-000012.csv", "batch-000012.json", "batch-000012.sha256"];
    expect(readdirSync(`${folder.path}/payouts`).sort()).toEqual(names);
    expect(rail.fileOf(batch)).toBe("payouts/batch-000012.json");
    const cwd = `${folder.path}/payouts`;
    const check = Bun.spawnSync(["sha256sum", "--check", "batch-000012.sha256"], { cwd });
    expect(check.exitCode).toBe(0);
    const json = await Bun.file(`${cwd}/batch-000012.json`).bytes();
    expect(Bun.SHA256.hash(json, "hex") as string).toBe(sealed.hash);
  });

  test("pushed again writes only what is missing or changed", async () => {
    using folder = temporaryFolder();
    const files = openFiles(folder.path);
    const rail = createManualRail(files);
    const sealed = rail.seal(batch);
    await rail.push(sealed);
    const inode = () => statSync(`${folder.path}/payouts/batch-000012.json`).ino;
    const before = inode();
    files.remove("payouts/batch-000012.csv");
    files.write("payouts/batch-000012.sha256", "");
    await rail.push(sealed);
    expect(inode()).toBe(before);
    expect(files.readText("payouts/batch-000012.csv")).toContain("bank, 1");
    expect(files.readText("payouts/batch-000012.sha256")).toContain(sealed.hash);
  });

  test("seals the same batch to the same bytes, and never knows by itself how it ended", async () => {
    using folder = temporaryFolder();
    const rail = createManualRail(openFiles(folder.path));
    expect(rail.seal(batch)).toEqual(rail.seal({ ...batch }));
    expect(await rail.settle(rail.seal(batch))).toEqual({ type: "wait" });
    expect(rail.feeEstimateMicroUsdt()).toBe(0n);
  });

  test.each([
    ["DE89 3704 0044 0532 0130 00", true],
    ["", false],
    [" x", false],
    ["a\nb", false],
    ["é", false],
    ["x".repeat(256), true],
    ["x".repeat(257), false],
  ])("takes the address %p: %p", (address, isGood) => {
    using folder = temporaryFolder();
    const rail = createManualRail(openFiles(folder.path));
    expect(rail.problemWith(address) === undefined).toBe(isGood);
  });
});
