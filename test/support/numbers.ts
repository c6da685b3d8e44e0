import type { NodeProcess } from "./node-process.ts";
import type { PoolProcess } from "./pool-process.ts";
import { until } from "./until.ts";

/** What a slot of a second earns at 3.6 USDT an hour, in micro-USDT. */
export const MICRO_A_SLOT = 1000;

/** What one node is owed and was paid. */
export interface Numbers {
  readonly owed: string;
  readonly pending: string;
  readonly paid: string;
}

/** The numbers of the only node of a pool, by everything that shows them. */
export async function numbersBySource(
  pool: PoolProcess,
  node: NodeProcess,
): Promise<Readonly<Record<string, Numbers>>> {
  const listed = await pool.told("GET", "/api/v1/payouts");
  return {
    "GET payouts": numbersIn(listed.items[0]),
    "GET payouts of the node": numbersIn(await pool.told("GET", `/api/v1/payouts/${node.id}`)),
    "GET explain": numbersIn(await pool.told("GET", `/api/v1/explain?node=${node.id}`)),
    explain: numbersIn(await pool.json("explain", node.id)),
    status: numbersIn((await pool.json("status")).money),
    "node status": numbersIn(await node.json("status")),
    metrics: await numbersInMetrics(pool),
  };
}

// biome-ignore lint/suspicious/noExplicitAny: whatever JSON came
function numbersIn(view: any): Numbers {
  return {
    owed: view.owed_micro_usdt,
    pending: view.pending_micro_usdt,
    paid: view.paid_micro_usdt,
  };
}

async function numbersInMetrics(pool: PoolProcess): Promise<Numbers> {
  const text = await (await fetch(`${pool.url}/metrics`)).text();
  const figure = (name: string): string =>
    new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1] ?? "";
  return {
    owed: figure("galaxy_owed_micro_usdt"),
    pending: figure("galaxy_pending_micro_usdt"),
    paid: figure("galaxy_paid_micro_usdt_total"),
  };
}

/** Waits until all slots a node has proven are credited; answers how many these are. */
export async function allCredited(pool: PoolProcess, node: NodeProcess): Promise<number> {
  const proven = node.provenSlots();
  await until(`${proven} slots of ${node.name} to be credited`, async () => {
    const { credit_total } = await pool.told("GET", `/api/v1/poot/${node.id}`);
    return credit_total >= proven;
  });
  return proven;
}
