import type { NodeId, PoolId } from "@/core/ids.ts";
import type { ManualBatch } from "@/core/payout/batch.ts";
import type { Lane, OpenBatch, OpenItem } from "@/core/payout/machine.ts";
import type { Database, Write } from "@/ports/database.ts";
import type { Sealed } from "@/ports/rail.ts";
import { assert } from "@/std/assert.ts";
import { PoolError } from "@/std/errors.ts";
import type { BatchRow, ItemRow } from "./table.ts";

const BATCHES_PER_READ = 200;

/** Where a batch is in its life. */
export type BatchState = "sealed" | "settled" | "failed" | "cancelled";

/** One payment of a batch. */
export interface BatchPayment extends OpenItem {
  readonly node: NodeId;
  readonly name: string;
  readonly address: string;
  readonly amount: bigint;
  readonly transfer: string;
  readonly isFinal: boolean;
}

/** A batch with its payments. */
export interface Batch {
  readonly id: string;
  readonly number: number;
  readonly lane: string;
  readonly pool: PoolId;
  readonly rail: string;
  readonly asset: string;
  readonly position: number;
  readonly state: BatchState;
  readonly sealedAtMs: number;
  readonly endedAtMs: number | undefined;
  readonly planHash: string;
  readonly hash: string;
  readonly bytes: Uint8Array;
  readonly total: bigint;
  readonly ref: string | undefined;
  readonly payments: readonly BatchPayment[];
}

/** Which batches are asked for, newest first. */
export interface BatchFilter {
  readonly state?: BatchState | undefined;
  readonly pool?: PoolId | undefined;
  /** Only those with a lower number. */
  readonly below?: number | undefined;
  readonly limit: number;
}

export async function readBatches(
  database: Database,
  { state, pool, below, limit }: BatchFilter,
): Promise<readonly Batch[]> {
  let query = database.sql.selectFrom("payout_batch").selectAll();
  if (state !== undefined) query = query.where("state", "=", state);
  if (pool !== undefined) query = query.where("pool", "=", pool);
  if (below !== undefined) query = query.where("number", "<", BigInt(below));
  return withPayments(database, await query.orderBy("number", "desc").limit(limit).execute());
}

/** Refuses with `payout.batch_unknown`. */
export async function getBatch(database: Database, id: string): Promise<Batch> {
  const rows = await database.sql
    .selectFrom("payout_batch")
    .selectAll()
    .where("id", "=", id)
    .execute();
  const [batch] = await withPayments(database, rows);
  if (!batch) throw batchUnknown(id);
  return batch;
}

/** Every batch that is sealed and has not ended, oldest first. */
export async function readOpenBatches(database: Database): Promise<readonly Batch[]> {
  const query = database.sql.selectFrom("payout_batch").selectAll().where("state", "=", "sealed");
  return withPayments(database, await query.orderBy("number").execute());
}

/** The next number nobody has. */
export async function nextNumber(database: Database): Promise<number> {
  const row = await database.sql
    .selectFrom("payout_batch")
    .select((is) => is.fn.max("number").as("number"))
    .executeTakeFirst();
  return Number(row?.number ?? 0n) + 1;
}

/** How many batches there are in each state. */
export async function countBatches(database: Database): Promise<ReadonlyMap<string, number>> {
  const rows = await database.sql
    .selectFrom("payout_batch")
    .select((is) => ["state", is.fn.countAll<bigint>().as("batches")])
    .groupBy("state")
    .execute();
  return new Map(rows.map(({ state, batches }) => [state, Number(batches)]));
}

/** A lane as it is stored; one that was never used is open at its first position. */
export async function readLane(database: Database, id: string): Promise<Lane> {
  const row = await database.sql
    .selectFrom("payout_lane")
    .selectAll()
    .where("id", "=", id)
    .executeTakeFirst();
  if (!row) return { next: 1, state: "open" };
  return { next: Number(row.next), state: row.state as Lane["state"] };
}

/** A sealed batch as rows. The lane must still be open at the batch's position. */
export function insertBatch(database: Database, batch: Batch): Write[] {
  const { sql } = database;
  const lane = { id: batch.lane, rail: batch.rail, pool: batch.pool, next: 1n, state: "open" };
  const open = sql.insertInto("payout_lane").values(lane);
  const requireOpen = sql
    .updateTable("payout_lane")
    .set({ state: "open" })
    .where("id", "=", batch.lane)
    .where("next", "=", BigInt(batch.position))
    .where("state", "=", "open");
  const refusal = batchOpen(batch.lane);
  return [
    { query: open.onConflict((conflict) => conflict.column("id").doNothing()).compile() },
    { query: requireOpen.compile(), rows: 1, refusal },
    {
      query: sql.insertInto("payout_batch").values(batchRow(batch)).compile(),
      rows: 1,
      refusal,
    },
    {
      query: sql
        .insertInto("payout_item")
        .values(batch.payments.map(itemRow(batch)))
        .compile(),
      rows: batch.payments.length,
      refusal,
    },
  ];
}

/** How a payment ends; refused when it has ended already. */
export function saveEnd(
  database: Database,
  batch: Batch,
  end: OpenItem & { readonly atMs: number },
): Write {
  const query = database.sql
    .updateTable("payout_item")
    .set({ state: end.state, ref: end.ref ?? null, ended_at: BigInt(end.atMs) })
    .where("batch", "=", batch.id)
    .where("item", "=", BigInt(end.id))
    .where("state", "=", "pending")
    .compile();
  return { query, rows: 1, refusal: batchChanged(batch.id) };
}

/** The end of a batch, and the lane's next position. */
export function closeBatch(
  database: Database,
  batch: Batch,
  end: {
    readonly state: BatchState;
    readonly ref: string | undefined;
    readonly next: number;
    readonly atMs: number;
  },
): Write[] {
  const { sql } = database;
  const close = sql
    .updateTable("payout_batch")
    .set({ state: end.state, ref: end.ref ?? null, ended_at: BigInt(end.atMs) })
    .where("id", "=", batch.id)
    .where("state", "=", "sealed");
  const move = sql
    .updateTable("payout_lane")
    .set({ next: BigInt(end.next) })
    .where("id", "=", batch.lane)
    .where("next", "=", BigInt(batch.position));
  const refusal = batchChanged(batch.id);
  return [
    { query: close.compile(), rows: 1, refusal },
    { query: move.compile(), rows: 1, refusal },
  ];
}

/** The batch as the machine sees it. */
export function openBatchOf({ id, position, payments }: Batch): OpenBatch {
  return { id, position, items: payments, pushAfter: 0 };
}

/** The batch as its rail sealed it. */
export function sealedOf(batch: Batch): Sealed {
  return { batch: railBatchOf(batch), bytes: batch.bytes, hash: batch.hash };
}

/** The batch as its rail sees it. */
export function railBatchOf(batch: Omit<Batch, "hash" | "bytes">): ManualBatch {
  const { id, number, pool, asset, planHash, payments, sealedAtMs: sealedAt } = batch;
  const items = payments.map(({ id: item, node, name, address, amount }) => {
    return { id: item, node, name, address, amount };
  });
  return { id, number, pool, asset, sealedAt, planHash, items };
}

async function withPayments(
  database: Database,
  rows: readonly BatchRow[],
): Promise<readonly Batch[]> {
  const payments = new Map<string, ItemRow[]>();
  for (let at = 0; at < rows.length; at += BATCHES_PER_READ) {
    const ids = rows.slice(at, at + BATCHES_PER_READ).map(({ id }) => id);
    const query = database.sql.selectFrom("payout_item").selectAll().where("batch", "in", ids);
    for (const row of await query.orderBy("item").execute()) {
      payments.set(row.batch, [...(payments.get(row.batch) ?? []), row]);
    }
  }
  return rows.map((row) => batchOf(row, payments.get(row.id) ?? []));
}

function batchOf(row: BatchRow, items: readonly ItemRow[]): Batch {
  const { id, lane, rail, asset, hash, bytes, total } = row;
  assert(items.length === Number(row.payments), `batch ${id} has all its payments`);
  return {
    ...{ id, lane, rail, asset, hash, bytes, total },
    number: Number(row.number),
    pool: row.pool as PoolId,
    position: Number(row.position),
    state: row.state as BatchState,
    sealedAtMs: Number(row.sealed_at),
    endedAtMs: row.ended_at === null ? undefined : Number(row.ended_at),
    planHash: row.plan_hash,
    ref: row.ref ?? undefined,
    payments: items.map(paymentOf),
  };
}

function paymentOf(row: ItemRow): BatchPayment {
  const { name, address, amount, transfer } = row;
  return {
    ...{ name, address, amount, transfer },
    id: Number(row.item),
    node: row.node as NodeId,
    state: row.state as OpenItem["state"],
    isFinal: row.is_final === 1n,
    ...(row.ref !== null && { ref: row.ref }),
  };
}

function batchRow(batch: Batch): BatchRow {
  const { id, lane, pool, rail, asset, state, hash, bytes, total } = batch;
  return {
    ...{ id, lane, pool, rail, asset, state, hash, bytes, total },
    number: BigInt(batch.number),
    position: BigInt(batch.position),
    sealed_at: BigInt(batch.sealedAtMs),
    plan_hash: batch.planHash,
    payments: BigInt(batch.payments.length),
    ended_at: null,
    ref: null,
  };
}

function itemRow(batch: Batch) {
  return ({ id, node, name, address, amount, transfer, isFinal }: BatchPayment): ItemRow => ({
    batch: batch.id,
    item: BigInt(id),
    pool: batch.pool,
    ...{ node, name, address, amount, transfer },
    state: "pending",
    ref: null,
    is_final: isFinal ? 1n : 0n,
    ended_at: null,
  });
}

const batchUnknown = (id: string) =>
  new PoolError(
    "not_found",
    "payout.batch_unknown",
    `There is no batch ${id.slice(0, 32)}; see "galaxy-pool payout list".`,
  );

const batchOpen = (lane: string) =>
  new PoolError(
    "conflict",
    "payout.batch_open",
    `A batch of lane ${lane} was sealed in the meantime; settle or cancel it first.`,
  );

const batchChanged = (id: string) =>
  new PoolError(
    "conflict",
    "payout.batch_changed",
    `Batch ${id} was changed in the meantime; look at it again and repeat.`,
  );
