import type { NodeId, PoolId } from "@/core/ids.ts";
import type { Slot } from "@/core/poot/slot.ts";
import type { Database, Write } from "@/ports/database.ts";
import { PoolError } from "@/std/errors.ts";
import type { ClockRow, IntervalRow, OpenRow, ProofRow } from "./table.ts";

const OPENS_PER_WRITE = 500;

/** The clock as it was stored, if the pool ever ran. */
export async function readClock(database: Database): Promise<ClockRow | undefined> {
  return database.sql.selectFrom("poot_clock").selectAll().executeTakeFirst();
}

/** The first row of the clock; there is only ever one. */
export function insertClock(database: Database, row: Omit<ClockRow, "id">): Write {
  const query = database.sql.insertInto("poot_clock").values({ id: 1n, ...row });
  return { query: query.compile(), rows: 1 };
}

/** The highest slot seen; only within the epoch the writer knows. */
export function saveHighestSlot(database: Database, epoch: number, slot: Slot): Write {
  const query = database.sql
    .updateTable("poot_clock")
    .set({ highest_slot: BigInt(slot) })
    .where("epoch", "=", BigInt(epoch));
  return { query: query.compile(), rows: 1 };
}

/** A new time epoch after the one the writer knows. */
export function saveEpoch(database: Database, epoch: number, slot: Slot): Write {
  const query = database.sql
    .updateTable("poot_clock")
    .set({ epoch: BigInt(epoch), epoch_slot: BigInt(slot), highest_slot: BigInt(slot) })
    .where("epoch", "=", BigInt(epoch - 1));
  return { query: query.compile(), rows: 1 };
}

/** The refusal for an interval somebody else has closed. */
export const alreadyClosed = (pool: PoolId, slot: Slot) =>
  new PoolError(
    "conflict",
    "poot.closed",
    `The interval of pool ${pool} from slot ${slot} on is closed already.`,
  );

/** A closed interval; its key decides that there is one closer. */
export function insertInterval(database: Database, row: IntervalRow): Write {
  const query = database.sql.insertInto("poot_interval").values(row).compile();
  return { query, rows: 1, refusal: alreadyClosed(row.pool, Number(row.first_slot)) };
}

/** The OPENs of new sessions; one that is known stays. */
export function insertOpens(database: Database, opens: readonly OpenRow[]): Write[] {
  const writes: Write[] = [];
  for (let at = 0; at < opens.length; at += OPENS_PER_WRITE) {
    const query = database.sql
      .insertInto("poot_open")
      .values(opens.slice(at, at + OPENS_PER_WRITE))
      .onConflict((conflict) => conflict.columns(["node", "session"]).doNothing());
    writes.push({ query: query.compile() });
  }
  return writes;
}

/** The books of a pool, in the place of the ones before. */
export function saveBooks(
  database: Database,
  row: { readonly pool: PoolId; readonly epoch: bigint; readonly blob: Uint8Array },
): Write {
  const { epoch, blob } = row;
  const query = database.sql
    .insertInto("poot_marks")
    .values(row)
    .onConflict((conflict) => conflict.column("pool").doUpdateSet({ epoch, blob }));
  return { query: query.compile(), rows: 1 };
}

/** The books of a pool, as they were stored. */
export async function readStoredBooks(database: Database, pool: PoolId) {
  return database.sql
    .selectFrom("poot_marks")
    .selectAll()
    .where("pool", "=", pool)
    .executeTakeFirst();
}

/** The first slot of the interval a pool closed last in an epoch. */
export async function readLastClosed(
  database: Database,
  pool: PoolId,
  epoch: number,
): Promise<Slot | undefined> {
  const row = await database.sql
    .selectFrom("poot_interval")
    .select("first_slot")
    .where("epoch", "=", BigInt(epoch))
    .where("pool", "=", pool)
    .orderBy("first_slot", "desc")
    .limit(1)
    .executeTakeFirst();
  return row && Number(row.first_slot);
}

/** The number of the newest interval of all pools, 0 before the first. */
export async function readLastCursor(database: Database): Promise<bigint> {
  const row = await database.sql
    .selectFrom("poot_interval")
    .select("id")
    .orderBy("id", "desc")
    .limit(1)
    .executeTakeFirst();
  return row?.id ?? 0n;
}

/** Closed intervals of all pools after a number, in their order. */
export async function readIntervalsAfter(
  database: Database,
  cursor: bigint,
  limit: number,
): Promise<readonly IntervalRow[]> {
  return database.sql
    .selectFrom("poot_interval")
    .selectAll()
    .where("id", ">", cursor)
    .orderBy("id")
    .limit(limit)
    .execute();
}

/** Which intervals of a pool to read, both ends included. */
export interface IntervalRange {
  readonly pool: PoolId;
  readonly from: Slot;
  readonly to: Slot;
}

/** Closed intervals of a pool that begin in a range, by number, after one of them. */
export async function readIntervalsOf(
  database: Database,
  { pool, from, to }: IntervalRange,
  page: { readonly after: bigint; readonly limit: number },
): Promise<readonly IntervalRow[]> {
  return database.sql
    .selectFrom("poot_interval")
    .selectAll()
    .where("pool", "=", pool)
    .where("first_slot", ">=", BigInt(from))
    .where("first_slot", "<=", BigInt(to))
    .where("id", ">", page.after)
    .orderBy("id")
    .limit(page.limit)
    .execute();
}

/** One closed interval by its number, while it is kept. */
export async function readIntervalRow(
  database: Database,
  id: bigint,
): Promise<IntervalRow | undefined> {
  return database.sql
    .selectFrom("poot_interval")
    .selectAll()
    .where("id", "=", id)
    .executeTakeFirst();
}

/** The OPEN of a session, if the pool ever saw it. */
export async function readOpen(
  database: Database,
  node: NodeId,
  session: Uint8Array,
): Promise<Uint8Array | undefined> {
  const row = await database.sql
    .selectFrom("poot_open")
    .select("open")
    .where("node", "=", node)
    .where("session", "=", session)
    .executeTakeFirst();
  return row?.open;
}

/** The newest proof kept of a node at a pool beyond its intervals. */
export async function readKeptProof(
  database: Database,
  node: NodeId,
  pool: PoolId,
): Promise<ProofRow | undefined> {
  return database.sql
    .selectFrom("poot_proof")
    .selectAll()
    .where("node", "=", node)
    .where("pool", "=", pool)
    .orderBy("slot", "desc")
    .limit(1)
    .executeTakeFirst();
}

/** Keeps the newest CLAIM and ACK of a session. */
export function saveProof(database: Database, row: ProofRow): Write {
  const { slot, claim, ack } = row;
  const query = database.sql
    .insertInto("poot_proof")
    .values(row)
    .onConflict((conflict) =>
      conflict.columns(["node", "pool", "session"]).doUpdateSet({ slot, claim, ack }),
    );
  return { query: query.compile(), rows: 1 };
}

/** Forgets closed intervals up to a number. */
export function deleteIntervals(database: Database, upTo: bigint): Write {
  return { query: database.sql.deleteFrom("poot_interval").where("id", "<=", upTo).compile() };
}
