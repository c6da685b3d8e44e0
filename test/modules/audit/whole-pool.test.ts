import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { isCheckpointOf, parseCheckpoint } from "@/core/audit/checkpoint.ts";
import { toBase64, utf8 } from "@/std/bytes.ts";
import { sha256, signingKey } from "@/std/crypto.ts";
import { WholePool } from "./whole-pool.ts";

setDefaultTimeout(60_000);

let pool: WholePool;

beforeAll(async () => {
  pool = await WholePool.start();
  await pool.clock.pass(180_000, 5_000);
});
afterAll(() => pool[Symbol.asyncDispose]());

describe("the audit log of a whole pool", () => {
  test("gives its newest checkpoint to every statement", async () => {
    const key = signingKey(sha256(utf8("a node"))).publicKey;
    const body = { name: "n", public_key: toBase64(key), specialization: "storage" };
    const { node_id } = await pool.ask("POST", "/api/v1/nodes", body);
    const { audit_checkpoint } = await pool.ask("GET", `/api/v1/statements/${node_id}`);
    const checkpoint = parseCheckpoint(audit_checkpoint);
    const auditKey = pool.kernel.service("authority").auditKey();
    expect(isCheckpointOf(checkpoint, auditKey.publicKey)).toBe(true);
    const token = pool.kernel.service("files").readText("operator.token")?.trim();
    const csv = await fetch(`${pool.url}/api/v1/statements/${node_id}?format=csv`, {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(await csv.text()).toContain(`audit checkpoint,,,,"${audit_checkpoint}"`);
  });

  test("warns in the health, the status and by an anomaly once a row was changed", async () => {
    const healthy = await pool.ask("GET", "/api/v1/status");
    expect(healthy.warnings.filter((one: string) => one.startsWith("audit"))).toEqual([]);
    const database = pool.kernel.service("database");
    const change = database.sql.updateTable("audit").set({ subject: "else" }).where("id", "=", 1n);
    await database.commit([{ query: change.compile(), rows: 1 }]);
    await pool.ask("POST", "/api/v1/tokens", {});
    await pool.clock.pass(120_000, 5_000);
    const { warnings, status } = await pool.ask("GET", "/api/v1/status");
    expect([status, warnings]).toEqual(["unhealthy", expect.any(Array)]);
    expect(warnings.join()).toContain("row 1 of the audit was changed");
    const { items } = await pool.ask("GET", "/api/v1/anomalies");
    expect(items.map(({ rule }: { rule: string }) => rule)).toContain("audit_inconsistent");
    const checkpoint = await pool.ask("GET", "/api/v1/audit/checkpoint");
    expect(checkpoint.fault).toContain("row 1");
  });
});
