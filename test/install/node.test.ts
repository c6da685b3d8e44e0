import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { World } from "./world.ts";

/** Each test installs several times, in shells that start hundreds of commands. */
setDefaultTimeout(60_000);

const TOKEN = "GP1.pool.pin.id.secret.crc";
const JOIN = { GALAXY_POOL_URL: "pool.lan", GALAXY_POOL_TOKEN: TOKEN };
const UNIT = "etc/systemd/system/galaxy-node.service";
const CONNECTED = '{\n  "connected": true\n}\n';

function fresh(): World {
  const world = new World();
  world.publish("1.0.0");
  world.write("status", CONNECTED);
  return world;
}

async function joined(): Promise<World> {
  const world = fresh();
  expect((await world.install({ env: JOIN })).code).toBe(0);
  world.services();
  world.calls();
  return world;
}

describe("a node", () => {
  test("is installed when an address and a token are set: it joins, then starts", async () => {
    using world = fresh();
    const { code, stdout, stderr } = await world.install({ env: { ...JOIN, LOG_LEVEL: "debug" } });
    expect(stderr).toBe("");
    expect(code).toBe(0);
    expect(stdout).toContain("Joined: node n in pool pool.");
    expect(stdout).toContain("galaxy-pool node address ADDRESS");
    expect(world.read("etc/galaxy-node/galaxy-node.env")).toContain('LOG_LEVEL="debug"\n');
    expect(world.has("etc/systemd/system/galaxy-pool.service")).toBe(false);
    expect(world.has("etc/galaxy-pool")).toBe(false);
    expect(world.services()).toEqual([
      "daemon-reload",
      "--quiet enable galaxy-node",
      "start galaxy-node",
    ]);
  });

  test("leaves its token in no file and on no command line", async () => {
    using world = fresh();
    await world.install({ env: JOIN });
    expect(world.calls().join("\n")).not.toContain("GP1");
    const files = world.snapshot().filter((line) => / \d+ [\d.]+ [0-9a-f]{64}$/.test(line));
    for (const line of files)
      expect(readFileSync(line.split(" ")[0] ?? "", "utf8").includes(TOKEN)).toBe(
        line.includes("/bin/galaxy-pool "),
      );
  });

  test("reads its token from a file", async () => {
    using world = fresh();
    world.write("token", `${TOKEN}\n`);
    const GALAXY_POOL_TOKEN_FILE = join(world.path, "token");
    const env = { GALAXY_POOL_URL: "pool.lan", GALAXY_POOL_TOKEN_FILE };
    expect((await world.install({ env })).code).toBe(0);
  });

  test.each([
    ["pool.lan", "pool.lan:50051"],
    ["pool.lan:7000", "pool.lan:7000"],
    ["grpc://pool.lan:7000", "pool.lan:7000"],
    ["grpcs://10.0.0.7", "10.0.0.7:50051"],
    ["https://pool.lan:8443/", "pool.lan:50051"],
    ["[2001:db8::1]:7000", "[2001:db8::1]:7000"],
    ["2001:db8::1", "[2001:db8::1]:50051"],
    ["https://[2001:db8::1]:8443", "[2001:db8::1]:50051"],
  ])("joins %s at %s", async (url, address) => {
    using world = fresh();
    const env = { ...JOIN, GALAXY_POOL_URL: url };
    const { stdout } = await world.install({ env, flags: ["--dry-run"] });
    expect(stdout).toContain(`would join the pool at ${address}: `);
  });

  test.each([
    ["no token", { GALAXY_POOL_TOKEN: "" }, "GALAXY_POOL_TOKEN is not"],
    ["half a token", { GALAXY_POOL_TOKEN: "GP1.pool.pin.id" }, "The join token is not whole."],
    ["two tokens", { GALAXY_POOL_TOKEN: `${TOKEN}\n${TOKEN}` }, "The join token is not whole."],
    ["something else", { GALAXY_POOL_TOKEN: "K10abc::server:x" }, "The join token is not whole."],
    ["plain http", { GALAXY_POOL_URL: "http://pool.lan:8095" }, "is plain http"],
    ["no host", { GALAXY_POOL_URL: ":50051" }, "is no address of a pool"],
    ["a port too far", { GALAXY_POOL_URL: "pool.lan:65536" }, "is no address of a pool"],
    ["a command", { GALAXY_POOL_URL: "pool.lan;id" }, "is no address of a pool"],
    [
      "a missing token file",
      { GALAXY_POOL_TOKEN: "", GALAXY_POOL_TOKEN_FILE: "/nowhere" },
      "cannot be read",
    ],
  ])("with %s is refused before anything is fetched", async (_, env, says) => {
    using world = fresh();
    const { code, stdout, stderr } = await world.install({ env: { ...JOIN, ...env } });
    expect(stderr).toContain(says);
    expect(code).toBe(1);
    expect(`${stdout}${stderr}`).not.toContain("secret");
    expect(world.fetched).toEqual([]);
    expect(world.snapshot()).toEqual([]);
  });

  test("that the pool does not take leaves nothing behind", async () => {
    using world = fresh();
    const env = { ...JOIN, GALAXY_POOL_TOKEN: "GP1.pool.pin.id.wrong.crc" };
    const { code, stderr } = await world.install({ env });
    expect(code).toBe(1);
    expect(stderr).toContain("This machine could not join the pool at pool.lan:50051.");
    expect(stderr).toContain("the token is not known");
    expect(world.snapshot()).toEqual([]);
    expect(world.services()).toEqual([]);
  });

  test("pasted again changes nothing, and is upgraded by the bare line", async () => {
    using world = await joined();
    const before = world.snapshot();
    expect((await world.install({ env: JOIN })).code).toBe(0);
    expect(world.snapshot()).toEqual(before);
    expect(world.calls().join()).not.toContain("node join");
    world.publish("1.1.0");
    const { code, stdout } = await world.install();
    expect(code).toBe(0);
    expect(stdout).toContain("galaxy-node 1.1.0 is installed; before it was 1.0.0.");
    expect(world.services()).toEqual(["daemon-reload", "restart galaxy-node"]);
    expect(world.has("etc/systemd/system/galaxy-pool.service")).toBe(false);
  });

  test("of one pool is not moved to another by accident", async () => {
    using world = await joined();
    const before = world.snapshot();
    const env = { ...JOIN, GALAXY_POOL_TOKEN: "GP1.other.pin.id.secret.crc" };
    const { code, stderr } = await world.install({ env });
    expect(code).toBe(1);
    expect(stderr).toContain("already a node of the pool pool; the token is for other");
    expect(stderr).toContain("galaxy-pool node leave");
    expect(world.snapshot()).toEqual(before);
  });

  test("follows its pool to another address", async () => {
    using world = await joined();
    await world.install({ env: { ...JOIN, GALAXY_POOL_URL: "10.9.9.9" } });
    expect(world.read("var/lib/galaxy-node/node.json")).toContain('"10.9.9.9:50051"');
    expect(world.services()).toEqual(["daemon-reload", "restart galaxy-node"]);
  });

  test("whose upgrade does not start is taken back", async () => {
    using world = await joined();
    world.publish("1.1.0", (text) => `${text}# DOES NOT START\n`);
    const { code, stderr } = await world.install();
    expect(code).toBe(1);
    expect(stderr).toContain("galaxy-node 1.0.0 is back as it was, and runs.");
    expect(world.read("usr/local/bin/galaxy-pool")).toContain("version='1.0.0'");
  });

  test("whose pool is away is installed all the same, and says so", async () => {
    using world = fresh();
    world.write("status", '{\n  "connected": false\n}\n');
    const { code, stderr } = await world.install({
      env: { ...JOIN, INSTALL_GALAXY_NODE_TRIES: "1" },
    });
    expect(code).toBe(0);
    expect(stderr).toContain("The node runs, but is not connected to its pool yet");
  });

  test("has drop-ins of its own", async () => {
    using world = fresh();
    await world.install({ env: { ...JOIN, INSTALL_GALAXY_PROFILE: "lan wx" } });
    expect(world.read(`${UNIT}.d/lan.conf`)).toContain("# node-lan.conf");
    expect(world.read(`${UNIT}.d/wx.conf`)).toContain("# wx.conf");
  });
});

describe("a board that is pool and node", () => {
  test("has both services, and an upgrade restarts both", async () => {
    using world = fresh();
    await world.install();
    world.services();
    const pool = readFileSync(join(world.root, "etc/galaxy-pool/galaxy-pool.env"), "utf8");
    expect((await world.install({ env: { ...JOIN, LOG_LEVEL: "debug" } })).code).toBe(0);
    expect(world.services()).toEqual([
      "daemon-reload",
      "--quiet enable galaxy-node",
      "start galaxy-node",
    ]);
    expect(world.read("etc/galaxy-pool/galaxy-pool.env")).toBe(pool);
    world.publish("1.1.0");
    expect((await world.install()).code).toBe(0);
    expect(world.services()).toEqual([
      "daemon-reload",
      "restart galaxy-pool",
      "restart galaxy-node",
    ]);
  });

  test("can become a pool after it was a node", async () => {
    using world = await joined();
    expect((await world.install({ flags: ["--role", "pool"] })).code).toBe(0);
    expect(world.services()).toEqual([
      "daemon-reload",
      "--quiet enable galaxy-pool",
      "start galaxy-pool",
    ]);
    expect(existsSync(join(world.root, "var/lib/galaxy-node/node.json"))).toBe(true);
  });

  test("keeps the pool when the new node is refused", async () => {
    using world = fresh();
    await world.install();
    const before = world.snapshot();
    world.services();
    const env = { ...JOIN, GALAXY_POOL_TOKEN: "GP1.pool.pin.id.wrong.crc" };
    expect((await world.install({ env })).code).toBe(1);
    expect(world.snapshot()).toEqual(before);
    expect(world.services()).toEqual([]);
  });
});
