import { until } from "../bench/processes.ts";
import type { Machine } from "./machine.ts";
import { demand } from "./report.ts";

/**
 * What every part goes through, wherever the pool runs. All patience is a parameter, because an emulated
 * board is twenty times slower than this machine.
 */

/** Runs a command line of `galaxy-pool` where the pool or the node is; it must succeed. Answers what it printed. */
export type Galaxy = (words: string) => Promise<string>;

/** What one node has earned, in micro-USDT. */
export interface Earned {
  readonly owed: bigint;
  readonly pending: bigint;
  readonly paid: bigint;
}

interface Payment {
  readonly batch: string;
  readonly microUsdt: bigint;
}

interface Items<T> {
  readonly items: readonly T[];
}

/**
 * A clock fast enough to watch, by environment: slots of 5 s (the shortest without the demo's switch),
 * intervals of 10 s, 5000 µUSDT a slot, due after four slots. Payouts run when a step asks for them.
 */
export const FAST_CLOCK: readonly string[] = [
  "GALAXY_POOL_POOT_SLOT_SECONDS=5",
  "POOT_CALCULATION_INTERVAL=10",
  "GALAXY_POOL_POOT_TARIFF_USDT_PER_HOUR=3.6",
  "PAYOUT_THRESHOLD_USDT=0.02",
];
export const SLOT_SECONDS = 5;
export const MICRO_A_SLOT = 5000n;
export const DUE_SLOTS = 4;

/** The command line on a machine. */
export function galaxyOn(machine: Machine, timeoutMs = 30_000): Galaxy {
  return (words) => machine.read(`galaxy-pool ${words}`, { timeoutMs });
}

/** A command that answers JSON. */
export async function asked<T>(galaxy: Galaxy, words: string): Promise<T> {
  return JSON.parse(await galaxy(`${words} --json`)) as T;
}

/** Waits until a pool says that it is healthy. */
export async function untilHealthy(galaxy: Galaxy, patienceMs: number): Promise<void> {
  await galaxy(`health --wait ${Math.ceil(patienceMs / 1000)}s`);
}

/** The line in an installer's output that makes another machine a node of this pool. */
export function joinLineIn(printed: string): string {
  const line = /curl .*GALAXY_POOL_URL=\S+.*GALAXY_POOL_TOKEN=GP1\S+.*$/m.exec(printed)?.[0];
  demand(line !== undefined, "a join line with a token", printed);
  return line.trim();
}

/** The line with the address at which this node finds the pool. */
export function reachedAt(joinLine: string, address: string): string {
  return joinLine.replace(/GALAXY_POOL_URL=\S+/, `GALAXY_POOL_URL=${address}`);
}

/** The only node of a pool. */
export async function onlyNode(galaxy: Galaxy): Promise<string> {
  const { items } = await asked<Items<{ node_id: string }>>(galaxy, "node list");
  const [node] = items;
  demand(node !== undefined && items.length === 1, "one node", items);
  return node.node_id;
}

/** Waits until so many slots of a node are credited; answers how many are. */
export function untilCredited(
  galaxy: Galaxy,
  node: string,
  slots: number,
  patienceMs: number,
): Promise<number> {
  const look = async (): Promise<number | undefined> => {
    const credited = await creditedOf(galaxy, node).catch(() => 0);
    return credited >= slots ? credited : undefined;
  };
  return until(`${slots} credited slots`, look, { withinMs: patienceMs, everyMs: 500 });
}

/** How many slots of a node are credited. */
export async function creditedOf(galaxy: Galaxy, node: string): Promise<number> {
  const shown = await asked<{ credit_total: number }>(galaxy, `poot show ${node}`);
  return shown.credit_total;
}

/** What `explain` says of a node's money. */
export async function earnedOf(galaxy: Galaxy, node: string): Promise<Earned> {
  const told = await asked<Record<string, string>>(galaxy, `explain ${node}`);
  const figure = (name: string): bigint => BigInt(told[`${name}_micro_usdt`] ?? "");
  return { owed: figure("owed"), pending: figure("pending"), paid: figure("paid") };
}

interface Batch {
  readonly batch_id: string;
  readonly state: string;
  readonly items: readonly { readonly node_id: string; readonly amount_micro_usdt: string }[];
}

/** Pays what is due to a node by hand, and says so with a reference; the amount is the sealed batch's. */
export async function pay(galaxy: Galaxy, node: string, reference: string): Promise<Payment> {
  await asked(galaxy, "payout plan");
  await asked(galaxy, "payout process");
  // At the full hour the pool's own run may have come first: then its batch is the one to be paid.
  const { items } = await asked<Items<Batch>>(galaxy, "payout list --state sealed");
  const sealed = items.find((batch) => batch.items.some(({ node_id }) => node_id === node));
  const due = sealed?.items.find(({ node_id }) => node_id === node);
  demand(sealed !== undefined && due !== undefined, "a sealed batch that pays the node", items);
  const settled = await asked<{ state: string }>(
    galaxy,
    `payout settle ${sealed.batch_id} --ref ${reference}`,
  );
  demand(settled.state === "settled", "the batch to be settled", settled);
  return { batch: sealed.batch_id, microUsdt: BigInt(due.amount_micro_usdt) };
}
