import { expect, test } from "bun:test";
import { join } from "node:path";
import pino from "pino";
import { temporaryFolder } from "#test/support/folder.ts";
import { postgresServer, postgresSkipped } from "#test/support/postgres.ts";
import { clock } from "@/drivers/clock.ts";
import { files } from "@/drivers/files.ts";
import { postgres } from "@/drivers/postgres/module.ts";
import { random } from "@/drivers/random.ts";
import { isPostgresUrl } from "@/drivers/sql/settings.ts";
import { sqlite } from "@/drivers/sqlite/module.ts";
import { configKeys, configure } from "@/kernel/config.ts";
import { Kernel } from "@/kernel/kernel.ts";

function started(folder: string, settings: Readonly<Record<string, string>>) {
  const driver = isPostgresUrl(settings["database.url"] ?? "") ? postgres : sqlite;
  const modules = [driver, files, clock, random];
  const values = new Map(Object.entries({ "storage.data_dir": folder, ...settings }));
  const configuration = configure(configKeys(modules), [{ origin: () => "test", values }]);
  return Kernel.start(modules, { log: pino({ level: "silent" }), configuration });
}

test("a pool that is told nothing keeps its data in one file of its data folder", async () => {
  using folder = temporaryFolder();
  const kernel = await started(folder.path, {});
  const database = kernel.service("database");
  expect(database.kind).toBe("sqlite");
  await database.migrate([{ name: "x/0001", statements: ["CREATE TABLE x (y {int}) {strict}"] }]);
  expect(kernel.service("files").list(".")).toContain("pool.db");
  expect(kernel.service("random").bytes(16)).toHaveLength(16);
  expect(kernel.service("clock").now()).toBeGreaterThan(0);
  await expect(started(folder.path, {})).rejects.toMatchObject({ code: "data.locked" });
  await kernel.stop();
  const path = join(folder.path, "elsewhere", "other.db");
  const other = await started(folder.path, { "database.url": `sqlite:${path}` });
  expect((await other.service("database").schema()).applied).toEqual([]);
  await other.stop();
});

test.skipIf(postgresSkipped !== undefined)("a URL of PostgreSQL leads there", async () => {
  using folder = temporaryFolder();
  const { url } = await postgresServer();
  const kernel = await started(folder.path, { "database.url": url });
  expect(kernel.service("database").kind).toBe("postgres");
  await kernel.stop();
});

test("a URL of anything else is refused", () => {
  using folder = temporaryFolder();
  expect(() => started(folder.path, { "database.url": "mongodb://x" })).toThrow("database.url");
});
