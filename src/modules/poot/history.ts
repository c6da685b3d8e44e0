import type { NodeId, PoolId } from "@/core/ids.ts";
import type { ClosedCredits } from "@/core/poot/booking.ts";
import {
  type BlobNode,
  decodeIntervalBlob,
  findInIntervalBlob,
  type IntervalBlob,
} from "@/core/poot/interval-blob.ts";
import type { Slot } from "@/core/poot/slot.ts";
import type { Database } from "@/ports/database.ts";
import { type IntervalRange, readIntervalsAfter, readIntervalsOf } from "./records.ts";
import type { IntervalRow } from "./table.ts";
import { othersTurn } from "./turns.ts";

/** Blobs read at once. */
const PAGE = 32;

/** A closed interval as it is kept. */
export interface StoredInterval extends IntervalBlob {
  readonly cursor: bigint;
  readonly pool: PoolId;
}

/** A node in a closed interval. */
export interface NodeInterval extends BlobNode {
  readonly epoch: number;
  readonly firstSlot: Slot;
  /** Slots from here to the first one were not looked at. */
  readonly gapFrom: Slot;
  readonly slotSeconds: number;
}

/**
 * Closed intervals of a pool that begin in a range, in the order they were closed; with one node of
 * each alone when `only` names it.
 */
export async function* intervalsOf(
  database: Database,
  range: IntervalRange,
  only?: NodeId,
): AsyncGenerator<StoredInterval> {
  for (let after = 0n; ; ) {
    const rows = await readIntervalsOf(database, range, { after, limit: PAGE });
    for (const row of rows) {
      yield storedInterval(row, only);
      after = row.id;
      await othersTurn();
    }
    if (rows.length < PAGE) return;
  }
}

/** The intervals of one node. */
export async function nodeIntervals(
  database: Database,
  range: IntervalRange,
  node: NodeId,
): Promise<readonly NodeInterval[]> {
  const found: NodeInterval[] = [];
  for await (const stored of intervalsOf(database, range, node)) {
    const { interval, gapFrom, slotSeconds } = stored;
    const { epoch, firstSlot } = interval;
    for (const entry of stored.nodes) {
      found.push({ ...entry, epoch, firstSlot, gapFrom, slotSeconds });
    }
  }
  return found;
}

/** The credits of one node in closed intervals of a pool that begin in a range. */
export async function creditsOfNode(
  database: Database,
  range: IntervalRange,
  node: NodeId,
): Promise<readonly ClosedCredits[]> {
  const found: ClosedCredits[] = [];
  for await (const stored of intervalsOf(database, range, node)) {
    const closed = creditsIn(stored);
    if (closed.credits.length > 0) found.push(closed);
  }
  return found;
}

/** The credits of closed intervals of all pools after a cursor, in their order. */
export async function creditsAfter(
  database: Database,
  cursor: bigint,
  limit: number,
): Promise<readonly ClosedCredits[]> {
  const rows = await readIntervalsAfter(database, cursor, limit);
  return rows.map((row) => creditsIn(storedInterval(row)));
}

/** The interval in a row; with one node alone when `only` names it. */
export function storedInterval(row: IntervalRow, only?: NodeId): StoredInterval {
  const blob =
    only === undefined ? decodeIntervalBlob(row.blob) : findInIntervalBlob(row.blob, only);
  return { ...blob, cursor: row.id, pool: row.pool };
}

function creditsIn({ cursor, pool, interval, nodes }: StoredInterval): ClosedCredits {
  const { epoch, firstSlot, slots } = interval;
  return { cursor, pool, epoch, firstSlot, slots, credits: nodes.flatMap(creditsOf) };
}

/** What the ledger books of a node. */
function creditsOf({ node, rows }: BlobNode): ClosedCredits["credits"] {
  return rows.flatMap(({ session: _, ack: __, ...credit }) =>
    credit.ticks === 0 ? [] : [{ node, ...credit }],
  );
}
