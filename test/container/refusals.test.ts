import { describe, expect, test } from "bun:test";
import { chmodSync, chownSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "#test/support/container-files.ts";
import { cleanEnvironment, type Ran } from "#test/support/executable.ts";
import { temporaryFolder } from "#test/support/folder.ts";

/** What the pool says when a container was given files it may not use; its user is the one of this test. */

const STRANGER = 65532;
const uid = process.getuid?.() ?? -1;
/** Root may read everything, unless it gives up its capabilities. */
const BARE = uid === 0 ? ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] : [];

/** Makes a file or folder somebody else's alone. */
function close(path: string, mode: number): void {
  chmodSync(path, uid === 0 ? mode : 0);
  if (uid === 0) chownSync(path, STRANGER, STRANGER);
}

async function served(home: string, variables: Readonly<Record<string, string>>): Promise<Ran> {
  const run = Bun.spawn([...BARE, process.execPath, "src/main.ts", "serve", "--init"], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "pipe"],
    env: cleanEnvironment(home, { GALAXY_POOL_DATA: join(home, "data"), ...variables }),
    timeout: 20_000,
  });
  const [stdout, stderr] = await Promise.all([run.stdout.text(), run.stderr.text()]);
  return { code: await run.exited, stdout, stderr };
}

describe("a pool in a container", () => {
  test("says who must be let to read a closed configuration file", async () => {
    using home = temporaryFolder();
    const file = join(home.path, "config.yaml");
    writeFileSync(file, "");
    close(file, 0o600);
    const { code, stderr } = await served(home.path, { GALAXY_POOL_CONFIG: file });
    expect(stderr).toContain(`${file} cannot be read by this user (uid ${uid})`);
    expect(stderr).toContain("chmod a+r");
    expect(code).toBe(1);
  });

  test("does not take a configuration in a closed folder for none", async () => {
    using home = temporaryFolder();
    const folder = join(home.path, "app");
    mkdirSync(folder);
    writeFileSync(join(folder, "config.yaml"), "");
    close(folder, 0o700);
    const file = join(folder, "config.yaml");
    const { code, stderr } = await served(home.path, { GALAXY_POOL_CONFIG: file });
    chmodSync(folder, 0o700);
    expect([code, stderr]).toEqual([1, expect.stringContaining(`Let uid ${uid} read it`)]);
  });

  test("knows the folder an engine makes for a file that is not there", async () => {
    using home = temporaryFolder();
    const folder = join(home.path, "config.yaml");
    mkdirSync(folder);
    const { code, stderr } = await served(home.path, { GALAXY_POOL_CONFIG: folder });
    expect([code, stderr]).toEqual([1, expect.stringContaining("make the file first")]);
  });

  test("says to whom a data folder must be given", async () => {
    using home = temporaryFolder();
    const data = join(home.path, "data");
    mkdirSync(data);
    close(data, 0o755);
    const { code, stderr } = await served(home.path, {});
    chmodSync(data, 0o700);
    expect([code, stderr]).toEqual([1, expect.stringContaining(`(chown -R ${uid})`)]);
    expect(stderr).toContain("code: data.denied");
  });
});
