import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { NodeProcess } from "#test/support/node-process.ts";
import { allCredited } from "#test/support/numbers.ts";
import { PoolProcess } from "#test/support/pool-process.ts";
import { smallDisk } from "#test/support/small-disk.ts";
import { until } from "#test/support/until.ts";

setDefaultTimeout(60_000);

const disk = smallDisk(24);
if (typeof disk === "string") process.stderr.write(`(skip) a full disk: ${disk}\n`);

test.skipIf(typeof disk === "string")(
  "a pool whose disk is full reads, keeps heartbeats, refuses changes, and recovers",
  async () => {
    if (typeof disk === "string") return;
    using _disk = disk;
    await using pool = await PoolProcess.start({ dataDir: join(disk.path, "pool") });
    await using node = await NodeProcess.joined(pool, "steady", { token: await pool.token() });
    await node.run();
    await node.proves(2);

    disk.fill();
    const refused = await until("a change to be refused", async () => {
      disk.fill();
      const body = { pool_id: (pool.made["pool"] as { id: string }).id, uses: 1 };
      const answer = await pool.ask("POST", "/api/v1/tokens", body);
      return answer.status >= 300 && answer;
    });
    expect([refused.status, refused.body.code]).toEqual([503, "database.read_only"]);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect((await pool.ask("GET", "/readyz")).body).toMatchObject({
      status: "unhealthy",
      checks: { database: { ok: false } },
    });
    expect((await pool.cli("token", "create")).code).toBe(3);
    const before = node.provenSlots();
    await node.proves(before + 7);
    expect((await pool.ask("GET", `/api/v1/nodes/${node.id}`)).body.state).toBe("alive");

    disk.clear();
    await until("the pool to be well again", async () => {
      return (await pool.ask("GET", "/readyz")).status === 200;
    });
    await pool.token();
    expect(await node.stop()).toBe(0);
    const proven = await allCredited(pool, node);
    expect(proven).toBeGreaterThanOrEqual(before + 7);
    expect((await pool.told("GET", `/api/v1/poot/${node.id}`)).credit_total).toBe(proven);
    expect(await pool.stop()).toBe(0);
  },
);
