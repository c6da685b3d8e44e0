import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { PoolProcess } from "#test/support/pool-process.ts";
import { until } from "#test/support/until.ts";

setDefaultTimeout(60_000);
const NODE = join(import.meta.dir, "../../scripts/examples/node.py");
const SLOTS = 6;

interface Example {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the example with Debian's own Python. */
async function runExample(pool: PoolProcess, words: readonly string[]): Promise<Example> {
  const ports = ["--https-port", `${pool.securePort}`, "--grpc-port", `${pool.grpcPort}`];
  const data = ["--data", join(pool.folder, "python")];
  const node = Bun.spawn(["/usr/bin/python3", NODE, ...words, ...ports, ...data], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...pool.environment, PYTHONDONTWRITEBYTECODE: "1" },
  });
  const [stdout, stderr] = await Promise.all([node.stdout.text(), node.stderr.text()]);
  return { code: await node.exited, stdout, stderr };
}

test.concurrent("a node in Python enrols, registers and earns with a stock gRPC", async () => {
  await using pool = await PoolProcess.start();
  const words = ["localhost", "--token", await pool.token(), "--specialization", "analytics"];
  const { code, stdout, stderr } = await runExample(pool, [...words, "--slots", `${SLOTS}`]);
  expect([code, stderr]).toEqual([0, ""]);
  const id = /joined as node (\w+)/.exec(stdout)?.[1] ?? "";

  expect(stdout).toContain("slots are credited");
  const node = await pool.told("GET", `/api/v1/nodes/${id}`);
  expect(node).toMatchObject({ specialization: "analytics" });
  await until("all of its slots to be credited", async () => {
    const { credit_total } = await pool.told("GET", `/api/v1/poot/${id}`);
    return credit_total === SLOTS;
  });
});

test.concurrent("a node in Python sends nothing to a pool that is not its token's", async () => {
  await using pool = await PoolProcess.start();
  await using other = await PoolProcess.start();
  const { code, stderr } = await runExample(other, ["127.0.0.1", "--token", await pool.token()]);
  expect(code).toBe(1);
  expect(stderr).toContain("Nothing was sent");
});
