import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { NodeProcess } from "#test/support/node-process.ts";
import { allCredited, MICRO_A_SLOT, type Numbers, numbersBySource } from "#test/support/numbers.ts";
import { PoolProcess, type PoolTerms } from "#test/support/pool-process.ts";
import { postgresDatabase, postgresSkipped } from "#test/support/postgres.ts";
import { until } from "#test/support/until.ts";
import { fromBase64, fromHex, toHex } from "@/std/bytes.ts";
import { sha256, verifySignature } from "@/std/crypto.ts";

setDefaultTimeout(60_000);

const ADDRESS = "IBAN DE02 1203 0000 0000 2020 51";
const SLOTS = 5;
const PYTHON_NODE = join(import.meta.dir, "../../scripts/examples/node.py");
const PYTHON_SLOTS = 6;

/** Everything that shows a number shows the same. */
async function expectEverywhere(pool: PoolProcess, node: NodeProcess, numbers: Numbers) {
  const shown = await numbersBySource(pool, node);
  for (const [source, told] of Object.entries(shown))
    expect([source, told]).toEqual([source, numbers]);
}

/** A node joins, proves some slots and stops; answers what it has earned, in micro-USDT. */
async function earn(pool: PoolProcess, node: NodeProcess): Promise<number> {
  await node.run();
  await node.proves(node.provenSlots() + SLOTS);
  expect(await node.stop()).toBe(0);
  return (await allCredited(pool, node)) * MICRO_A_SLOT;
}

/** The batch lies in the data folder as JSON and CSV, and its hash beside it. */
function expectFiles(pool: PoolProcess, batch: { file: string; sha256: string }): void {
  const bytes = readFileSync(join(pool.dataDir, batch.file));
  expect(toHex(sha256(bytes))).toBe(batch.sha256);
  const beside = (extension: string): string =>
    readFileSync(join(pool.dataDir, batch.file.replace(/json$/, extension)), "utf8");
  expect(beside("sha256")).toContain(batch.sha256);
  expect(beside("csv")).toContain(ADDRESS);
}

/** Seals what is payable and says that it was paid, twice. */
async function payOnce(pool: PoolProcess, node: NodeProcess, earned: number): Promise<void> {
  const plan = await pool.json("payout", "plan");
  expect(plan.items).toMatchObject([
    { node_id: node.id, address: ADDRESS, amount_micro_usdt: `${earned}` },
  ]);
  const { batch_id } = await pool.json("payout", "process", "--key", "once");
  expect((await pool.json("payout", "process", "--key", "once")).batch_id).toBe(batch_id);
  await expectEverywhere(pool, node, { owed: `${earned}`, pending: `${earned}`, paid: "0" });
  const [batch] = (await pool.json("payout", "list")).items;
  expect(batch).toMatchObject({ batch_id, state: "sealed", total_micro_usdt: `${earned}` });
  expectFiles(pool, batch);

  for (let times = 0; times < 2; times++) {
    const settled = await pool.json("payout", "settle", batch_id, "--ref", "bank-1");
    expect(settled).toMatchObject({ state: "settled", items: [{ reference: "bank-1" }] });
  }
  const otherwise = await pool.cli("payout", "settle", batch_id, "--ref", "bank-2");
  expect([otherwise.code, otherwise.stderr]).toEqual([
    1,
    expect.stringContaining("payout.already_settled_otherwise"),
  ]);
}

/** The statement sums up, is signed by the pool, and says the same as a table. */
async function expectStatement(pool: PoolProcess, node: NodeProcess, earned: number) {
  const signed = await until("the payment to lie in a closed interval", async () => {
    const told = await pool.told("GET", `/api/v1/statements/${node.id}`);
    return told.statement.payouts.length > 0 && told;
  });
  const { statement, sha256: hash, signature } = signed;
  expect(statement).toMatchObject({
    opening_micro_usdt: "0",
    closing_micro_usdt: "0",
    payouts: [{ amount_micro_usdt: `${earned}`, ref: "bank-1" }],
  });
  const [key, said, seal] = [fromHex(statement.pool_key), fromHex(hash), fromBase64(signature)];
  expect(key && said && seal && verifySignature(key, said, seal)).toBe(true);
  const { stdout } = await pool.cli("statement", node.id, "--format", "csv");
  expect(stdout).toContain(`,-${earned},0,bank-1\r\n`);
}

/** What is credited can be recomputed here, and checked anywhere. */
async function expectProof(pool: PoolProcess, node: NodeProcess, slots: number): Promise<void> {
  expect(await pool.json("poot", "calculate")).toMatchObject({ equal: true });
  const { stdout } = await pool.cli("poot", "show", node.id, "--file");
  const file = join(pool.folder, "proof.json");
  writeFileSync(file, stdout);
  const words = ["poot", "verify", file, "--node", node.id, "--json"];
  const { code, stdout: verdict } = await pool.run(...words);
  expect([code, JSON.parse(verdict)]).toMatchObject([
    0,
    { ok: true, files: [{ node_id: node.id, credit_total: slots }] },
  ]);
  writeFileSync(file, stdout.replace(/"credit_total": ?\d+/, '"credit_total": 999999'));
  expect((await pool.run(...words)).code).toBe(4);
}

async function earnsAndIsPaid(terms: PoolTerms): Promise<void> {
  await using pool = await PoolProcess.start(terms);
  const more = ["--payout-address", ADDRESS];
  await using node = await NodeProcess.joined(pool, "earner", { token: await pool.token(), more });
  const earned = await earn(pool, node);
  await expectEverywhere(pool, node, { owed: `${earned}`, pending: "0", paid: "0" });
  await payOnce(pool, node, earned);
  await expectEverywhere(pool, node, { owed: "0", pending: "0", paid: `${earned}` });
  await expectStatement(pool, node, earned);
  await expectProof(pool, node, earned / MICRO_A_SLOT);
}

describe.concurrent("a node joins, earns and is paid, and one number is shown everywhere", () => {
  test("on SQLite", () => earnsAndIsPaid({}));

  test.skipIf(postgresSkipped !== undefined)("on PostgreSQL", async () => {
    const DATABASE_URL = await postgresDatabase();
    await earnsAndIsPaid({ environment: { DATABASE_URL } });
  });
});

describe.concurrent("a node's own verbs", () => {
  test("say what it has, announce maintenance, change the address, and leave", async () => {
    await using pool = await PoolProcess.start();
    const token = await pool.token();
    await using node = await NodeProcess.joined(pool, "verbose", { token });
    await node.run();
    await node.proves(2);
    expect(await node.json("status")).toMatchObject({
      node_id: node.id,
      running: true,
      connected: true,
      state: "alive",
      hold: "no_address",
      payout_address: null,
    });

    expect(await node.json("address", "paypal:one@example.org")).toMatchObject({
      state: "confirmed",
    });
    expect(await node.json("address", "paypal:two@example.org")).toMatchObject({
      state: "changing",
    });
    expect(await node.json("status")).toMatchObject({ hold: "address_changing" });

    await node.json("leave");
    expect(await node.ended()).toBe(0);
    const view = await pool.told("GET", `/api/v1/nodes/${node.id}`);
    expect(view.state).toBe("left");
    const proven = await allCredited(pool, node);
    const { owed_micro_usdt } = await pool.told("GET", `/api/v1/payouts/${node.id}`);
    expect(owed_micro_usdt).toBe(`${proven * MICRO_A_SLOT}`);
    expect((await node.cli("status")).code).toBe(1);
  });

  test("maintenance makes the slots a node is away PLANNED, not DOWN", async () => {
    await using pool = await PoolProcess.start();
    await using node = await NodeProcess.joined(pool, "away", { token: await pool.token() });
    await node.run();
    await node.proves(2);
    await node.json("maintenance", "--for", "5m");
    await node.proves(node.provenSlots() + 2);
    await node.kill();
    await until("planned slots to be closed", async () => {
      const { today } = await pool.told("GET", `/api/v1/poot/${node.id}`);
      expect(today.down).toBe(0);
      return today.planned >= 3;
    });
  });
});

interface Example {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the example with Debian's own Python. */
async function runExample(pool: PoolProcess, words: readonly string[]): Promise<Example> {
  const ports = ["--https-port", `${pool.securePort}`, "--grpc-port", `${pool.grpcPort}`];
  const data = ["--data", join(pool.folder, "python")];
  const node = Bun.spawn(["/usr/bin/python3", PYTHON_NODE, ...words, ...ports, ...data], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...pool.environment, PYTHONDONTWRITEBYTECODE: "1" },
  });
  const [stdout, stderr] = await Promise.all([node.stdout.text(), node.stderr.text()]);
  return { code: await node.exited, stdout, stderr };
}

describe.concurrent("a node in Python", () => {
  test("enrols, registers and earns with a stock gRPC", async () => {
    await using pool = await PoolProcess.start();
    const words = ["localhost", "--token", await pool.token(), "--specialization", "analytics"];
    const { code, stdout, stderr } = await runExample(pool, [
      ...words,
      "--slots",
      `${PYTHON_SLOTS}`,
    ]);
    expect([code, stderr]).toEqual([0, ""]);
    const id = /joined as node (\w+)/.exec(stdout)?.[1] ?? "";

    expect(stdout).toContain("slots are credited");
    const node = await pool.told("GET", `/api/v1/nodes/${id}`);
    expect(node).toMatchObject({ specialization: "analytics" });
    await until("all of its slots to be credited", async () => {
      const { credit_total } = await pool.told("GET", `/api/v1/poot/${id}`);
      return credit_total === PYTHON_SLOTS;
    });
  });

  test("sends nothing to a pool that is not its token's", async () => {
    await using pool = await PoolProcess.start();
    await using other = await PoolProcess.start();
    const { code, stderr } = await runExample(other, ["127.0.0.1", "--token", await pool.token()]);
    expect(code).toBe(1);
    expect(stderr).toContain("Nothing was sent");
  });
});
