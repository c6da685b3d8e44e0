import type { Migration } from "@/ports/database.ts";

/** A paying account: one per rail and pool. `next` moves only in the commit that settles. */
export interface LaneRow {
  id: string;
  rail: string;
  pool: string;
  next: bigint;
  state: string;
}

/** Payments sealed together. */
export interface BatchRow {
  /** Its number as text. */
  id: string;
  number: bigint;
  lane: string;
  pool: string;
  rail: string;
  asset: string;
  position: bigint;
  /** sealed, settled, failed or cancelled. */
  state: string;
  sealed_at: bigint;
  plan_hash: string;
  /** SHA-256 of the bytes, hexadecimal. */
  hash: string;
  bytes: Uint8Array;
  total: bigint;
  payments: bigint;
  ended_at: bigint | null;
  ref: string | null;
}

/** One payment of a batch. */
export interface ItemRow {
  batch: string;
  item: bigint;
  pool: string;
  node: string;
  name: string;
  address: string;
  amount: bigint;
  /** pending, posted or voided. */
  state: string;
  ref: string | null;
  /** The pending transfer that reserves it. */
  transfer: string;
  /** 1 for the one payout below the threshold that a leaving node may have. */
  is_final: bigint;
  ended_at: bigint | null;
}

/** A plan that was sealed, by value. */
export interface PlanRow {
  hash: string;
  number: bigint;
  pool: string;
  /** Canonical JSON. */
  plan: string;
  at: bigint;
}

/** Where a node wants to be paid at a pool, and the newest thing it said about it. */
export interface AddressRow {
  pool: string;
  node: string;
  rail: string;
  address: string;
  statement: string;
  waiting_rail: string | null;
  waiting_address: string | null;
  waiting_statement: string | null;
  effective_at: bigint | null;
  contested: bigint;
  /** The newest statement's hash, hexadecimal, and slot. */
  newest: string;
  newest_slot: bigint;
}

/** A signed statement, as it came; they are kept for ever. */
export interface StatementRow {
  pool: string;
  node: string;
  slot: bigint;
  hash: string;
  statement: Uint8Array;
  at: bigint;
}

/** Why a payee is not paid, as long as the address is the one it failed with. */
export interface HoldRow {
  pool: string;
  node: string;
  why: string;
  ref: string;
  address: string;
  at: bigint;
}

export interface RunRow {
  id: bigint;
  at: bigint;
}

declare module "@/ports/database.ts" {
  interface Tables {
    payout_lane: LaneRow;
    payout_batch: BatchRow;
    payout_item: ItemRow;
    payout_plan: PlanRow;
    payout_address: AddressRow;
    payout_statement: StatementRow;
    payout_hold: HoldRow;
    payout_run: RunRow;
  }
}

/** Lanes, batches and their payments; addresses with what proves them; holds; when it ran last. */
export const PAYOUT_MIGRATIONS: readonly Migration[] = [
  {
    name: "payouts/0001-batches",
    statements: [
      `CREATE TABLE payout_lane (id TEXT PRIMARY KEY, rail TEXT NOT NULL, pool TEXT NOT NULL,
        next {int} NOT NULL CHECK (next > 0),
        state TEXT NOT NULL CHECK (state IN ('open', 'paused', 'stopped'))) {strict}`,
      `CREATE TABLE payout_plan (hash TEXT PRIMARY KEY, number {int} NOT NULL, pool TEXT NOT NULL,
        plan TEXT NOT NULL, at {int} NOT NULL) {strict}`,
      `CREATE TABLE payout_batch (id TEXT PRIMARY KEY, number {int} NOT NULL UNIQUE,
        lane TEXT NOT NULL REFERENCES payout_lane (id), pool TEXT NOT NULL, rail TEXT NOT NULL,
        asset TEXT NOT NULL, position {int} NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('sealed', 'settled', 'failed', 'cancelled')),
        sealed_at {int} NOT NULL, plan_hash TEXT NOT NULL REFERENCES payout_plan (hash),
        hash TEXT NOT NULL, bytes {blob} NOT NULL, total {int} NOT NULL CHECK (total > 0),
        payments {int} NOT NULL CHECK (payments > 0), ended_at {int}, ref TEXT) {strict}`,
      "CREATE UNIQUE INDEX payout_open ON payout_batch (lane) WHERE state = 'sealed'",
      `CREATE TABLE payout_item (batch TEXT NOT NULL REFERENCES payout_batch (id),
        item {int} NOT NULL, pool TEXT NOT NULL, node TEXT NOT NULL, name TEXT NOT NULL,
        address TEXT NOT NULL, amount {int} NOT NULL CHECK (amount > 0),
        state TEXT NOT NULL CHECK (state IN ('pending', 'posted', 'voided')), ref TEXT,
        transfer TEXT NOT NULL UNIQUE REFERENCES transfer (id),
        is_final {int} NOT NULL CHECK (is_final IN (0, 1)), ended_at {int},
        PRIMARY KEY (batch, item)) {strict}`,
      "CREATE INDEX payout_item_node ON payout_item (node, pool)",
      "CREATE UNIQUE INDEX payout_item_open ON payout_item (node, pool) WHERE state = 'pending'",
    ],
  },
  {
    name: "payouts/0002-addresses",
    statements: [
      `CREATE TABLE payout_address (pool TEXT NOT NULL, node TEXT NOT NULL, rail TEXT NOT NULL,
        address TEXT NOT NULL, statement TEXT NOT NULL, waiting_rail TEXT, waiting_address TEXT,
        waiting_statement TEXT, effective_at {int},
        contested {int} NOT NULL CHECK (contested IN (0, 1)), newest TEXT NOT NULL,
        newest_slot {int} NOT NULL, PRIMARY KEY (pool, node)) {strict}`,
      `CREATE TABLE payout_statement (pool TEXT NOT NULL, node TEXT NOT NULL, slot {int} NOT NULL,
        hash TEXT NOT NULL, statement {blob} NOT NULL, at {int} NOT NULL,
        PRIMARY KEY (pool, node, slot)) {strict}`,
      `CREATE TABLE payout_hold (pool TEXT NOT NULL, node TEXT NOT NULL, why TEXT NOT NULL,
        ref TEXT NOT NULL, address TEXT NOT NULL, at {int} NOT NULL,
        PRIMARY KEY (pool, node)) {strict}`,
    ],
  },
  {
    name: "payouts/0003-runs",
    statements: [
      "CREATE TABLE payout_run (id {int} PRIMARY KEY CHECK (id = 1), at {int} NOT NULL) {strict}",
    ],
  },
];
