import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { type Logger, pino } from "pino";
import { settled, TestClock } from "#test/support/clock.ts";
import { temporaryFolder } from "#test/support/folder.ts";
import { NotifyEnd } from "#test/support/notify-socket.ts";
import { systemClock } from "@/drivers/clock.ts";
import { openSupervisor } from "@/drivers/supervisor.ts";

const ROOT = join(import.meta.dir, "../..");
const PID = 4711;
const WATCHDOG_MS = 30_000;

interface World extends Disposable {
  readonly end: NotifyEnd;
  readonly clock: TestClock;
  readonly warnings: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
  open(): ReturnType<typeof openSupervisor>;
}

function world(more: NodeJS.ProcessEnv = {}, name?: string): World {
  const folder = temporaryFolder();
  const end = new NotifyEnd(name ?? join(folder.path, "notify"));
  const clock = new TestClock();
  const warnings: string[] = [];
  const environment = { PATH: "/bin", NOTIFY_SOCKET: end.name, ...more };
  return {
    end,
    clock,
    warnings,
    environment,
    open: () => openSupervisor({ clock, log: logInto(warnings), environment, pid: PID }),
    [Symbol.dispose]() {
      end[Symbol.dispose]();
      folder[Symbol.dispose]();
    },
  };
}

function logInto(warnings: string[]): Logger {
  return pino({ level: "warn" }, { write: (line) => void warnings.push(JSON.parse(line).msg) });
}

const WATCHED = { WATCHDOG_USEC: String(WATCHDOG_MS * 1000), WATCHDOG_PID: String(PID) };

describe("systemd", () => {
  test.each([
    ["a path", undefined],
    ["an abstract name", `@galaxy-pool-test-${process.pid}`],
  ])("is told every change over %s", (_, name) => {
    using at = world({}, name);
    using supervisor = at.open();
    supervisor.ready("listening on 127.0.0.1");
    supervisor.status("3 nodes up");
    supervisor.reloading();
    supervisor.ready("again");
    supervisor.stopping("bye");
    expect(at.end.taken()).toEqual([
      "READY=1\nSTATUS=listening on 127.0.0.1",
      "STATUS=3 nodes up",
      expect.stringMatching(/^RELOADING=1\nMONOTONIC_USEC=\d+$/),
      "READY=1\nSTATUS=again",
      "STOPPING=1\nSTATUS=bye",
    ]);
  });

  test("is told the time its own clock shows", () => {
    using at = world();
    using supervisor = at.open();
    supervisor.reloading();
    const [told = ""] = at.end.taken();
    const uptime = Bun.spawnSync(["cat", "/proc/uptime"]).stdout.toString().split(" ")[0];
    const seconds = Number(/USEC=(\d+)/.exec(told)?.[1]) / 1e6;
    expect(Math.abs(seconds - Number(uptime))).toBeLessThan(60);
  });

  test("hears one line, whatever a name holds", () => {
    using at = world();
    using supervisor = at.open();
    supervisor.status("the pool\nREADY=1\tis\u0007 up");
    expect(at.end.taken()).toEqual(["STATUS=the pool READY=1 is  up"]);
  });

  test("is nobody to our children", () => {
    using at = world(WATCHED);
    using _ = at.open();
    expect(at.environment).toEqual({ PATH: "/bin" });
  });

  test("need not be there", () => {
    const warnings: string[] = [];
    const clock = new TestClock();
    using supervisor = openSupervisor({ clock, log: logInto(warnings), environment: {}, pid: 1 });
    supervisor.ready("up");
    supervisor.feedWhile(() => true)();
    expect([warnings, clock.waiting]).toEqual([[], 0]);
  });

  test.each(["vsock:2:1234", "relative", `/${"x".repeat(108)}`])(
    "cannot be told over %s, which is one warning",
    (name) => {
      using at = world();
      at.environment["NOTIFY_SOCKET"] = name;
      using supervisor = at.open();
      supervisor.ready("up");
      supervisor.status("fine");
      expect(at.warnings).toHaveLength(1);
    },
  );

  test("cannot be told where memory may not be both written and executed", async () => {
    const script = `
      import pino from "pino";
      import { systemClock } from "@/drivers/clock.ts";
      import { openSupervisor } from "@/drivers/supervisor.ts";
      const environment = { NOTIFY_SOCKET: "@none", WATCHDOG_USEC: "1000" };
      const supervisor = openSupervisor({ clock: systemClock(), log: pino(), environment, pid: 1 });
      supervisor.ready("up");
      supervisor.feedWhile(() => true)();`;
    const env = { ...process.env, BUN_JSC_useJIT: "0" };
    const ran = Bun.spawn([process.execPath, "-e", script], { cwd: ROOT, env });
    const lines = (await ran.stdout.text()).trim().split("\n");
    expect([await ran.exited, lines.map((line) => JSON.parse(line).problem)]).toEqual([
      0,
      [expect.stringContaining("JIT")],
    ]);
  });

  test("may be gone: one warning, and after a while no more tries", async () => {
    using at = world();
    at.environment["NOTIFY_SOCKET"] = `${at.end.name}-gone`;
    using supervisor = at.open();
    for (let line = 0; line < 20; line++) supervisor.status(`${line}`);
    await at.clock.pass(60_000, 250);
    expect([at.warnings.length, at.clock.waiting]).toEqual([1, 0]);
  });

  test("may be slow: nothing waits for it, and readiness reaches it later", () => {
    using at = world();
    using supervisor = at.open();
    at.environment["NOTIFY_SOCKET"] = at.end.name;
    using other = at.open();
    for (let line = 0; line < 5_000; line++) other.status("x");
    supervisor.ready("up");
    expect(at.warnings).toHaveLength(2);
    at.end.taken();
    at.clock.advance(250);
    expect(at.end.taken()).toContain("READY=1\nSTATUS=up");
  });
});

describe("the watchdog", () => {
  const fed = (at: World) => at.end.taken().filter((message) => message === "WATCHDOG=1").length;

  test("is fed at a third of its patience", async () => {
    using at = world(WATCHED);
    using supervisor = at.open();
    supervisor.feedWhile(() => true);
    await settled();
    expect(fed(at)).toBe(1);
    await at.clock.pass(WATCHDOG_MS, 1_000);
    expect(fed(at)).toBe(3);
  });

  test.each([
    ["says no", () => false],
    ["fails", () => Promise.reject(new Error("no"))],
    ["never answers", () => new Promise<boolean>(() => {})],
  ])("is not fed while the process %s", async (_, isServing) => {
    using at = world(WATCHED);
    using supervisor = at.open();
    supervisor.feedWhile(isServing);
    await at.clock.pass(WATCHDOG_MS, 1_000);
    expect(fed(at)).toBe(0);
  });

  test("is fed again once the process answers again", async () => {
    using at = world(WATCHED);
    using supervisor = at.open();
    let isFine = false;
    supervisor.feedWhile(() => isFine);
    await at.clock.pass(WATCHDOG_MS / 3);
    isFine = true;
    await at.clock.pass(WATCHDOG_MS / 3);
    expect(fed(at)).toBe(1);
  });

  test("is fed soon after a knock that a stall of half its patience spoilt", async () => {
    using at = world(WATCHED);
    using supervisor = at.open();
    let isFine = true;
    const stop = supervisor.feedWhile(() => isFine);
    await settled();
    isFine = false;
    await at.clock.pass(WATCHDOG_MS / 3);
    isFine = true;
    expect(fed(at)).toBe(1);
    await at.clock.pass(WATCHDOG_MS / 30);
    expect(fed(at)).toBe(1);
    isFine = false;
    await at.clock.pass(WATCHDOG_MS, 1_000);
    stop();
    expect(at.clock.waiting).toBe(0);
  });

  test.each([
    ["is another process's", { ...WATCHED, WATCHDOG_PID: "1" }],
    ["is none", {}],
    ["makes no sense", { WATCHDOG_USEC: "soon" }],
  ])("is left alone where it %s", async (_, environment) => {
    using at = world(environment);
    using supervisor = at.open();
    supervisor.feedWhile(() => true);
    await at.clock.pass(WATCHDOG_MS);
    expect(fed(at)).toBe(0);
  });

  test("starves when the event loop stalls", async () => {
    using at = world({ ...WATCHED, WATCHDOG_USEC: "30000" });
    const { environment } = at;
    const log = logInto([]);
    using supervisor = openSupervisor({ clock: systemClock(), log, environment, pid: PID });
    const stop = supervisor.feedWhile(() => true);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(fed(at)).toBeGreaterThan(1);
    for (const endMs = performance.now() + 100; performance.now() < endMs; );
    expect(fed(at)).toBe(0);
    stop();
  });
});
