import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readdirSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { NodeProcess } from "#test/support/node-process.ts";
import { PoolProcess } from "#test/support/pool-process.ts";
import { until } from "#test/support/until.ts";

setDefaultTimeout(60_000);

describe.concurrent("init", () => {
  test("makes keys and tokens only the owner reads, and changes nothing when repeated", async () => {
    await using pool = await PoolProcess.initialised();
    const files = [
      "operator.token",
      ...readdirSync(join(pool.dataDir, "keys")).map((name) => join("keys", name)),
    ];
    for (const file of files) expect(statSync(join(pool.dataDir, file)).mode & 0o077).toBe(0);

    const again = await pool.json("init");
    expect(again).toEqual({ ...pool.made, created: false });
  });
});

describe.concurrent("serve", () => {
  test("stops gracefully: everything is closed and the exit code is 0", async () => {
    await using pool = await PoolProcess.start();
    expect(await pool.stop()).toBe(0);
    expect(existsSync(join(pool.dataDir, "listening.json"))).toBe(false);
    expect(pool.log()).not.toContain('"level":50');
  });

  test("refuses a folder another pool works in, and lets that one be", async () => {
    await using pool = await PoolProcess.start();
    const second = await pool.cli("serve");
    expect(second.code).toBe(3);
    expect(second.stderr).toContain("code: data.locked");
    expect((await fetch(`${pool.url}/readyz`)).status).toBe(200);
  });

  test("refuses to start empty where there was a pool", async () => {
    await using pool = await PoolProcess.start();
    await pool.stop();
    renameSync(pool.dataDir, `${pool.dataDir}.unmounted`);

    for (const command of ["serve", "init"]) {
      const ran = await pool.cli(command);
      expect([command, ran.code]).toEqual([command, 1]);
      expect(ran.stderr).toContain("code: data.vanished");
    }
    renameSync(`${pool.dataDir}.unmounted`, pool.dataDir);
    await pool.serve();
  });

  test("reloads with SIGHUP what can change live, and says what needs a restart", async () => {
    await using pool = await PoolProcess.start();
    pool.configure({ registry: { max_nodes: 7 }, http: { port: 1, secure_port: 0 } });
    pool.signal("SIGHUP");
    await until("the reload", () => pool.log().includes("the configuration was reloaded"));

    const { pool_id } = (await pool.json("pool", "list")).items[0];
    expect((await pool.json("pool", "show", pool_id)).max_nodes).toBe(7);
    expect(pool.log()).toContain("http.port");
  });

  test("keeps the old configuration when the new one is wrong", async () => {
    await using pool = await PoolProcess.start();
    pool.configure({ registry: { max_nodez: 7 } });
    pool.signal("SIGHUP");
    await until("the refusal", () => pool.log().includes("the old one stays"));
    expect(pool.log()).toContain("registry.max_nodes");
    expect((await fetch(`${pool.url}/readyz`)).status).toBe(200);
  });

  test.each([
    ["an unknown key", { registry: { max_node: 3 } }, "config.unknown_key"],
    ["a value out of its limits", { registry: { max_nodes: 0 } }, "config.invalid"],
    ["gRPC without TLS", { server: { tls: { enabled: false } } }, "config.tls_required"],
  ] as const)("refuses %s", async (_, config, code) => {
    await using pool = await PoolProcess.initialised();
    pool.configure(config);
    const ran = await pool.cli("serve");
    expect(ran.code).toBe(1);
    expect(ran.stderr).toContain(`code: ${code}`);
  });

  test("refuses MONGODB_URI with a sentence that names DATABASE_URL", async () => {
    await using pool = await PoolProcess.initialised();
    const environment = { MONGODB_URI: "mongodb://localhost/lucid" };
    await using told = await PoolProcess.initialised({ environment }).catch((error) => {
      expect(String(error)).toContain("DATABASE_URL");
      return pool;
    });
    expect(told).toBe(pool);
  });
});

describe.concurrent("node run", () => {
  test("goes on over a restart of its pool, and not a slot it proved is lost", async () => {
    await using pool = await PoolProcess.start({ keepsPorts: true });
    await using node = await NodeProcess.joined(pool, "patient", { token: await pool.token() });
    await node.run();
    await node.proves(2);
    expect(await pool.stop()).toBe(0);
    await pool.serve();
    await node.proves(node.provenSlots() + 2);
    expect(await node.stop()).toBe(0);

    const proven = node.provenSlots();
    await until("every proven slot to be credited", async () => {
      const { credit_total } = await pool.told("GET", `/api/v1/poot/${node.id}`);
      return credit_total === proven;
    });
  });

  test("restarts itself with what it knew", async () => {
    await using pool = await PoolProcess.start();
    await using node = await NodeProcess.joined(pool, "restarting", { token: await pool.token() });
    for (let run = 0; run < 2; run++) {
      const before = node.provenSlots();
      await node.run();
      await node.proves(before + 2);
      expect(await node.stop()).toBe(0);
    }
    const proven = node.provenSlots();
    await until("every proven slot to be credited", async () => {
      const { credit_total } = await pool.told("GET", `/api/v1/poot/${node.id}`);
      return credit_total === proven;
    });
  });
});
