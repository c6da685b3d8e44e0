import type { Caller } from "@/core/caller.ts";
import { ledgerSlotOf } from "@/core/ledger/ledger-slot.ts";
import { payoutTransferId } from "@/core/ledger/transfer.ts";
import { type Lane, nextAction } from "@/core/payout/machine.ts";
import { keepItems, planValue } from "@/core/payout/plan.ts";
import type { Pool } from "@/core/pool.ts";
import type { Write } from "@/ports/database.ts";
import { assert } from "@/std/assert.ts";
import { canonicalJson } from "@/std/canonical-json.ts";
import type { Addresses } from "./addresses.ts";
import { type Batch, insertBatch, nextNumber, railBatchOf, readLane } from "./batches.ts";
import type { PayoutParts } from "./parts.ts";
import { isFinalItem, type PoolPlan, planPool } from "./planning.ts";

/** The lane over which a pool pays: the paying account is the rail's, each pool has its own turn. */
export function laneOf(rail: string, pool: string): string {
  return `${rail}:${pool}`;
}

/** Plans and seals what is due, for every pool whose lane is free. Nothing is stored yet. */
export async function sealDue(
  parts: PayoutParts,
  addresses: Addresses,
  open: readonly Batch[],
): Promise<readonly SealedPlan[]> {
  const { database, registry, rail } = parts;
  const busy = new Set(open.map(({ lane }) => lane));
  const sealed: SealedPlan[] = [];
  let number = await nextNumber(database);
  for (const pool of registry.listPools()) {
    const lane = laneOf(rail.id, pool.id);
    if (busy.has(lane)) continue;
    const batch = await sealPool(parts, addresses, { pool, number });
    if (!batch) continue;
    sealed.push(batch);
    number += 1;
  }
  return sealed;
}

/** A plan and the batch it became. */
export interface SealedPlan {
  readonly plan: PoolPlan;
  readonly batch: Batch;
}

async function sealPool(
  parts: PayoutParts,
  addresses: Addresses,
  { pool, number }: { readonly pool: Pool; readonly number: number },
): Promise<SealedPlan | undefined> {
  const creditors = await parts.ledger.payable(pool.id, "booked");
  const plan = await planPool(parts, addresses, { pool: pool.id, number, creditors });
  const lane = await readLane(parts.database, laneOf(parts.rail.id, pool.id));
  const now = parts.poot.poolTime().nowMs;
  const dueCount = plan.plan.items.length;
  const action = nextAction({ lane, now, dueCount, faulty: [] });
  if (action.type !== "seal") return undefined;
  return { plan, batch: sealedBatch(parts, plan, lane) };
}

function sealedBatch(parts: PayoutParts, planned: PoolPlan, { next: position }: Lane): Batch {
  const { rail, poot } = parts;
  const { plan, hash: planHash } = planned;
  const { nowMs: sealedAtMs, epoch, slot } = poot.poolTime();
  const id = `${plan.number}`;
  const payments = keepItems(plan, plan.items, sealedAtMs).map((item, at) => ({
    id: at + 1,
    node: item.node,
    name: parts.registry.findNode(item.node)?.name ?? "",
    address: item.address,
    amount: item.amount,
    state: "pending" as const,
    transfer: payoutTransferId(ledgerSlotOf(epoch, slot), id, at + 1),
    isFinal: isFinalItem(parts, planned, item),
  }));
  const { number, pool, asset, total } = plan;
  const lane = laneOf(rail.id, pool);
  const terms = { id, number, lane, pool, rail: rail.id, asset, position, planHash, sealedAtMs };
  const ends = { state: "sealed", endedAtMs: undefined, ref: undefined } as const;
  const batch = { ...terms, ...ends, total, payments };
  const { hash, bytes } = rail.seal(railBatchOf(batch));
  return { ...batch, hash, bytes };
}

/** Everything a sealed batch puts on the disk, in one commit, before anybody is told. */
export function sealWrites(
  parts: PayoutParts,
  caller: Caller,
  { plan, batch }: SealedPlan,
): readonly Write[] {
  const { database, ledger, audit, poot } = parts;
  const { epoch, slot } = poot.poolTime();
  const items = batch.payments.map(({ id: item, node, amount }) => {
    return { item, pool: batch.pool, node, amount };
  });
  const act = {
    batch: batch.id,
    slot: Number.parseInt(batch.payments[0]?.transfer ?? `${ledgerSlotOf(epoch, slot)}`, 10),
    rail: batch.rail,
    at: batch.sealedAtMs,
    items,
  };
  assert(items.length > 0, "a batch pays somebody");
  return [
    ...ledger.sealWrites(act),
    { query: insertPlan(parts, plan, batch.sealedAtMs), rows: 1 },
    ...insertBatch(database, batch),
    audit.row(caller, "payout.sealed", batch.id, {
      pool: batch.pool,
      payouts: items.length,
      total_micro_usdt: `${batch.total}`,
      plan: batch.planHash,
      sha256: batch.hash,
    }),
  ];
}

function insertPlan({ database }: PayoutParts, { plan, hash }: PoolPlan, atMs: number) {
  const { number, pool } = plan;
  const row = { hash, number: BigInt(number), pool, plan: canonicalJson(planValue(plan)) };
  return database.sql
    .insertInto("payout_plan")
    .values({ ...row, at: BigInt(atMs) })
    .compile();
}
