import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { killPool } from "#test/support/killing.ts";
import { NodeProcess } from "#test/support/node-process.ts";
import { allCredited, MICRO_A_SLOT } from "#test/support/numbers.ts";
import { PoolProcess } from "#test/support/pool-process.ts";
import { smallDisk } from "#test/support/small-disk.ts";
import { until } from "#test/support/until.ts";

setDefaultTimeout(90_000);

const KILLS = 8;
const BACK_MS_MAX = 5_000;
/** How long after a payout step was asked for the power is cut. */
const CUT_AFTER_MS = [0, 2, 4, 8, 16];

describe.concurrent("a pool that is killed again and again, with live nodes and payments under way", () => {
  test("loses no tick, credits none twice, pays everybody once, and is back soon", async () => {
    const seed = Date.now() % 1_000_000;
    const figures = await killPool({ kills: KILLS, nodes: 3, seed, database: "sqlite" });
    const { proven, payments, batches, backMs, ...rest } = figures;
    const slowest = Math.round(Math.max(...backMs));
    process.stdout.write(
      `seed ${seed}: ${KILLS} kills, ${proven} slots, ${payments} payments in ${batches} batches, back in at most ${slowest} ms\n`,
    );
    expect(rest).toEqual({ kills: KILLS, lost: 0, doubled: 0, faults: [] });
    expect(proven).toBeGreaterThan(KILLS);
    expect(slowest).toBeLessThan(BACK_MS_MAX);
  });
});

describe.concurrent("a pool that is killed in the middle of a payout step", () => {
  /** Asks for a step, cuts the power before or after the answer, and starts again. */
  async function cut(pool: PoolProcess, path: string, body: object): Promise<void> {
    for (const afterMs of CUT_AFTER_MS) {
      const step = pool.ask("POST", path, body).catch(() => undefined);
      await Bun.sleep(afterMs);
      await pool.kill();
      await step;
      await pool.serve();
    }
  }

  test("settles exactly one payment of everything to each payee", async () => {
    await using pool = await PoolProcess.start({ keepsPorts: true });
    const token = await pool.token({ uses: 2 });
    const nodes: { readonly id: string; readonly micro: string }[] = [];
    await Promise.all(
      ["one", "two"].map(async (name) => {
        const more = ["--payout-address", `cash to ${name}`];
        await using node = await NodeProcess.joined(pool, name, { token, more });
        await node.run();
        await node.proves(4);
        await node.stop();
        const slots = await allCredited(pool, node);
        nodes.push({ id: node.id, micro: `${slots * MICRO_A_SLOT}` });
      }),
    );

    await cut(pool, "/api/v1/payouts/process", {});
    await pool.told("POST", "/api/v1/payouts/process", {});
    const sealed = await pool.told("GET", "/api/v1/payouts/batches");
    expect(sealed.items).toHaveLength(1);
    const path = `/api/v1/payouts/batches/${sealed.items[0].batch_id}/settle`;
    await cut(pool, path, { ref: "bank-7" });
    const settled = await pool.told("POST", path, { ref: "bank-7" });

    expect(settled).toMatchObject({ state: "settled", reference: "bank-7" });
    for (const { id, micro } of nodes) {
      expect(await pool.told("GET", `/api/v1/payouts/${id}`)).toMatchObject({
        owed_micro_usdt: "0",
        paid_micro_usdt: micro,
        history: [{ state: "posted", amount_micro_usdt: micro, reference: "bank-7" }],
      });
    }
    expect(await pool.told("GET", "/api/v1/payouts/plan")).toMatchObject({ items: [] });
  });
});

const disk = smallDisk(24);
if (typeof disk === "string") process.stderr.write(`(skip) a full disk: ${disk}\n`);
else afterAll(() => disk[Symbol.dispose]());

describe.concurrent("a pool whose disk is full", () => {
  test.skipIf(typeof disk === "string")(
    "reads, keeps heartbeats, refuses changes, and recovers",
    async () => {
      if (typeof disk === "string") return;
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
});
