import { sql } from "kysely";
import type { NodeId, PoolId } from "@/core/ids.ts";
import type { LedgerSlot } from "@/core/ledger/ledger-slot.ts";
import type { Database, Write } from "@/ports/database.ts";
import { PoolError } from "@/std/errors.ts";
import type { BookingRow, CursorRow, RatingRow } from "./table.ts";
import type { BookKey, RatingState } from "./unbooked.ts";

const ROWS_PER_WRITE = 40;

/** How far credits are booked. */
export interface Progress {
  /** Every interval up to here is booked. */
  readonly cursor: bigint;
  /** Those up to here are being booked, and are of nodes up to `done`. */
  readonly target: bigint;
  readonly done: string;
}

/** A booking of a pool: the slots it covers, and what its nodes earned by it. */
export interface Booking {
  readonly pool: PoolId;
  readonly slot: LedgerSlot;
  readonly endSlot: LedgerSlot;
  readonly cu: bigint;
  readonly micro: bigint;
  readonly fee: bigint;
  readonly at: number;
  readonly isMatured: boolean;
}

export async function readProgress(database: Database): Promise<Progress> {
  const row = await database.sql.selectFrom("booking_cursor").selectAll().executeTakeFirstOrThrow();
  return { cursor: row.cursor, target: row.target, done: row.done };
}

/** The next progress, if nobody else has booked in the meantime. */
export function saveProgress(database: Database, before: Progress, after: Progress): Write {
  const row: Omit<CursorRow, "id"> = after;
  const query = database.sql
    .updateTable("booking_cursor")
    .set(row)
    .where("cursor", "=", before.cursor)
    .where("target", "=", before.target)
    .where("done", "=", before.done)
    .compile();
  return { query, rows: 1, refusal: bookedMeanwhile() };
}

/** Every rating there is. */
export async function readRatings(database: Database) {
  const rows = await database.sql.selectFrom("rating").selectAll().execute();
  return rows.map((row): readonly [BookKey, RatingState] => [
    `${row.pool as PoolId}:${row.node as NodeId}`,
    {
      rating: { fromSlot: Number(row.from_slot), base: row.base, cu: row.cu },
      dueCu: row.due_cu,
      dueMicro: row.due_micro,
      dueSlot: Number(row.due_slot),
    },
  ]);
}

/** Ratings, in the place of those before. */
export function saveRatings(
  database: Database,
  ratings: ReadonlyMap<BookKey, RatingState>,
): Write[] {
  const rows = [...ratings].map(([key, state]) => ratingRow(key, state));
  const writes: Write[] = [];
  for (let at = 0; at < rows.length; at += ROWS_PER_WRITE) {
    const query = database.sql
      .insertInto("rating")
      .values(rows.slice(at, at + ROWS_PER_WRITE))
      .onConflict((conflict) =>
        conflict.columns(["pool", "node"]).doUpdateSet((is) => ({
          from_slot: is.ref("excluded.from_slot"),
          base: is.ref("excluded.base"),
          cu: is.ref("excluded.cu"),
          due_cu: is.ref("excluded.due_cu"),
          due_micro: is.ref("excluded.due_micro"),
          due_slot: is.ref("excluded.due_slot"),
        })),
      );
    writes.push({ query: query.compile() });
  }
  return writes;
}

/** Adds what a part of a booking earned to its row; the first part makes it. */
export function addToBooking(database: Database, booking: Booking): Write {
  const query = database.sql
    .insertInto("booking")
    .values(bookingRow(booking))
    .onConflict((conflict) =>
      conflict.columns(["slot", "pool"]).doUpdateSet((is) => ({
        cu: is("booking.cu", "+", is.ref("excluded.cu")),
        micro: is("booking.micro", "+", is.ref("excluded.micro")),
        fee: is("booking.fee", "+", is.ref("excluded.fee")),
        matured: is("booking.matured", "*", is.ref("excluded.matured")),
      })),
    );
  return { query: query.compile(), rows: 1 };
}

/** Nothing of a booking waits any more. */
export function saveMatured(database: Database, { pool, slot }: Booking): Write {
  const query = database.sql
    .updateTable("booking")
    .set({ matured: 1n })
    .where("pool", "=", pool)
    .where("slot", "=", BigInt(slot));
  return { query: query.compile(), rows: 1 };
}

/** Bookings of which something waits to mature, oldest first. */
export async function readWaiting(database: Database): Promise<readonly Booking[]> {
  const query = database.sql.selectFrom("booking").selectAll().where(sql<boolean>`matured = 0`);
  return (await query.orderBy("slot").execute()).map(bookingOf);
}

/** Bookings of a pool that begin in a range of slots, both ends included, oldest first. */
export async function readBookings(
  database: Database,
  pool: PoolId,
  range: { readonly from: LedgerSlot; readonly to: LedgerSlot },
): Promise<readonly Booking[]> {
  const rows = await database.sql
    .selectFrom("booking")
    .selectAll()
    .where("pool", "=", pool)
    .where("slot", ">=", BigInt(range.from))
    .where("slot", "<=", BigInt(range.to))
    .orderBy("slot")
    .execute();
  return rows.map(bookingOf);
}

function ratingRow(key: BookKey, { rating, dueCu, dueMicro, dueSlot }: RatingState): RatingRow {
  const [pool, node] = parseKey(key);
  return {
    pool,
    node,
    from_slot: BigInt(rating.fromSlot),
    base: rating.base,
    cu: rating.cu,
    due_cu: dueCu,
    due_micro: dueMicro,
    due_slot: BigInt(dueSlot),
  };
}

/** The pool and the node of a key. */
export function parseKey(key: BookKey): readonly [PoolId, NodeId] {
  const at = key.indexOf(":");
  return [key.slice(0, at) as PoolId, key.slice(at + 1) as NodeId];
}

function bookingRow({ pool, slot, endSlot, at, isMatured, ...sums }: Booking): BookingRow {
  return {
    slot: BigInt(slot),
    pool,
    end_slot: BigInt(endSlot),
    ...sums,
    at: BigInt(at),
    matured: isMatured ? 1n : 0n,
  };
}

function bookingOf(row: BookingRow): Booking {
  const { cu, micro, fee } = row;
  return {
    pool: row.pool as PoolId,
    slot: Number(row.slot),
    endSlot: Number(row.end_slot),
    cu,
    micro,
    fee,
    at: Number(row.at),
    isMatured: row.matured === 1n,
  };
}

const bookedMeanwhile = () =>
  new PoolError(
    "conflict",
    "ledger.booked_already",
    "These credits were booked in the meantime; nothing was booked twice.",
  );
