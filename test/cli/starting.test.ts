import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { typed } from "#test/support/command-line.ts";
import { temporaryFolder } from "#test/support/folder.ts";
import { postgresDatabase, postgresSkipped } from "#test/support/postgres.ts";
import { smallDisk } from "#test/support/small-disk.ts";
import { systemClock } from "@/drivers/clock.ts";
import { openSqlite } from "@/drivers/sqlite/database.ts";
import { lockFolder } from "@/drivers/sqlite/lock.ts";

/**
 * What ends with 3 or 70 is started again by systemd, because it may pass; 1 and 2 wait for a person
 * (RestartPreventExitStatus).
 */
const PASSES = 3;
const STAYS = 1;

const home = temporaryFolder();
const made = join(home.path, "made");
const config = join(home.path, "etc/pool.yaml");

beforeAll(async () => {
  process.env["GALAXY_POOL_CONFIG"] = config;
  await typed("init", "--data", made);
});

afterAll(() => {
  delete process.env["GALAXY_POOL_CONFIG"];
  home[Symbol.dispose]();
});

/** Tries to serve a copy of an installation, which must not come up; `harm` is done to it before. */
async function refusalOf(set: readonly string[], harm = (_data: string) => {}) {
  using folder = temporaryFolder();
  const data = join(folder.path, "pool");
  cpSync(made, data, { recursive: true });
  harm(data);
  return await serving(data, set);
}

async function serving(data: string, set: readonly string[]) {
  const ports = ["http.port=0", "http.secure_port=0", "server.address=127.0.0.1:0"];
  const settings = [...ports, "logging.level=error", ...set].flatMap((pair) => ["--set", pair]);
  const { code, stderr } = await typed("serve", "--data", data, ...settings);
  return { code, refusal: /code: (\S+)/.exec(stderr)?.[1] ?? stderr };
}

describe("a pool that cannot start", () => {
  test.each([
    ["http.port=PORT", "http.cannot_listen"],
    ["http.secure_port=PORT", "http.cannot_listen"],
    ["server.address=[::]:PORT", "grpc.cannot_listen"],
  ])("because of another program on %s tries again", async (set, refusal) => {
    const held = Bun.listen({ hostname: "::", port: 0, socket: { data() {} } });
    const said = [set.replace("PORT", String(held.port)), "http.address=::"];
    expect(await refusalOf(said)).toEqual({ code: PASSES, refusal });
    held.stop(true);
  });

  test.each([
    ["http.address=198.51.100.1", "http.cannot_listen"],
    ["server.address=198.51.100.1:0", "grpc.cannot_listen"],
  ])("because this host has not got its address yet (%s) tries again", async (set, refusal) => {
    expect(await refusalOf([set])).toEqual({ code: PASSES, refusal });
  });

  test("because another one works on its data tries again", async () => {
    const holder = (data: string) => {
      const path = join(data, "pool.db");
      const database = openSqlite({ path, clock: systemClock(), onFailed: () => {} });
      afterAll(() => database.close());
    };
    expect(await refusalOf([], holder)).toEqual({ code: PASSES, refusal: "data.locked" });
  });

  test("because its database server is away tries again", async () => {
    const set = ["database.url=postgres://u:p@127.0.0.1:9/db"];
    expect(await refusalOf(set)).toEqual({ code: PASSES, refusal: "database.unreachable" });
  });

  test.skipIf(postgresSkipped !== undefined)(
    "because its database server does not know it waits for a person",
    async () => {
      const url = (await postgresDatabase()).replace("galaxy@", "stranger@");
      const set = [`database.url=${url}`];
      expect(await refusalOf(set)).toEqual({ code: STAYS, refusal: "database.refused" });
    },
    30_000,
  );

  test("because its disk is full tries again", async () => {
    const disk = smallDisk(2);
    if (typeof disk === "string") return;
    using _ = disk;
    const data = join(disk.path, "pool");
    cpSync(made, data, { recursive: true });
    disk.fill();
    expect(await serving(data, [])).toEqual({ code: PASSES, refusal: "disk.failed" });
  });

  test.each<[string, string, (data: string) => void]>([
    ["was never made", "data.not_initialised", (data) => emptied(data)],
    ["lost a key", "data.damaged", (data) => rmSync(join(data, "keys/root.pem"))],
    [
      "has a broken database",
      "data.damaged",
      (data) => writeFileSync(join(data, "pool.db"), "x".repeat(5000)),
    ],
    ["has a folder for a database", "data.denied", (data) => mkdirSync(join(data, "pool.db"))],
    ["has a folder for a lock", "data.denied", (data) => mkdirSync(join(data, "lock"))],
  ])("because its folder %s waits for a person", async (_, refusal, harm) => {
    expect(await refusalOf([], harm)).toEqual({ code: STAYS, refusal });
  });

  test("because its data is gone waits for a person", async () => {
    const gone = join(home.path, "gone");
    await typed("init", "--data", gone);
    emptied(gone);
    expect(await serving(gone, [])).toEqual({ code: STAYS, refusal: "data.vanished" });
  });

  test.each([
    ["http.prot=1", "config.unknown_key"],
    ["http.port=many", "config.invalid"],
    ["http.address=", "config.invalid"],
    ["server.address=foo", "config.invalid"],
    ["server.tls.enabled=false", "config.tls_required"],
    ["poot.slot_seconds=7", "poot.slot_seconds"],
    ["logging.file=/proc/none/log", "logging.unwritable"],
  ])("because of its configuration (%s) waits for a person", async (set, refusal) => {
    expect(await refusalOf([set])).toEqual({ code: STAYS, refusal });
  });
});

describe("a node that cannot run", () => {
  test("does not fail for a full disk: it locks its folder all the same", () => {
    const disk = smallDisk(1);
    if (typeof disk === "string") return;
    using _ = disk;
    disk.fill();
    const lock = lockFolder(disk.path);
    expect(() => lockFolder(disk.path)).toThrow("is in use by process");
    lock.release();
  });

  const run = async (data: string) => {
    const { code, stderr } = await typed("node", "run", "--data", data);
    return { code, refusal: /code: (\S+)/.exec(stderr)?.[1] ?? stderr };
  };

  test("because it never joined waits for a person", async () => {
    using folder = temporaryFolder();
    expect(await run(folder.path)).toEqual({ code: STAYS, refusal: "node.not_joined" });
  });

  test("because another one runs in its folder tries again", async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "other.db");
    const other = openSqlite({ path, clock: systemClock(), onFailed: () => {} });
    expect(await run(folder.path)).toEqual({ code: PASSES, refusal: "data.locked" });
    await other.close();
  });

  test("because nobody knows a level of its log waits for a person", async () => {
    process.env["LOG_LEVEL"] = "loud";
    using folder = temporaryFolder();
    const ran = await run(folder.path).finally(() => {
      delete process.env["LOG_LEVEL"];
    });
    expect(ran).toEqual({ code: STAYS, refusal: "config.invalid" });
  });
});

function emptied(folder: string): void {
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true });
}
