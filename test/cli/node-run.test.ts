import { afterEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { typed } from "#test/support/command-line.ts";
import { NotifyEnd } from "#test/support/notify-socket.ts";
import { until } from "#test/support/until.ts";
import { AgentWorld, operator } from "../modules/agent/world.ts";

const ROOT = join(import.meta.dir, "../..");

afterEach(() => {
  for (const name of ["NOTIFY_SOCKET", "WATCHDOG_USEC", "LOG_LEVEL"]) delete process.env[name];
});

/** Runs the node of a folder under something that listens as systemd does. */
async function running(folder: string, meanwhile: (hears: Hears) => Promise<void>) {
  using end = new NotifyEnd(join(folder, "notify"));
  const watched = { NOTIFY_SOCKET: end.name, WATCHDOG_USEC: "150000" };
  Object.assign(process.env, { ...watched, LOG_LEVEL: "error" });
  const told: string[] = [];
  const hears = (what: string): Promise<unknown> =>
    until(what, () => {
      told.push(...end.taken());
      const at = told.findIndex((message) => message.includes(what));
      return at >= 0 && told.splice(0, at + 1);
    });
  const ran = typed("node", "run", "--data", folder);
  await meanwhile(hears);
  process.emit("SIGTERM");
  await hears("STOPPING=1\nSTATUS=the node is stopping");
  return await ran;
}

type Hears = (what: string) => Promise<unknown>;

describe("node run", () => {
  test("is ready although its pool does not answer, and says why it is not connected", async () => {
    await using world = await AgentWorld.start();
    const { files } = await world.member();
    await world.close();
    const { code } = await running(files.root, async (hears) => {
      await hears("READY=1\nSTATUS=connecting to the pool");
      await hears("STATUS=not connected: ");
      await hears("WATCHDOG=1");
      await hears("WATCHDOG=1");
    });
    expect(code).toBe(0);
  });

  test("connects, and anew when it is told to reload", async () => {
    await using world = await AgentWorld.start();
    const { files } = await world.member();
    const { code } = await running(files.root, async (hears) => {
      await hears(`STATUS=connected to ${world.address}`);
      process.emit("SIGHUP");
      await hears("RELOADING=1\nMONOTONIC_USEC=");
      await hears("READY=1");
      await hears(`STATUS=connected to ${world.address}`);
    });
    expect(code).toBe(0);
  });

  test.each([
    ["debug", ["told to stop", "not connected to the pool; trying again"]],
    ["WARN", ["not connected to the pool; trying again"]],
    ["ERROR", []],
  ])("logs as much as LOG_LEVEL=%s says", async (LOG_LEVEL, sentences) => {
    await using world = await AgentWorld.start();
    const { files } = await world.member();
    await world.close();
    using end = new NotifyEnd(join(files.root, "notify"));
    const words = ["src/main.ts", "node", "run", "--data", files.root];
    const env = { ...process.env, LOG_LEVEL, NOTIFY_SOCKET: end.name };
    const ran = Bun.spawn([process.execPath, ...words], { cwd: ROOT, env, stderr: "pipe" });
    await until("the node to try", () => end.taken().some((one) => one.includes("not connected")));
    ran.kill("SIGTERM");
    const said = await ran.stderr.text();
    expect([await ran.exited, sentences.filter((one) => !said.includes(one))]).toEqual([0, []]);
    if (sentences.length === 0) expect(said).toBe("");
  });

  test("is refused beside another one, and leaves that one alone", async () => {
    await using world = await AgentWorld.start();
    const { files } = await world.member();
    const first = await running(files.root, async (hears) => {
      await hears("READY=1");
      const second = await typed("node", "run", "--data", files.root);
      expect([second.code, second.stderr]).toEqual([3, expect.stringContaining("data.locked")]);
      expect(second.stderr).toContain(`process ${process.pid}`);
    });
    expect(first.code).toBe(0);
  });

  test("ends with 1 once an operator has removed the node", async () => {
    await using world = await AgentWorld.start();
    const { files, id } = await world.member();
    await world.registry.remove(operator, id);
    const ran = await typed("node", "run", "--data", files.root);
    expect([ran.code, ran.stderr]).toEqual([1, expect.stringContaining("node.removed")]);
  });
});
