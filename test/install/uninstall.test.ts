import { describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { owing, World } from "./world.ts";

/** Each test installs several times, in shells that start hundreds of commands. */
setDefaultTimeout(60_000);

const JOIN = { GALAXY_POOL_URL: "pool.lan", GALAXY_POOL_TOKEN: "GP1.pool.pin.id.secret.crc" };
const UNITS = "etc/systemd/system";

/** A sandbox with a folder of somebody else, and then with what was asked for. */
async function installed(...environments: Readonly<Record<string, string>>[]): Promise<World> {
  const world = new World();
  world.publish("1.0.0");
  mkdirSync(join(world.root, "usr/local/share/zsh/site-functions"), { recursive: true });
  for (const env of environments) {
    const { code } = await world.install({ env: { ...env, INSTALL_GALAXY_NODE_TRIES: "1" } });
    expect(code).toBe(0);
  }
  world.services();
  return world;
}

function put(world: World, path: string, text: string): void {
  const file = join(world.root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

function names(world: World): string[] {
  return world.snapshot().map((line) => line.slice(world.root.length).split(" ")[0] ?? "");
}

describe("galaxy-pool-uninstall", () => {
  test("stops and removes the service and its files, and keeps data and configuration", async () => {
    using world = await installed({});
    const { code, stdout, stderr } = await world.uninstall(["--yes"]);
    expect(stderr).toBe("");
    expect(code).toBe(0);
    expect(world.services()).toEqual([
      "stop galaxy-pool",
      "--quiet disable galaxy-pool",
      "daemon-reload",
      "reset-failed galaxy-pool",
    ]);
    expect(stdout).toMatch(/data and configuration stay \(\d{3,} bytes\)/);
    expect(names(world).filter((name) => !name.endsWith("/"))).toEqual([
      "/etc/galaxy-pool/config.yaml",
      "/etc/galaxy-pool/galaxy-pool.env",
      "/var/lib/galaxy-pool",
      "/var/lib/private/galaxy-pool/listening.json",
      "/var/lib/private/galaxy-pool/operator.token",
    ]);
  });

  test("lets a new installation take the data up again", async () => {
    using world = await installed({});
    put(world, "var/lib/galaxy-pool/operator.token", "the same as before");
    await world.uninstall(["--yes"]);
    expect((await world.install()).code).toBe(0);
    expect(world.read("var/lib/galaxy-pool/operator.token")).toBe("the same as before");
  });

  test("leaves nothing after --purge but what was there before", async () => {
    using world = await installed();
    const before = world.snapshot();
    await world.install();
    put(world, "var/cache/private/galaxy-pool/x", "x");
    put(world, `${UNITS}/galaxy-pool.service.d/override.conf`, "mine");
    const { code, stdout, stderr } = await world.uninstall(["--purge", "--yes"]);
    expect(stderr).toBe("");
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /galaxy-pool: \d{3,} bytes of data, keys and configuration will be gone/,
    );
    expect(stdout).toContain("no money is owed");
    const left = world
      .snapshot()
      .filter((line) => !/\/var\/(cache\/(private\/)?)? 755$/.test(line));
    expect(left).toEqual(before);
    expect(readdirSync(join(world.root, "var/cache/private"))).toEqual([]);
  });

  test.each([
    ["is owed", owing("12345678"), "12.345678 USDT are owed by this pool to its nodes"],
    [
      "is pending only",
      owing("0").replace('pending_micro_usdt": "0"', 'pending_micro_usdt": "5"'),
      "0.000005 USDT are owed",
    ],
    ["cannot be told", "", "nobody can tell how much money is owed"],
    ["cannot be told in part", '{\n  "owed_micro_usdt": "0"\n}\n', "nobody can tell"],
    ["makes no sense", owing("99999999999999999999"), "nobody can tell"],
  ])("does not purge while money %s, unless told twice", async (_, status, says) => {
    using world = await installed({});
    world.write("status", status);
    const before = world.snapshot();
    const refused = await world.uninstall(["--purge", "--yes"]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain(says);
    expect(refused.stderr).toContain("add --yes-i-lose");
    expect(world.snapshot()).toEqual(before);
    expect(world.services()).toEqual([]);
    const { code } = await world.uninstall(["--purge", "--yes", "--yes-i-lose"]);
    expect(code).toBe(0);
    expect(world.has("var/lib/galaxy-pool")).toBe(false);
  });

  test.each([
    ["lies elsewhere", "etc/galaxy-pool/config.yaml", "storage:\n  data_dir: '/srv/pool' # here\n"],
    ["has lost its token", "var/lib/galaxy-pool/pool.db", "ledger"],
  ])("does not call a pool whose data %s free of debts", async (_, file, text) => {
    using world = await installed({});
    rmSync(join(world.root, "var/lib/galaxy-pool/operator.token"));
    put(world, file, text);
    world.write("status", "");
    const { code, stderr } = await world.uninstall(["--purge", "--yes"]);
    expect(code).toBe(1);
    expect(stderr).toContain("nobody can tell how much money is owed");
    const told = await world.uninstall(["--purge", "--yes", "--yes-i-lose"]);
    expect(told.stderr.includes("The data in /srv/pool stays")).toBe(text.includes("/srv"));
  });

  test("removes a link to data, not the data, and says so", async () => {
    using world = await installed({});
    const mine = join(world.path, "mine");
    renameSync(join(world.root, "var/lib/private/galaxy-pool"), mine);
    rmSync(join(world.root, "var/lib/galaxy-pool"));
    symlinkSync(mine, join(world.root, "var/lib/galaxy-pool"));
    const { code, stderr } = await world.uninstall(["--purge", "--yes"]);
    expect(code).toBe(0);
    expect(stderr).toContain(`/var/lib/galaxy-pool is a link to ${mine}, which stays`);
    expect(readdirSync(mine)).toContain("operator.token");
  });

  test("removes what a killed installer left beside the executable", async () => {
    using world = await installed({});
    put(world, "usr/local/bin/.galaxy-pool-install.abcdef/undo", "remove /nothing\n");
    await world.uninstall(["--yes"]);
    expect(names(world).filter((name) => name.includes("bin"))).toEqual([]);
  });

  test("does not ask about money when nothing is purged", async () => {
    using world = await installed({});
    world.write("status", owing("12345678"));
    expect((await world.uninstall(["--yes"])).code).toBe(0);
  });

  test("purges a node only when nothing is owed to it", async () => {
    using world = await installed(JOIN);
    world.write("status", owing("7"));
    const { code, stderr } = await world.uninstall(["--purge", "--yes"]);
    expect(code).toBe(1);
    expect(stderr).toContain("0.000007 USDT are owed to this node");
    world.write("status", owing("0"));
    expect((await world.uninstall(["--purge", "--yes"])).code).toBe(0);
    expect(names(world).filter((name) => name.includes("galaxy"))).toEqual([]);
  });

  test("removes one of two services with --only, and the executable with the last", async () => {
    using world = await installed({}, JOIN);
    const { code, stdout } = await world.uninstall(["--only", "node", "--yes", "--purge"]);
    expect(code).toBe(0);
    expect(stdout).toContain("galaxy-node is removed; galaxy-pool stays.");
    expect(world.has(`${UNITS}/galaxy-node.service`)).toBe(false);
    expect(world.has("var/lib/galaxy-node")).toBe(false);
    expect(world.has(`${UNITS}/galaxy-pool.service`)).toBe(true);
    expect(world.has("usr/local/bin/galaxy-pool")).toBe(true);
    expect(world.services()).not.toContain("stop galaxy-pool");
    expect((await world.uninstall(["--only=pool", "--yes"])).code).toBe(0);
    expect(world.has("usr/local/bin/galaxy-pool")).toBe(false);
  });

  test("removes both services without --only", async () => {
    using world = await installed({}, JOIN);
    await world.uninstall(["--yes", "--purge"]);
    expect(names(world).filter((name) => name.includes("galaxy"))).toEqual([]);
  });

  test.each([
    ["--only moon", ["--only", "moon"], 'There is no service "moon".'],
    ["--only node on a pool", ["--only", "node"], "There is no galaxy-node here."],
    ["--only without a value", ["--only"], "The value of --only is missing."],
    ["an unknown option", ["--force"], "There is no option --force."],
  ])("refuses %s", async (_, flags, says) => {
    using world = await installed({});
    const before = world.snapshot();
    const { code, stderr } = await world.uninstall(["--yes", ...flags]);
    expect(code).toBe(1);
    expect(stderr).toContain(says);
    expect(world.snapshot()).toEqual(before);
  });

  test("asks, and goes on only when the answer is yes", async () => {
    using world = await installed({});
    const before = world.snapshot();
    const alone = await world.run(["setsid", ...uninstallOf(world)], {});
    expect(alone.code).toBe(1);
    expect(alone.stderr).toContain("There is no terminal to ask on.");
    const no = await answered(world, "n\n");
    expect(no.stdout).toContain("Remove galaxy-pool? Data and configuration stay. [y/N]");
    expect(world.snapshot()).toEqual(before);
    const yes = await answered(world, "y\n");
    expect(yes.stdout).toContain("galaxy-pool is removed.");
    expect(world.has("usr/local/bin/galaxy-pool")).toBe(false);
  });

  test("leaves a drop-in somebody else wrote where it is, unless purged", async () => {
    using world = await installed({ INSTALL_GALAXY_PROFILE: "lan" });
    put(world, `${UNITS}/galaxy-pool.service.d/override.conf`, "mine");
    await world.uninstall(["--yes"]);
    expect(readdirSync(join(world.root, `${UNITS}/galaxy-pool.service.d`))).toEqual([
      "override.conf",
    ]);
  });

  test("knows where its executable lies", async () => {
    using world = await installed({ INSTALL_GALAXY_BIN_DIR: "/opt/galaxy/bin" });
    const script = join(world.root, "opt/galaxy/bin/galaxy-pool-uninstall");
    expect(readFileSync(script, "utf8")).toContain("\nBIN_DIR=/opt/galaxy/bin\n");
    await world.run([script, "--yes", "--purge"], {});
    expect(names(world).filter((name) => name.includes("/opt"))).toEqual([]);
  });
});

function uninstallOf(world: World): string[] {
  return [join(world.root, "usr/local/bin/galaxy-pool-uninstall")];
}

/** Runs it on a terminal of its own, on which somebody types. */
function answered(world: World, typed: string) {
  const [script = ""] = uninstallOf(world);
  return world.run(["script", "-qec", script, "/dev/null"], {}, typed);
}
