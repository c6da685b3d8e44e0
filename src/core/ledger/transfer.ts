import { assert } from "@/std/assert.ts";
import type { NodeId, PoolId } from "../ids.ts";
import type { AccountId, LedgerNumber } from "./account.ts";

/** The largest amount and balance: what a signed integer of 64 bits holds. */
export const AMOUNT_MAX = (1n << 63n) - 1n;

/** How a transfer moves; its place in this list is its number in a table. */
export const TRANSFER_KINDS = ["single", "pending", "post", "void"] as const;
/** One of the four ways a transfer moves. */
export type TransferKind = (typeof TRANSFER_KINDS)[number];

/** The business act a transfer belongs to. */
export type TransferCode =
  | "accrue"
  | "convert"
  | "pool_fee"
  | "mature"
  | "slash"
  | "payout"
  | "fund"
  | "refund"
  | "unexplained";

/** Acts of our own that a guard may refuse. All other single transfers are facts, always bookable. */
export const GUARDED_CODES: readonly TransferCode[] = ["convert", "pool_fee", "mature", "slash"];

/**
 * One movement of an amount `from` one account (its debit) `to` another (its credit).
 * It is never changed: a pending one is resolved by exactly one post or void that names it.
 */
export interface Transfer {
  readonly id: string;
  readonly ledger: LedgerNumber;
  readonly from: AccountId;
  readonly to: AccountId;
  readonly amount: bigint;
  readonly kind: TransferKind;
  /** Of a post or void: the pending transfer it resolves. */
  readonly pendingId?: string;
  readonly code: TransferCode;
  /** Where it comes from: a batch, a claim hash, the proof of a payment. */
  readonly ref: string;
  /** When it was booked, in milliseconds of the pool's clock. */
  readonly at: number;
}

/** Whether a guard may refuse this transfer: an intention, as opposed to a fact. */
export function isGuarded(transfer: Transfer): boolean {
  if (transfer.kind === "pending") return true;
  return transfer.kind === "single" && GUARDED_CODES.includes(transfer.code);
}

/** Whether two transfers say the same. When they were booked is not part of what they say. */
export function isSameTransfer(a: Transfer, b: Transfer): boolean {
  return (
    a.id === b.id &&
    a.ledger === b.ledger &&
    a.from === b.from &&
    a.to === b.to &&
    a.amount === b.amount &&
    a.kind === b.kind &&
    a.pendingId === b.pendingId &&
    a.code === b.code &&
    a.ref === b.ref
  );
}

/** The parts of the id of a node's transfer: the tag keeps acts of one slot apart. */
export interface NodeTransferName {
  readonly slot: number;
  readonly tag: "accr" | "conv1" | "conv2" | "fee" | "matr" | "slsh";
  readonly pool: PoolId;
  readonly node: NodeId;
}

/** The id of a node's transfer: `<slot>:<tag>:<pool>:<node>`. */
export function nodeTransferId({ slot, tag, pool, node }: NodeTransferName): string {
  return `${slotText(slot)}:${tag}:${pool}:${node}`;
}

/** The id of the pending transfer of one item of a batch, sealed in a slot. */
export function payoutTransferId(slot: number, batch: string, item: number): string {
  return `${slotText(slot)}:pay:${batch}:${String(item).padStart(5, "0")}`;
}

/** The id of the transfer that resolves a pending one: the same place in time, for ever the same. */
export function resolutionId(pendingId: string, kind: "post" | "void"): string {
  const [slot, tag, ...rest] = pendingId.split(":");
  assert(tag === "pay", `${pendingId} is not the id of a payout`);
  return [slot, kind, ...rest].join(":");
}

/** The id of a fact seen from outside: money that came (`fund`) or came back (`refd`). */
export function factTransferId(slot: number, tag: "fund" | "refd" | "unex", fact: string): string {
  return `${slotText(slot)}:${tag}:${fact}`;
}

/** A slot as text of twelve digits, so that the order of texts is the order of time. */
export function slotText(slot: number): string {
  assert(Number.isSafeInteger(slot) && slot >= 0 && slot < 1e12, `slot ${slot} out of range`);
  return String(slot).padStart(12, "0");
}
