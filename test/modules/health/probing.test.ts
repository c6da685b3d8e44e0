import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createServer } from "node:net";
import { TestClock } from "#test/support/clock.ts";
import { beAlive, memberOf, poolNamed, registryOn } from "#test/support/registry.ts";
import { openProbes } from "@/drivers/probes.ts";
import { openSqlite } from "@/drivers/sqlite/database.ts";
import { Probing } from "@/modules/health/probing.ts";
import type { Registry } from "@/modules/registry/service.ts";

const TERMS = { timeoutMs: 2_000, everyMs: 60_000, atOnceMax: 8 };
const HOUR_MS = 3_600_000;

const server = createServer((socket) => socket.end());
const clock = new TestClock();
const database = openSqlite({ path: ":memory:", clock, onFailed: () => {} });
let registry: Registry;
let open = "";

beforeAll(async () => {
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const address = server.address();
  open = `tcp://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
  ({ registry } = await registryOn(database, {}, clock));
});
afterAll(async () => {
  server.close();
  await database.close();
});

let number = 0;

async function aliveNode(endpoint: string) {
  const pool = await poolNamed(registry, `pool ${++number}`);
  const node = await memberOf(registry, pool.id, number, { endpoint });
  beAlive(registry, node.id);
  return node;
}

describe("probing", () => {
  test("asks the endpoint of a node that is alive, and counts its answer", async () => {
    const node = await aliveNode(open);
    const probing = new Probing(registry, openProbes(), TERMS);
    for (let n = 0; n < 5; n++) await probing.tick(clock.now(), TERMS.everyMs, () => 0);
    expect(probing.healthOf(node.id)).toBe(1000);
    expect(registry.getNode(node.id).healthPermille).toBe(1000);
  });

  test("asks nobody whose dice say no", async () => {
    const node = await aliveNode("tcp://127.0.0.1:1");
    const probing = new Probing(registry, openProbes(), TERMS);
    for (let n = 0; n < 6; n++) await probing.tick(clock.now(), 30_000, () => 0.5);
    expect(probing.healthOf(node.id)).toBe(1000);
  });

  test("lets silence count only from the fifth probe on, and tells the registry", async () => {
    const node = await aliveNode("tcp://127.0.0.1:1");
    const probing = new Probing(registry, openProbes(), TERMS);
    const seen: number[] = [];
    for (let n = 0; n < 6; n++) {
      await probing.tick(clock.now(), TERMS.everyMs, () => 0);
      seen.push(registry.getNode(node.id).healthPermille);
    }
    expect(seen).toEqual([1000, 1000, 1000, 1000, 0, 0]);
  });

  test("rounds health down to thousandths of what was answered", async () => {
    const node = await aliveNode("");
    const probing = new Probing(registry, openProbes(), TERMS);
    for (let n = 0; n < 6; n++) probing.record(node.id, n % 3 !== 0, clock.now());
    expect(probing.healthOf(node.id)).toBe(666);
  });

  test("forgets what is older than a day", async () => {
    const node = await aliveNode("");
    const probing = new Probing(registry, openProbes(), TERMS);
    const from = clock.now();
    for (let n = 0; n < 10; n++) probing.record(node.id, false, from);
    for (let n = 0; n < 5; n++) probing.record(node.id, true, from + 23 * HOUR_MS);
    expect(probing.healthOf(node.id)).toBe(333);
    for (let n = 0; n < 5; n++) probing.record(node.id, true, from + 25 * HOUR_MS);
    expect(probing.healthOf(node.id)).toBe(1000);
  });

  test("starts anew with a node it was told to forget", async () => {
    const node = await aliveNode("");
    const probing = new Probing(registry, openProbes(), TERMS);
    for (let n = 0; n < 6; n++) probing.record(node.id, false, clock.now());
    probing.forget(node.id);
    expect(probing.healthOf(node.id)).toBe(1000);
  });
});
