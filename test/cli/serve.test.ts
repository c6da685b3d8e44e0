import { afterEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { typed } from "#test/support/command-line.ts";
import { temporaryFolder } from "#test/support/folder.ts";
import { NotifyEnd } from "#test/support/notify-socket.ts";
import { until } from "#test/support/until.ts";

const ROOT = join(import.meta.dir, "../..");
const PORTS = ["http.port=0", "http.secure_port=0", "server.address=127.0.0.1:0"];
const VARIABLES = ["GALAXY_POOL_CONFIG", "NOTIFY_SOCKET", "WATCHDOG_USEC"];

afterEach(() => {
  for (const name of VARIABLES) delete process.env[name];
});

function textIn(file: string): string {
  return existsSync(file) ? readFileSync(file, "utf8") : "";
}

function settings(log: string): string[] {
  return [...PORTS, `logging.file=${log}`].flatMap((pair) => ["--set", pair]);
}

/** Serves until it is up and `meanwhile` is done; answers how it ended and what it logged. */
async function served(home: string, words: readonly string[], meanwhile = async () => {}) {
  const log = join(home, "log");
  rmSync(log, { force: true });
  const serving = typed("serve", ...words, ...settings(log));
  await until("the pool to be up", () => textIn(log).includes("is up"));
  await meanwhile();
  process.emit("SIGTERM");
  return { code: (await serving).code, said: textIn(log) };
}

async function initialised(home: string): Promise<string[]> {
  const where = ["--config", join(home, "pool.yaml"), "--data", join(home, "pool")];
  await typed("init", ...where);
  return where;
}

describe("serve", () => {
  test("comes up and stops in good order where it cannot say where it listens", async () => {
    using home = temporaryFolder();
    const where = await initialised(home.path);
    mkdirSync(join(home.path, "pool/listening.json"));
    writeFileSync(join(home.path, "pool/listening.json/taken"), "");
    const { code, said } = await served(home.path, where);
    expect([code, said]).toEqual([0, expect.stringContaining("the pool has stopped")]);
  });

  test("stops when it is told to while it starts", async () => {
    using home = temporaryFolder();
    const where = await initialised(home.path);
    const log = join(home.path, "log");
    const serving = typed("serve", ...where, ...settings(log));
    await until("somebody to listen", () => process.listenerCount("SIGTERM") > 0);
    process.emit("SIGTERM");
    expect((await serving).code).toBe(0);
    expect(textIn(log)).toContain("the pool has stopped");
    expect(existsSync(join(home.path, "pool/listening.json"))).toBe(false);
  });

  test("tells systemd that it is ready, how it goes, and that it stops", async () => {
    using home = temporaryFolder();
    using end = new NotifyEnd(join(home.path, "notify"));
    const where = await initialised(home.path);
    process.env["NOTIFY_SOCKET"] = end.name;
    process.env["WATCHDOG_USEC"] = "300000";
    const told: string[] = [];
    const hears = (what: string, count: number) =>
      until(what, () => {
        told.push(...end.taken());
        return told.filter((message) => message.startsWith(what)).length >= count;
      });
    const { code } = await served(home.path, where, async () => {
      await hears("READY=1\nSTATUS=0 of 0 nodes up; listening on http://127.0.0.1:", 1);
      await hears("WATCHDOG=1", 3);
      process.emit("SIGHUP");
      await hears("RELOADING=1\nMONOTONIC_USEC=", 1);
      await hears("READY=1", 2);
      writeFileSync(join(home.path, "pool.yaml"), "http: { prot: 1 }");
      process.emit("SIGHUP");
      await hears("READY=1\nSTATUS=the configuration was not reloaded", 1);
    });
    await hears("STOPPING=1", 1);
    expect([code, told[0]]).toEqual([0, expect.stringContaining("READY=1")]);
  });

  test("starves the watchdog while its own door does not open, and feeds it again", async () => {
    using home = temporaryFolder();
    using end = new NotifyEnd(join(home.path, "notify"));
    const log = join(home.path, "log");
    const words = ["serve", ...(await initialised(home.path)), ...settings(log)];
    const env = { ...process.env, NOTIFY_SOCKET: end.name, WATCHDOG_USEC: "300000" };
    const pool = Bun.spawn([process.execPath, "src/main.ts", ...words], { cwd: ROOT, env });
    const isFed = () => end.taken().includes("WATCHDOG=1");
    const openFiles = (most: string) =>
      Bun.spawnSync(["prlimit", "--pid", String(pool.pid), `--nofile=${most}:`]);
    await until("the watchdog to be fed", isFed);
    openFiles("3");
    await until("it to be seen", () => textIn(log).split("watchdog is not fed").length > 3);
    const last = textIn(log).split("watchdog is not fed").length;
    end.taken();
    await until("it to last", () => textIn(log).split("watchdog is not fed").length > last + 1);
    expect(isFed()).toBe(false);
    openFiles("1024");
    await until("the watchdog to be fed again", isFed);
    pool.kill("SIGTERM");
    expect(await pool.exited).toBe(0);
  }, 20_000);
});

describe("serve --init", () => {
  test("makes the installation once, and beside the data folder only the marker", async () => {
    using home = temporaryFolder();
    process.env["GALAXY_POOL_CONFIG"] = join(home.path, "etc/pool.yaml");
    const words = ["--init", "--data", join(home.path, "pool")];
    const first = await served(home.path, words);
    expect([first.code, first.said]).toEqual([0, expect.stringContaining("ca_pin")]);
    const keys = textIn(join(home.path, "pool/keys/installation"));
    const again = await served(home.path, words);
    expect([again.code, again.said]).toEqual([0, expect.not.stringContaining("ca_pin")]);
    expect(textIn(join(home.path, "pool/keys/installation"))).toBe(keys);
    expect(readdirSync(join(home.path, "etc"))).toEqual([expect.stringContaining("initialised-")]);
  });

  test("needs no other folder to write into", async () => {
    using home = temporaryFolder();
    writeFileSync(join(home.path, "file"), "");
    process.env["GALAXY_POOL_CONFIG"] = join(home.path, "file/pool.yaml");
    const { code } = await served(home.path, ["--init", "--data", join(home.path, "pool")]);
    expect(code).toBe(0);
  });

  test("goes on where it was cut off, and never replaces what a pool has lost", async () => {
    using home = temporaryFolder();
    process.env["GALAXY_POOL_CONFIG"] = join(home.path, "etc/pool.yaml");
    const words = ["--init", "--data", join(home.path, "pool")];
    mkdirSync(join(home.path, "pool/keys"), { recursive: true });
    expect((await served(home.path, words)).code).toBe(0);
    rmSync(join(home.path, "pool/keys"), { recursive: true });
    const ran = await typed("serve", ...words, ...settings(join(home.path, "log")));
    expect([ran.code, ran.stderr]).toEqual([1, expect.stringContaining("code: ")]);
  });
});
