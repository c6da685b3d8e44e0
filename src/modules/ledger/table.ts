import type { Generated } from "kysely";
import type { Migration } from "@/ports/database.ts";
import { GUARD_MIGRATION } from "./guards.ts";

export interface AccountRow {
  id: string;
  ledger: bigint;
  kind: string;
  guard: bigint;
  /** Taken (debits) and given (credits): posted p, pending q. */
  dp: bigint;
  dq: bigint;
  cp: bigint;
  cq: bigint;
}

export interface TransferRow {
  /** The order in which transfers were booked. */
  seq: Generated<bigint>;
  id: string;
  ledger: bigint;
  from_account: string;
  to_account: string;
  amount: bigint;
  /** 0 single, 1 pending, 2 post, 3 void. */
  kind: bigint;
  pending_id: string | null;
  code: string;
  ref: string;
  at: bigint;
}

/** What an hour is worth from a slot of the ledger on; rows are only ever added. */
export interface TariffRow {
  from_slot: bigint;
  micro_per_hour: bigint;
  fee_permille: bigint;
  /** A JSON object: thousandths by specialization. */
  weights: string;
  at: bigint;
}

/** How far a node's work is rated, and what waits for the end of its day. */
export interface RatingRow {
  pool: string;
  node: string;
  from_slot: bigint;
  base: bigint;
  cu: bigint;
  /** Work of a day with a budget that is not money yet; `due_slot` is its first booking. */
  due_cu: bigint;
  due_micro: bigint;
  due_slot: bigint;
}

/** One booking of a pool: the slots it covers, and what its nodes earned by it. */
export interface BookingRow {
  slot: bigint;
  pool: string;
  /** The first slot after it. */
  end_slot: bigint;
  cu: bigint;
  micro: bigint;
  fee: bigint;
  at: bigint;
  /** 1 when nothing of it waits to mature. */
  matured: bigint;
}

/** How far credits are booked. One row. */
export interface CursorRow {
  id: bigint;
  /** Every interval up to here is booked. */
  cursor: bigint;
  /** The intervals up to here are being booked ... */
  target: bigint;
  /** ... and are booked of pools and nodes up to here. */
  done: string;
}

declare module "@/ports/database.ts" {
  interface Tables {
    account: AccountRow;
    transfer: TransferRow;
    tariff: TariffRow;
    rating: RatingRow;
    booking: BookingRow;
    booking_cursor: CursorRow;
  }
}

const SUMS = ["dp", "dq", "cp", "cq"]
  .map((side) => `${side} {int} NOT NULL CHECK (${side} >= 0)`)
  .join(", ");
/** Ids are compared byte by byte, as SQLite always does. */
const BYTEWISE = ' COLLATE "C"';
const INT64_MAX = "9223372036854775807";

const accountColumns = (
  collation: string,
) => `id TEXT${collation} NOT NULL PRIMARY KEY, ledger {int} NOT NULL,
  kind TEXT NOT NULL, guard {int} NOT NULL CHECK (guard IN (0, 1, 2)), ${SUMS},
  CHECK (dp <= ${INT64_MAX} - dq), CHECK (cp <= ${INT64_MAX} - cq)`;

/**
 * Accounts and transfers (money.md, section 1.1), and what the ledger remembers of its bookings.
 * Nothing is indexed in another order than that of time: a transfer's id begins with its slot.
 */
export const LEDGER_MIGRATIONS: readonly Migration[] = [
  {
    name: "ledger/0001-transfers",
    sqlite: [
      `CREATE TABLE account (${accountColumns("")}) STRICT, WITHOUT ROWID`,
      `CREATE TABLE transfer (seq INTEGER PRIMARY KEY AUTOINCREMENT, ${transferColumns("")}) STRICT`,
    ],
    postgres: [
      `CREATE TABLE account (${accountColumns(BYTEWISE)})`,
      `CREATE TABLE transfer (seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, ${transferColumns(BYTEWISE)})`,
    ],
  },
  {
    name: "ledger/0002-transfer-indexes",
    statements: [
      "CREATE UNIQUE INDEX transfer_pending ON transfer (pending_id) WHERE pending_id IS NOT NULL",
      "CREATE INDEX transfer_taken ON transfer (from_account, seq) WHERE code IN ('payout', 'slash')",
      "CREATE INDEX transfer_refunded ON transfer (to_account, seq) WHERE code = 'refund'",
    ],
  },
  {
    name: "ledger/0003-bookings",
    sqlite: [ratingTable("STRICT, WITHOUT ROWID"), bookingTable("STRICT, WITHOUT ROWID")],
    postgres: [ratingTable(""), bookingTable("")],
  },
  {
    name: "ledger/0004-tariffs",
    statements: [
      "CREATE TABLE tariff (from_slot {int} PRIMARY KEY, micro_per_hour {int} NOT NULL CHECK (micro_per_hour >= 0), fee_permille {int} NOT NULL CHECK (fee_permille BETWEEN 0 AND 1000), weights TEXT NOT NULL, at {int} NOT NULL) {strict}",
      "CREATE TABLE booking_cursor (id {int} PRIMARY KEY CHECK (id = 1), cursor {int} NOT NULL, target {int} NOT NULL CHECK (target >= cursor), done TEXT NOT NULL) {strict}",
      "CREATE INDEX booking_waiting ON booking (slot) WHERE matured = 0",
      "INSERT INTO booking_cursor VALUES (1, 0, 0, '')",
    ],
  },
  GUARD_MIGRATION,
];

function ratingTable(options: string): string {
  return `CREATE TABLE rating (pool TEXT NOT NULL, node TEXT NOT NULL, from_slot {int} NOT NULL,
    base {int} NOT NULL, cu {int} NOT NULL, due_cu {int} NOT NULL, due_micro {int} NOT NULL,
    due_slot {int} NOT NULL, PRIMARY KEY (pool, node)) ${options}`;
}

function bookingTable(options: string): string {
  return `CREATE TABLE booking (slot {int} NOT NULL, pool TEXT NOT NULL, end_slot {int} NOT NULL,
    cu {int} NOT NULL, micro {int} NOT NULL, fee {int} NOT NULL, at {int} NOT NULL,
    matured {int} NOT NULL CHECK (matured IN (0, 1)), PRIMARY KEY (slot, pool)) ${options}`;
}

function transferColumns(collation: string): string {
  return `id TEXT${collation} NOT NULL UNIQUE, ledger {int} NOT NULL,
    from_account TEXT${collation} NOT NULL REFERENCES account (id),
    to_account TEXT${collation} NOT NULL REFERENCES account (id),
    amount {int} NOT NULL CHECK (amount > 0), kind {int} NOT NULL CHECK (kind IN (0, 1, 2, 3)),
    pending_id TEXT${collation} REFERENCES transfer (id), code TEXT NOT NULL, ref TEXT NOT NULL,
    at {int} NOT NULL, CHECK (from_account <> to_account)`;
}
