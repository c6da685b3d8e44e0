import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "#test/support/folder.ts";
import { until } from "#test/support/until.ts";

const ROOT = join(import.meta.dir, "../..");
const SIGTERM_BIT = 1n << 14n;

/** Runs a command line as process 1 of a namespace of its own; answers its number in ours. */
async function asFirst(words: readonly string[], environment: Readonly<Record<string, string>>) {
  const inside = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
  const outer = Bun.spawn([...inside, process.execPath, "src/main.ts", ...words], {
    cwd: ROOT,
    env: { ...process.env, ...environment },
    stdout: "ignore",
    stderr: "ignore",
  });
  const children = `/proc/${outer.pid}/task/${outer.pid}/children`;
  const pid = await until("process 1", () => Number(readFileSync(children, "utf8")) || undefined);
  const end = async () => {
    process.kill(pid, "SIGTERM");
    return await outer.exited;
  };
  return { pid, end, [Symbol.dispose]: () => outer.kill("SIGKILL") };
}

function catchesSigterm(pid: number): boolean {
  const caught = /SigCgt:\s*([0-9a-f]+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return (BigInt(`0x${caught ?? "0"}`) & SIGTERM_BIT) !== 0n;
}

describe.skipIf(process.getuid?.() !== 0)("process 1 of a container", () => {
  test("hears that it is to stop as soon as it listens, and ends in good order", async () => {
    using home = temporaryFolder();
    const data = join(home.path, "pool");
    const set = ["http.port=0", "http.secure_port=0", "server.address=127.0.0.1:0"];
    const words = ["serve", "--init", "--data", data, ...set.flatMap((pair) => ["--set", pair])];
    const environment = { GALAXY_POOL_CONFIG: join(home.path, "etc/pool.yaml") };
    using early = await asFirst(words, environment);
    await until("it to listen", () => catchesSigterm(early.pid));
    expect(await early.end()).toBe(0);
    using up = await asFirst(words, environment);
    await until("it to be up", () => existsSync(join(data, "listening.json")));
    expect(await up.end()).toBe(0);
    expect(existsSync(join(data, "listening.json"))).toBe(false);
  }, 20_000);

  test("ends also when it runs a command that has no end of its own", async () => {
    const words = ["health", "--wait", "1h", "--url", "http://127.0.0.1:9"];
    using waiting = await asFirst(words, {});
    await until("it to listen", () => catchesSigterm(waiting.pid));
    expect(await waiting.end()).toBe(143);
  });
});
