import type { NodeId, PoolId } from "@/core/ids.ts";
import type { Migration } from "@/ports/database.ts";

/** What the proof of operational time was begun with, and how far its clock has come. One row. */
export interface ClockRow {
  id: bigint;
  slot_seconds: bigint;
  interval_seconds: bigint;
  /** Counts the rewinds of the clock. */
  epoch: bigint;
  /** The slot in which this epoch began. */
  epoch_slot: bigint;
  /** The highest slot ever seen in this epoch. */
  highest_slot: bigint;
}

/** One closed interval of one pool; its blob holds everything of all nodes. */
export interface IntervalRow {
  /** In the order of the commits: the ledger's cursor. */
  id: bigint;
  epoch: bigint;
  pool: PoolId;
  first_slot: bigint;
  closed_at: bigint;
  blob: Uint8Array;
}

/** The OPEN of a session: written once, by the close that credits it first. */
export interface OpenRow {
  node: NodeId;
  session: Uint8Array;
  open: Uint8Array;
}

/** What a pool keeps of its nodes between two closes, as one blob. */
export interface MarksRow {
  pool: PoolId;
  epoch: bigint;
  blob: Uint8Array;
}

/** The newest CLAIM and ACK of a session whose intervals are no longer kept. */
export interface ProofRow {
  pool: PoolId;
  node: NodeId;
  session: Uint8Array;
  slot: bigint;
  claim: Uint8Array;
  ack: Uint8Array;
}

declare module "@/ports/database.ts" {
  interface Tables {
    poot_clock: ClockRow;
    poot_interval: IntervalRow;
    poot_open: OpenRow;
    poot_marks: MarksRow;
    poot_proof: ProofRow;
  }
}

export const POOT_MIGRATIONS: readonly Migration[] = [
  {
    name: "poot/0001-intervals",
    statements: [
      `CREATE TABLE poot_clock (
        id {int} NOT NULL PRIMARY KEY CHECK (id = 1),
        slot_seconds {int} NOT NULL,
        interval_seconds {int} NOT NULL,
        epoch {int} NOT NULL,
        epoch_slot {int} NOT NULL,
        highest_slot {int} NOT NULL
      ) {strict}`,
      `CREATE TABLE poot_interval (
        id {int} NOT NULL PRIMARY KEY,
        epoch {int} NOT NULL,
        pool TEXT NOT NULL,
        first_slot {int} NOT NULL,
        closed_at {int} NOT NULL,
        blob {blob} NOT NULL,
        UNIQUE (epoch, pool, first_slot)
      ) {strict}`,
      `CREATE TABLE poot_open (
        node TEXT NOT NULL,
        session {blob} NOT NULL,
        open {blob} NOT NULL,
        PRIMARY KEY (node, session)
      ) {strict}`,
      `CREATE TABLE poot_marks (
        pool TEXT NOT NULL PRIMARY KEY,
        epoch {int} NOT NULL,
        blob {blob} NOT NULL
      ) {strict}`,
      `CREATE TABLE poot_proof (
        pool TEXT NOT NULL,
        node TEXT NOT NULL,
        session {blob} NOT NULL,
        slot {int} NOT NULL,
        claim {blob} NOT NULL,
        ack {blob} NOT NULL,
        PRIMARY KEY (node, pool, session)
      ) {strict}`,
    ],
  },
];
