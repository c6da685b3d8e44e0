import { describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { World } from "./world.ts";

/** Each test installs several times, in shells that start hundreds of commands. */
setDefaultTimeout(60_000);

const ENVIRONMENT = "etc/galaxy-pool/galaxy-pool.env";
const UNIT = "etc/systemd/system/galaxy-pool.service";

/** A sandbox that serves version 1.0.0. */
function fresh(): World {
  const world = new World();
  world.publish("1.0.0");
  return world;
}

describe("a first installation", () => {
  test("ends with a running service, the CA fingerprint, the API address and a join line", async () => {
    using world = fresh();
    const { code, stdout, stderr } = await world.install();
    expect(stderr).toBe("");
    expect(code).toBe(0);
    expect(stdout).toContain("[INFO]  CA fingerprint: pinpinpin\n");
    expect(stdout).toContain(
      "[INFO]  API: https://10.0.0.7:8443 (on this machine also http://127.0.0.1:1)",
    );
    expect(stdout).toContain(
      `\n  curl -fsSL ${world.baseUrl}/latest/download/install.sh | sudo INSTALL_GALAXY_BASE_URL=${world.baseUrl} GALAXY_POOL_URL=10.0.0.7:50051 GALAXY_POOL_TOKEN=GP1.pool.pin.id.secret.crc sh\n`,
    );
    expect(world.services()).toEqual([
      "daemon-reload",
      "--quiet enable galaxy-pool",
      "start galaxy-pool",
    ]);
  });

  test("puts every file where it belongs, and leaves nothing else", async () => {
    using world = fresh();
    await world.install();
    const files = world
      .snapshot()
      .filter((line) => !line.includes("/ ") && !line.includes("/var/lib/private/"))
      .map((line) => line.slice(world.root.length + 1).replace(/ [\d.]+ [0-9a-f]{64}$/, ""));
    expect(files).toEqual([
      "etc/galaxy-pool/config.yaml 644",
      "etc/galaxy-pool/galaxy-pool.env 600",
      "etc/systemd/system/galaxy-pool.service 644",
      "usr/local/bin/galaxy-cli -> galaxy-pool",
      "usr/local/bin/galaxy-pool 755",
      "usr/local/bin/galaxy-pool-uninstall 755",
      "usr/local/share/bash-completion/completions/galaxy-cli -> galaxy-pool",
      "usr/local/share/bash-completion/completions/galaxy-pool 644",
      "usr/local/share/fish/vendor_completions.d/galaxy-pool.fish 644",
      "usr/local/share/galaxy-pool/folders-made 644",
      "usr/local/share/man/man8/galaxy-pool.8 644",
      "usr/local/share/zsh/site-functions/_galaxy-pool 644",
      "var/lib/galaxy-pool -> private/galaxy-pool",
    ]);
    expect(world.snapshot()).toContain(`${world.root}/var/lib/private/galaxy-pool/ 700`);
    expect(world.snapshot()).toContain(`${world.root}/usr/local/bin/ 755`);
  });

  test("does nothing but say so with --dry-run", async () => {
    using world = fresh();
    const { code, stdout } = await world.install({ flags: ["--dry-run"] });
    expect(code).toBe(0);
    for (const deed of [
      "fetch galaxy-pool-1.0.0",
      "write",
      "link",
      "init",
      "at boot",
      "start galaxy-pool",
    ])
      expect(stdout).toMatch(new RegExp(`would .*${deed}`));
    expect(world.snapshot()).toEqual([]);
    expect(world.services()).toEqual([]);
    expect(world.fetched).not.toContain(expect.stringContaining(".gz"));
  });

  test("goes to /opt/bin when /usr/local/bin is read-only", async () => {
    using world = fresh();
    mkdirSync(join(world.root, "usr/local"), { recursive: true });
    symlinkSync("/proc", join(world.root, "usr/local/bin"));
    const env = { INSTALL_GALAXY_SKIP_START: "" };
    const { code } = await world.install({ env });
    expect(code).toBe(0);
    expect(world.read(UNIT)).toContain("ExecStart=/opt/bin/galaxy-pool\n");
    expect(world.read("opt/bin/galaxy-pool-uninstall")).toContain("\nBIN_DIR=/opt/bin\n");
    expect(world.has("opt/share/man/man8/galaxy-pool.8")).toBe(true);
  });

  test("gives a system under another root files, but no keys and no services", async () => {
    using world = fresh();
    const { code } = await world.install({ env: { INSTALL_GALAXY_SKIP_START: "" } });
    expect(code).toBe(0);
    expect(world.has(UNIT)).toBe(true);
    expect(world.has("var/lib")).toBe(false);
    expect(world.services()).toEqual([]);
  });

  test("puts IPv6 addresses into brackets and quotes", async () => {
    using world = fresh();
    writeFileSync(
      join(world.path, "bin/ip"),
      '#!/bin/sh\ncase "$*" in "-6 route get"*) echo "x src 2001:db8::7 y";; esac\n',
    );
    const { stdout } = await world.install();
    expect(stdout).toContain("API: https://[2001:db8::7]:8443 ");
    expect(stdout).toContain("GALAXY_POOL_URL='[2001:db8::7]:50051'");
  });

  test.each([
    ["cgroup2 without memory", "sys/fs/cgroup/cgroup.controllers", "cpu io pids\n"],
    ["cgroup1 with memory off", "proc/cgroups", "#subsys\nmemory\t0\t88\t0\n"],
  ])("warns of %s and names the file to change", async (_, path, text) => {
    using world = fresh();
    put(world, path, text);
    put(world, "boot/firmware/cmdline.txt", "console=tty1\n");
    const { code, stderr } = await world.install();
    expect(code).toBe(0);
    expect(stderr).toContain(
      "cgroup_enable=memory cgroup_memory=1 to the one line of /boot/firmware/cmdline.txt",
    );
  });

  test("is silent about memory where the controller is on", async () => {
    using world = fresh();
    put(world, "sys/fs/cgroup/cgroup.controllers", "cpu memory pids\n");
    expect((await world.install()).stderr).toBe("");
  });

  test("prints the lines of the firewall that is there", async () => {
    using world = fresh();
    expect((await world.install()).stdout).toContain(
      "  sudo nft add rule inet filter input tcp dport '{ 8443, 50051 }' accept\n",
    );
    using other = fresh();
    writeFileSync(join(other.path, "bin/ufw"), "#!/bin/sh\n", { mode: 0o755 });
    expect((await other.install()).stdout).toContain(
      "  sudo ufw allow 8443/tcp\n  sudo ufw allow 50051/tcp\n",
    );
  });

  test("leaves what it installed when the service does not start, and shows its last lines", async () => {
    using world = new World();
    world.publish("1.0.0", (text) => `${text}# DOES NOT START\n`);
    const { code, stderr } = await world.install();
    expect(code).toBe(1);
    expect(stderr).toContain("galaxy-pool 1.0.0 is installed, but does not come up.");
    expect(stderr).toContain("the last words");
    expect(world.has(UNIT)).toBe(true);
    world.services();
    world.publish("1.0.1");
    expect((await world.install()).code).toBe(0);
    expect(world.services()).toEqual(["daemon-reload", "restart galaxy-pool"]);
  });

  test("leaves nothing when the keys cannot be made", async () => {
    using world = fresh();
    world.write("init-fails", "");
    const { code, stderr } = await world.install();
    expect(code).toBe(1);
    expect(stderr).toContain("the data folder has vanished");
    expect(world.snapshot()).toEqual([]);
  });
});

describe("a rerun", () => {
  test("without a change downloads nothing, restarts nothing, makes no token", async () => {
    using world = fresh();
    await world.install();
    const before = world.snapshot();
    [world.services(), world.calls(), world.fetched.splice(0)];
    const { code, stdout, stderr } = await world.install();
    expect(stderr).toBe("");
    expect(code).toBe(0);
    expect(stdout).toContain("nothing has changed, so nothing was restarted");
    expect(stdout).toContain("API: https://10.0.0.7:8443");
    expect(world.snapshot()).toEqual(before);
    expect(world.services()).toEqual([]);
    expect(world.fetched).toEqual(["SHA256SUMS", "SHA256SUMS.minisig"]);
    expect(world.calls().filter((call) => /token|init/.test(call))).toEqual([]);
  });

  test("leaves a stopped service stopped, and says so", async () => {
    using world = fresh();
    await world.install();
    world.write("active-galaxy-pool", "inactive\n");
    world.services();
    const { stderr } = await world.install({ env: { LOG_LEVEL: "DEBUG" } });
    expect(stderr).toContain("galaxy-pool is stopped, and stays so");
    expect(world.services()).toEqual(["daemon-reload"]);
  });

  test("removes what a killed installer left behind", async () => {
    using world = fresh();
    await world.install();
    put(world, "usr/local/bin/.galaxy-pool-install.abcdef/galaxy-pool", "half");
    await world.install();
    expect(readdirSync(join(world.root, "usr/local/bin")).sort()).toEqual([
      "galaxy-cli",
      "galaxy-pool",
      "galaxy-pool-uninstall",
    ]);
  });
});

test("what the service says of its address is no option to a command of root", async () => {
  using world = fresh();
  await world.install();
  const written = join(world.path, "written-by-root");
  const sums = `${world.baseUrl}/latest/download/SHA256SUMS`;
  const option = `-K${world.path}/options`;
  put(
    world,
    "../options/api/v1/authority",
    `proto = "=all"\nurl = "${sums}"\nurl = "${sums}"\noutput = "${written}"\n`,
  );
  put(world, "var/lib/galaxy-pool/listening.json", JSON.stringify({ plain: [option] }));
  const { code, stdout } = await world.install();
  expect(code).toBe(0);
  expect(stdout).toContain("CA fingerprint: unknown");
  expect(existsSync(written)).toBe(false);
  expect(stdout).not.toContain(option);
});

describe("the environment", () => {
  test("is kept in a file only root reads, as systemd and the check of the configuration read it", async () => {
    using world = fresh();
    await world.install({
      env: {
        DATABASE_URL: 'postgres://u:p"a\\ss$1`@db/x',
        GALAXY_POOL_PAYOUT_THRESHOLD_USDT: "12.5",
        https_proxy: "",
        GALAXY_POOL_SECRET: "not a key",
      },
    });
    const text = world.read(ENVIRONMENT);
    expect(text).toContain('\nDATABASE_URL="postgres://u:p\\"a\\\\ss\\$1\\`@db/x"\n');
    expect(text).toContain('\nGALAXY_POOL_PAYOUT_THRESHOLD_USDT="12.5"\n');
    expect(text).not.toMatch(/proxy|GALAXY_POOL_SECRET|VERSION/);
    expect(modeOf(world, ENVIRONMENT)).toBe("600");
    expect(readFileSync(join(world.path, "checked.env"), "utf8")).toBe(text);
  });

  test("is merged: what is set now wins, what was there stays", async () => {
    using world = fresh();
    await world.install({ env: { LOG_LEVEL: "INFO", MAX_NODES_PER_POOL: "7" } });
    put(world, ENVIRONMENT, `# mine\n${world.read(ENVIRONMENT)}OTHER=1\n`);
    const before = world.read(ENVIRONMENT);
    await world.install({ env: { LOG_LEVEL: "DEBUG" } });
    expect(world.read(ENVIRONMENT)).toBe(before.replace('"INFO"', '"DEBUG"'));
    world.services();
    await world.install({ env: { LOG_LEVEL: "DEBUG" } });
    expect(world.services()).toEqual([]);
  });

  test("never holds the token, nor where a release came from", async () => {
    using world = fresh();
    const { stderr } = await world.install({
      env: {
        GALAXY_POOL_VERSION: "1.0.0",
        GALAXY_POOL_DATA: "/mnt",
        GALAXY_POOL_STORAGE_DATA_DIR: "/mnt",
      },
    });
    expect(stderr).toContain("are not used: the service has");
    expect(world.read(ENVIRONMENT)).not.toMatch(/GALAXY_POOL_/);
  });

  test("with a control character is refused", async () => {
    using world = fresh();
    const { code, stderr } = await world.install({ env: { DATABASE_URL: "a\nGALAXY_POOL_X_Y=1" } });
    expect(code).toBe(1);
    expect(stderr).toContain("DATABASE_URL holds a line break");
    expect(world.has(UNIT)).toBe(false);
  });
});

describe("profiles", () => {
  test("are drop-ins, kept by a rerun that does not name them, and removed by none", async () => {
    using world = fresh();
    const folder = `${UNIT}.d`;
    await world.install({ env: { INSTALL_GALAXY_PROFILE: "lan wx" } });
    expect(world.read(`${folder}/lan.conf`)).toContain("# lan.conf");
    expect(world.has(`${folder}/wx.conf`)).toBe(true);
    put(world, `${folder}/lan.conf`, "# mine");
    world.services();
    await world.install();
    expect(world.read(`${folder}/lan.conf`)).toBe("# mine");
    expect(world.services()).toEqual([]);
    await world.install({ flags: ["--profile", "none"] });
    expect(world.has(`${folder}/lan.conf`)).toBe(false);
    expect(world.services()).toEqual(["daemon-reload", "restart galaxy-pool"]);
  });

  test.each(["moon", "../lan", "node-lan"])(
    "%s is not known, and refused before anything changes",
    async (profile) => {
      using world = fresh();
      const { code, stderr } = await world.install({ flags: ["--profile", profile] });
      expect(code).toBe(1);
      expect(stderr).toContain(`There is no profile "${profile}".`);
      expect(world.snapshot().filter((line) => !line.includes("/ "))).toEqual([]);
    },
  );
});

function modeOf(world: World, path: string): string | undefined {
  const line = world.snapshot().find((one) => one.startsWith(`${world.root}/${path} `));
  return line?.split(" ")[1];
}

function put(world: World, path: string, text: string): void {
  const file = join(world.root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
