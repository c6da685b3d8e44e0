import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatUsdt } from "@/core/money.ts";

/**
 * A pool and three nodes on this machine, as real processes on a fast clock: slots of one second,
 * intervals of five, a threshold of some thousandths of a USDT. The demo plays the operator who pays the
 * batches by hand. `--exit-when-paid` ends it once every node was paid.
 */

const NAMES = ["atlas", "borealis", "cygnus"] as const;
const ADDRESSES = [
  "IBAN DE02 1203 0000 0000 2020 51",
  "paypal:borealis@example.org",
  "cash, third drawer",
] as const;
const UNTIL_READY_MS = 15_000;
const TICK_MS = 500;
const PATIENCE_MS = 120_000;

const CONFIG = `http: { port: 0, secure_port: 0 }
server: { address: "127.0.0.1:0" }
poot:
  demo: true
  slot_seconds: 1
  interval_seconds: 5
  tariff: { usdt_per_hour: "3.6" }
payout: { threshold_usdt: "0.008", interval_seconds: 10 }
logging: { level: WARN }
`;

interface Listening {
  readonly plain: readonly string[];
  readonly secure: readonly string[];
  readonly grpc: string;
}

interface Standing {
  readonly node_id: string;
  readonly owed_micro_usdt: string;
  readonly pending_micro_usdt: string;
  readonly paid_micro_usdt: string;
}

interface NodeRow {
  readonly node_id: string;
  readonly name: string;
  readonly state: string;
}

interface Batch {
  readonly batch_id: string;
  readonly state: string;
  readonly total_micro_usdt: string;
}

const folder = mkdtempSync(join(tmpdir(), "galaxy-demo-"));
const running: Bun.Subprocess[] = [];
const exitWhenPaid = process.argv.includes("--exit-when-paid");
let ending = false;

process.on("SIGINT", () => void end(0));
process.on("SIGTERM", () => void end(0));
await demo().catch(async (error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  await end(1);
});

async function demo(): Promise<void> {
  say(`The demo works in ${folder}.`);
  const pool = await startPool();
  await joinNodes(pool);
  say("Three nodes joined and run. Every second of theirs is proven, every five are closed.");
  say(
    `The API: ${pool.plain[0]} (reference ${pool.plain[0]}/docs), token in ${join(folder, "pool", "operator.token")}`,
  );
  say("Stop with Ctrl-C; everything is removed then.");
  const from = performance.now();
  let told = "";
  while (!ending) {
    const [nodes, standings] = await Promise.all([
      items<NodeRow>(pool, "/api/v1/nodes"),
      items<Standing>(pool, "/api/v1/payouts"),
    ]);
    told = show(nodes, standings, told);
    await settleOpen(pool);
    const paid = standings.filter((one) => BigInt(one.paid_micro_usdt) > 0n);
    if (exitWhenPaid && paid.length === NAMES.length) return finish(nodes, standings);
    if (exitWhenPaid && performance.now() - from > PATIENCE_MS)
      throw new Error("nobody was paid in two minutes");
    await Bun.sleep(TICK_MS);
  }
}

async function startPool(): Promise<Listening> {
  const config = join(folder, "pool.yaml");
  writeFileSync(
    config,
    `storage: { data_dir: ${JSON.stringify(join(folder, "pool"))} }\n${CONFIG}`,
  );
  await galaxy(["init", "--config", config, "--name", "demo", "--kind", "dev"]);
  start(["serve", "--config", config]);
  const file = join(folder, "pool", "listening.json");
  const until = performance.now() + UNTIL_READY_MS;
  while (performance.now() < until) {
    const listening = readListening(file);
    if (listening && (await isReady(listening))) return listening;
    await Bun.sleep(50);
  }
  throw new Error("the pool did not come up");
}

async function joinNodes(pool: Listening): Promise<void> {
  const config = join(folder, "pool.yaml");
  const made = await galaxy([
    "token",
    "create",
    "--uses",
    String(NAMES.length),
    "--config",
    config,
    "--json",
  ]);
  const { token } = JSON.parse(made) as { token: string };
  for (const [at, name] of NAMES.entries()) {
    const data = join(folder, name);
    const address = ADDRESSES[at] ?? "";
    await galaxy([
      "node",
      "join",
      pool.grpc,
      "--token",
      token,
      "--name",
      name,
      "--data",
      data,
      "--payout-address",
      address,
    ]);
    start(["node", "run", "--data", data, "--log-level", "error"]);
  }
}

/** The operator of the demo: pays a batch as soon as it is sealed, and says so with a reference. */
async function settleOpen(pool: Listening): Promise<void> {
  for (const batch of await items<Batch>(pool, "/api/v1/payouts/batches")) {
    if (batch.state !== "sealed") continue;
    const ref = `demo-${batch.batch_id}`;
    await ask(pool, "POST", `/api/v1/payouts/batches/${batch.batch_id}/settle`, { ref });
    say(
      `The operator paid batch ${batch.batch_id}: ${usdt(batch.total_micro_usdt)} USDT, reference ${ref}.`,
    );
  }
}

function show(nodes: readonly NodeRow[], standings: readonly Standing[], told: string): string {
  const rows = nodes.map(({ node_id, name, state }) => {
    const money = standings.find((one) => one.node_id === node_id);
    const cells = [money?.owed_micro_usdt, money?.pending_micro_usdt, money?.paid_micro_usdt];
    return [name.padEnd(10), state.padEnd(6), ...cells.map((micro) => usdt(micro ?? "0"))].join(
      "  ",
    );
  });
  const table = ["node        state   owed      pending   paid (USDT)", ...rows].join("\n");
  if (table === told) return told;
  const up =
    process.stdout.isTTY && told !== "" ? `\u001b[${told.split("\n").length}A\u001b[J` : "";
  console.log(
    process.stdout.isTTY ? `${up}${table}` : `${rows.map((row) => row.trim()).join(" | ")}`,
  );
  return table;
}

async function finish(nodes: readonly NodeRow[], standings: readonly Standing[]): Promise<void> {
  const paid = nodes.map(({ node_id, name }) => {
    const money = standings.find((one) => one.node_id === node_id);
    return `${name} ${usdt(money?.paid_micro_usdt ?? "0")} USDT`;
  });
  await end(0, `Paid: ${paid.join(", ")}`);
}

async function end(code: number, last = "The demo has ended."): Promise<void> {
  if (ending) return;
  ending = true;
  for (const one of running.toReversed()) {
    one.kill("SIGTERM");
    await one.exited;
  }
  rmSync(folder, { recursive: true, force: true });
  console.log(last);
  process.exit(code);
}

function start(words: readonly string[]): void {
  running.push(
    Bun.spawn([process.execPath, "src/main.ts", ...words], {
      stdio: ["ignore", "ignore", "inherit"],
      env: environment(),
    }),
  );
}

async function galaxy(words: readonly string[]): Promise<string> {
  const run = Bun.spawn([process.execPath, "src/main.ts", ...words], {
    stdio: ["ignore", "pipe", "pipe"],
    env: environment(),
  });
  const [text, problem, code] = await Promise.all([
    run.stdout.text(),
    run.stderr.text(),
    run.exited,
  ]);
  if (code !== 0) throw new Error(`galaxy-pool ${words.slice(0, 2).join(" ")} failed: ${problem}`);
  return text;
}

/** The configuration of the person who runs the demo must not steer it. */
function environment(): Record<string, string | undefined> {
  return { PATH: process.env["PATH"], HOME: process.env["HOME"], NODE_ENV: "production" };
}

function readListening(file: string): Listening | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Listening;
  } catch {
    return undefined;
  }
}

async function isReady({ plain }: Listening): Promise<boolean> {
  const answer = await fetch(`${plain[0]}/readyz`).catch(() => undefined);
  return answer?.status === 200;
}

async function ask<T>(pool: Listening, method: string, path: string, body?: unknown): Promise<T> {
  const token = readFileSync(join(folder, "pool", "operator.token"), "utf8").trim();
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const init =
    body === undefined ? { method, headers } : { method, headers, body: JSON.stringify(body) };
  const answer = await fetch(`${pool.plain[0]}${path}`, init);
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as T;
}

async function items<T>(pool: Listening, path: string): Promise<readonly T[]> {
  return (await ask<{ items: T[] }>(pool, "GET", path)).items;
}

function say(text: string): void {
  console.log(text);
}

function usdt(micro: string): string {
  return formatUsdt(BigInt(micro));
}
