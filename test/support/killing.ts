import { join } from "node:path";
import { openPostgres } from "@/drivers/postgres/database.ts";
import { openSqlite } from "@/drivers/sqlite/database.ts";
import { checkTables } from "@/modules/ledger/self-check.ts";
import type { Database } from "@/ports/database.ts";

import { TestClock } from "./clock.ts";
import { HandPayer } from "./hand-payer.ts";
import { NodeProcess } from "./node-process.ts";
import { allCredited, MICRO_A_SLOT } from "./numbers.ts";
import { PoolProcess } from "./pool-process.ts";
import { postgresDatabase } from "./postgres.ts";
import { seededRandom } from "./seeded-random.ts";

/** How a pool is killed. */
export interface KillTerms {
  readonly kills: number;
  readonly nodes: number;
  readonly seed: number;
  readonly database: Database["kind"];
  /** Called after each kill with how long the pool took to be ready again. */
  readonly tell?: (backMs: number) => void;
}

/** What came of it. */
export interface KillFigures {
  readonly kills: number;
  /** Slots the nodes hold receipts for, by their own record. */
  readonly proven: number;
  readonly lost: number;
  readonly doubled: number;
  readonly backMs: readonly number[];
  readonly batches: number;
  readonly payments: number;
  /** Everything that is not as it must be; empty when all is well. */
  readonly faults: readonly string[];
}

const CONFIG = { payout: { threshold_usdt: "0.002", interval_seconds: 10 } };
const RUN_MS_MIN = 150;
const RUN_MS_MORE = 1_600;
const IN_REQUEST_MS_MAX = 12;

/**
 * Kills a pool with live nodes again and again, half of the times at a random moment and half right
 * after a payout step was asked of it; then lets everything come to rest and counts.
 */
export async function killPool(terms: KillTerms): Promise<KillFigures> {
  const url = terms.database === "postgres" ? await postgresDatabase() : undefined;
  const environment = url === undefined ? {} : { DATABASE_URL: url };
  await using pool = await PoolProcess.start({ config: CONFIG, keepsPorts: true, environment });
  const nodes = await startNodes(pool, terms.nodes);
  await using _nodes = { [Symbol.asyncDispose]: () => killAll(nodes) };
  const payer = new HandPayer(pool);
  payer.start();
  const backMs = await killAgainAndAgain(pool, payer, terms);
  for (const node of nodes) await node.proves(node.provenSlots() + 2);
  for (const node of nodes) await node.stop();
  await payer.stop();
  const counted = await count(pool, nodes, payer);
  const code = await pool.stop();
  const faults = [
    ...counted.faults,
    ...(code === 0 ? [] : [`the pool stopped with ${code}`]),
    ...(await ledgerFaults(pool, url)),
  ];
  return { kills: terms.kills, backMs, ...counted, faults };
}

async function startNodes(pool: PoolProcess, count: number): Promise<readonly NodeProcess[]> {
  const token = await pool.token({ uses: count });
  const names = Array.from({ length: count }, (_, at) => `node-${at + 1}`);
  const nodes = await Promise.all(
    names.map((name) =>
      NodeProcess.joined(pool, name, { token, more: ["--payout-address", `cash to ${name}`] }),
    ),
  );
  for (const node of nodes) await node.run();
  for (const node of nodes) await node.proves(1);
  return nodes;
}

async function killAll(nodes: readonly NodeProcess[]): Promise<void> {
  for (const node of nodes) await node.kill();
}

async function killAgainAndAgain(
  pool: PoolProcess,
  payer: HandPayer,
  { kills, seed, tell }: KillTerms,
): Promise<number[]> {
  const random = seededRandom(seed);
  const backMs: number[] = [];
  for (let kill = 0; kill < kills; kill++) {
    await Bun.sleep(RUN_MS_MIN + random() * RUN_MS_MORE);
    if (random() < 0.5) {
      await payer.nextRequest();
      await Bun.sleep(random() * IN_REQUEST_MS_MAX);
    }
    await pool.kill();
    const back = await pool.serve();
    backMs.push(back);
    tell?.(back);
  }
  return backMs;
}

async function count(pool: PoolProcess, nodes: readonly NodeProcess[], payer: HandPayer) {
  const faults: string[] = [];
  let [proven, lost, doubled] = [0, 0, 0];
  for (const node of nodes) {
    const slots = await allCredited(pool, node).catch(() => node.provenSlots());
    const { credit_total } = await pool.told("GET", `/api/v1/poot/${node.id}`);
    proven += slots;
    lost += Math.max(0, slots - credit_total);
    doubled += Math.max(0, credit_total - slots);
  }
  await payer.finish();
  const calculated = await pool.told("POST", "/api/v1/poot/calculate", {});
  if (!calculated.equal) faults.push(`recomputed: ${JSON.stringify(calculated)}`);
  for (const node of nodes) faults.push(...(await moneyFaults(pool, node, payer)));
  const { payments } = payer;
  const batches = new Set(payments.map(({ batch }) => batch)).size;
  return { proven, lost, doubled, batches, payments: payments.length, faults };
}

/** A node was paid what the operator paid by hand, once each, and is owed the rest of what it earned. */
async function moneyFaults(
  pool: PoolProcess,
  node: NodeProcess,
  payer: HandPayer,
): Promise<readonly string[]> {
  const view = await pool.told("GET", `/api/v1/payouts/${node.id}`);
  const { credit_total } = await pool.told("GET", `/api/v1/poot/${node.id}`);
  const mine = payer.payments.filter((payment) => payment.node === node.id);
  const byHand = mine.reduce((sum, { micro }) => sum + micro, 0n);
  const posted = view.history.filter(({ state }: { state: string }) => state === "posted");
  const [paid, owed] = [BigInt(view.paid_micro_usdt), BigInt(view.owed_micro_usdt)];
  const faults: string[] = [];
  if (paid !== byHand) faults.push(`${node.name}: ${paid} in the books, ${byHand} by hand`);
  if (posted.length !== mine.length)
    faults.push(`${node.name}: ${posted.length} settled payments, ${mine.length} by hand`);
  if (paid + owed !== BigInt(credit_total * MICRO_A_SLOT))
    faults.push(`${node.name}: ${paid} paid and ${owed} owed of ${credit_total} slots`);
  return faults;
}

/** The invariants of the ledger, over what is on the disk. */
async function ledgerFaults(pool: PoolProcess, url: string | undefined): Promise<string[]> {
  const found: string[] = [];
  const onFailed = (fault: unknown): void => void found.push(`the database failed: ${fault}`);
  const clock = new TestClock();
  const database =
    url === undefined
      ? openSqlite({ path: join(pool.dataDir, "pool.db"), clock, onFailed })
      : await openPostgres({ url, clock, onFailed });
  const violations = await checkTables(database);
  await database.close();
  return [...found, ...violations.map(({ subject, message }) => `${subject}: ${message}`)];
}
