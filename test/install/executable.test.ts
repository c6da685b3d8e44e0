import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { executable } from "#test/support/executable.ts";
import { makeRelease, putTool, runningSystemctl } from "./release.ts";
import { type Ran, World } from "./world.ts";

const TIMEOUT_MS = 180_000;

describe("with the executable itself", () => {
  const world = new World();
  let installed: Ran;

  beforeAll(async () => {
    const bytes = readFileSync(await executable());
    const { version } = JSON.parse(
      Bun.spawnSync([await executable(), "version", "--json"]).stdout.toString(),
    );
    makeRelease(world.latest, {
      version,
      executable: bytes,
      keys: world.keys,
      baseUrl: world.baseUrl,
    });
    putTool(join(world.path, "bin"), "systemctl", runningSystemctl(world.path));
    putTool(join(world.path, "bin"), "ip", "#!/bin/sh\n");
    putTool(join(world.path, "bin"), "hostname", "#!/bin/sh\n");
    installed = await world.install();
  }, TIMEOUT_MS);

  afterAll(async () => {
    for (const service of ["galaxy-node", "galaxy-pool"]) {
      await world.run([join(world.path, "bin/systemctl"), "stop", service], {});
    }
    world[Symbol.dispose]();
  }, TIMEOUT_MS);

  test("a pool is installed, made and healthy", () => {
    expect(installed.stderr.replaceAll(/^\[WARN\].*\n/gm, "")).toBe("");
    expect(installed.code).toBe(0);
    expect(installed.stdout).toMatch(/CA fingerprint: [a-z2-7]{52}\n/);
    expect(world.read("etc/systemd/system/galaxy-pool.service")).toContain(
      "ExecStart=/usr/local/bin/galaxy-pool serve",
    );
    expect(world.read("usr/local/share/man/man8/galaxy-pool.8")).toStartWith(".");
    expect(world.read("usr/local/share/bash-completion/completions/galaxy-pool")).toContain(
      "complete ",
    );
  });

  test(
    "a rerun changes nothing, and still knows the fingerprint",
    async () => {
      const pin = /CA fingerprint: \S+/.exec(installed.stdout)?.[0] ?? "none";
      const { code, stdout } = await world.install();
      expect(code).toBe(0);
      expect(stdout).toContain("nothing has changed");
      expect(stdout).toContain(pin);
    },
    TIMEOUT_MS,
  );

  test(
    "a configuration the executable refuses is refused before anything changes",
    async () => {
      const before = withoutData(world);
      const { code, stderr } = await world.install({ env: { MAX_NODES_PER_POOL: "lots" } });
      expect(code).toBe(1);
      expect(stderr).toContain("refuses the configuration.");
      expect(stderr).toContain("lots");
      expect(withoutData(world)).toEqual(before);
    },
    TIMEOUT_MS,
  );

  test(
    "the printed line makes a node that is connected, and leaves no token behind",
    async () => {
      const line = /^ {2}curl .*$/m.exec(installed.stdout)?.[0] ?? "";
      const env = Object.fromEntries(
        [...line.matchAll(/(GALAXY_POOL_\w+)=(\S+)/g)].map((found) => [found[1], found[2]]),
      ) as Record<string, string>;
      expect(Object.keys(env)).toEqual(["GALAXY_POOL_URL", "GALAXY_POOL_TOKEN"]);
      const { code, stdout, stderr } = await world.install({ env });
      expect(stderr).not.toContain("ERROR");
      expect(stderr).not.toContain("not connected");
      expect(code).toBe(0);
      expect(stdout).toMatch(/Joined: node \w{26} in pool \w{26}\./);
      expect(world.read("var/lib/galaxy-node/node.json")).not.toContain("GP1");
    },
    TIMEOUT_MS,
  );

  test(
    "everything goes again",
    async () => {
      const flags = ["--purge", "--yes", "--yes-i-lose"];
      const { code, stdout, stderr } = await world.uninstall(flags);
      expect(stderr).not.toContain("nobody can tell");
      expect(code).toBe(0);
      expect(stdout).toContain("galaxy-pool is removed.");
      expect(world.snapshot()).toEqual([]);
    },
    TIMEOUT_MS,
  );
});

/** Everything but what a running pool writes. */
function withoutData(world: World): string[] {
  return world.snapshot().filter((line) => !line.includes("/var/lib/private/"));
}
