import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { putTool, standIn } from "./release.ts";
import { World } from "./world.ts";

/** Each test installs several times, in shells that start hundreds of commands. */
setDefaultTimeout(60_000);

const UNIT = "etc/systemd/system/galaxy-pool.service";

/** A sandbox with 1.0.0 in place that serves 1.1.0. */
async function outdated(change?: (standIn: string) => string): Promise<World> {
  const world = new World();
  world.publish("1.0.0");
  expect((await world.install()).code).toBe(0);
  world.services();
  world.calls();
  world.fetched.length = 0;
  world.publish("1.1.0", change);
  return world;
}

describe("an upgrade", () => {
  test("prints the version of the script for --version alone, and pins for --version V", async () => {
    using world = await outdated();
    expect((await world.install({ flags: ["--version"] })).stdout).toBe("install.sh 1.1.0\n");
    const { stdout } = await world.install({ flags: ["--version=v1.0.0"] });
    expect(stdout).toContain("1.0.0 is already here");
    expect((await world.install({ env: { GALAXY_POOL_VERSION: "1.0.0" } })).stdout).toContain(
      "1.0.0 is already here",
    );
  });

  test("swaps the executable, restarts once, and keeps data and configuration", async () => {
    using world = await outdated();
    const config = world.read("etc/galaxy-pool/config.yaml");
    const { code, stdout } = await world.install();
    expect(code).toBe(0);
    expect(stdout).toContain("galaxy-pool 1.1.0 is installed; before it was 1.0.0.");
    expect(stdout).not.toContain("GP1");
    expect(world.services()).toEqual(["daemon-reload", "restart galaxy-pool"]);
    expect(world.read("usr/local/bin/galaxy-pool")).toContain("version='1.1.0'");
    expect(world.read(UNIT)).toContain("1.1.0");
    expect(world.read("etc/galaxy-pool/config.yaml")).toBe(config);
    const order = world.calls().map((call) => call.split(" ")[0]);
    expect(order.indexOf("config")).toBeLessThan(order.indexOf("files"));
  });

  test("is refused while the configuration in use is not good for the new executable", async () => {
    using world = await outdated();
    put(world, "etc/galaxy-pool/config.yaml", "REFUSED");
    const before = world.snapshot();
    const { code, stderr } = await world.install();
    expect(code).toBe(1);
    expect(stderr).toContain("galaxy-pool 1.1.0 refuses the configuration.");
    expect(stderr).toContain("payout.threshold_usdt is no number");
    expect(world.snapshot()).toEqual(before);
    expect(world.services()).toEqual([]);
  });

  test.each([
    ["does not start", (world: World) => world, "# DOES NOT START\n"],
    ["is not healthy", (world: World) => world.write("unhealthy-1.1.0", "4"), ""],
    ["does not answer", (world: World) => world.write("unhealthy-1.1.0", "3"), ""],
  ])("that %s is taken back: executable, unit and environment", async (_, prepare, more) => {
    using world = await outdated((text) => text + more);
    prepare(world);
    const before = withoutTimes(world);
    const { code, stderr } = await world.install({ env: { LOG_LEVEL: "DEBUG" } });
    expect(code).toBe(1);
    expect(stderr).toContain("galaxy-pool 1.1.0 does not come up; the version before is put back.");
    expect(stderr).toContain("the last words");
    expect(stderr).toContain("galaxy-pool 1.0.0 is back as it was, and runs.");
    expect(withoutTimes(world)).toEqual(before);
    expect(world.services()).toEqual([
      "daemon-reload",
      "restart galaxy-pool",
      "daemon-reload",
      "restart galaxy-pool",
    ]);
  });

  test("of a pool that was not healthy before is no worse for not being so after", async () => {
    using world = await outdated();
    world.write("unhealthy-1.0.0", "4");
    world.write("unhealthy-1.1.0", "4");
    const { code, stderr } = await world.install();
    expect(code).toBe(0);
    expect(stderr).toContain("The pool runs, but is not healthy: the disk is full");
  });

  test("to an older version wants to be told by name", async () => {
    using world = await outdated();
    await world.install();
    world.publish("1.0.9");
    const before = world.snapshot();
    const { code, stderr } = await world.install();
    expect(code).toBe(1);
    expect(stderr).toContain("Version 1.0.9 is older than 1.1.0, which is installed.");
    expect(world.snapshot()).toEqual(before);
    expect((await world.install({ flags: ["--allow-downgrade"] })).code).toBe(0);
    expect(world.read("usr/local/bin/galaxy-pool")).toContain("version='1.0.9'");
  });

  test.each([
    ["1.10.0", "1.9.0", false],
    ["1.0.0-rc.1", "1.0.0", true],
    ["1.0.0", "1.0.0-rc.1", false],
    ["1.0.0-rc.2", "1.0.0-rc.10", true],
    ["2.0.0", "10.0.0", true],
  ])("to %s knows whether it is older than %s: %p", async (version, installed, older) => {
    using world = new World();
    world.publish(version);
    putTool(join(world.root, "usr/local/bin"), "galaxy-pool", standIn(world.path, installed));
    const { stderr } = await world.install({ flags: ["--dry-run"] });
    expect(stderr.includes("is older than")).toBe(older);
  });

  test("whose reader goes away is taken back", async () => {
    using world = await outdated();
    const before = withoutTimes(world);
    world.write("install.sh", readFileSync(join(world.latest, "install.sh"), "utf8"));
    const deaf = "{ sh ./install.sh 2>&1; echo $? >code; } | head -n 1";
    await world.run(["sh", "-c", deaf], {});
    expect(readFileSync(join(world.path, "code"), "utf8")).not.toBe("0\n");
    expect(withoutTimes(world)).toEqual(before);
  });

  test("ended by a signal is taken back", async () => {
    using world = await outdated((text) =>
      text.replace("health)", "health) kill -TERM $PPID; sleep 0.1;"),
    );
    const before = withoutTimes(world);
    const { code } = await world.install();
    expect(code).toBe(143);
    expect(withoutTimes(world)).toEqual(before);
  });
});

/** A script that was killed after the swap left the old process running. */
test.each([
  ["an old unit", "NeedDaemonReload", "yes\n", ["daemon-reload", "restart galaxy-pool"]],
  ["a deleted executable", "MainPID", "PID", ["restart galaxy-pool"]],
])(
  "a service that runs %s is restarted although nothing changed",
  async (_, property, value, services) => {
    using world = new World();
    world.publish("1.0.0");
    await world.install();
    world.services();
    using gone = deletedProcess(world.path);
    world.write(property, value.replace("PID", `${gone.pid}`));
    const { code, stdout } = await world.install();
    expect(code).toBe(0);
    expect(stdout).toContain("was installed, and is restarted.");
    expect(world.services()).toEqual(services);
  },
);

/** A process whose executable was removed. */
function deletedProcess(folder: string): Disposable & { readonly pid: number } {
  const file = join(folder, "sleeper");
  copyFileSync("/bin/sleep", file);
  const child = Bun.spawn([file, "60"]);
  rmSync(file);
  return { pid: child.pid, [Symbol.dispose]: () => child.kill() };
}

/** The times of files change when they are put back; their content, mode and names do not. */
function withoutTimes(world: World): string[] {
  return world.snapshot().map((line) => line.replace(/ [\d.]+ (?=[0-9a-f]{64}$)/, " "));
}

function put(world: World, path: string, text: string): void {
  const file = join(world.root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
