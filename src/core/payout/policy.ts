import type { AddressHold } from "./address-book.ts";

/** A payout is worth its fee when it is at least this many times the fee: a quarter at most. */
export const FEE_FACTOR = 4n;

/** What a rail may find wrong with a payee; other payees are not affected. */
export type PayeeHold =
  | "no_account"
  | "no_trust"
  | "not_authorized"
  | "line_full"
  | "memo_required"
  | "is_source"
  | "blacklisted"
  | "returned"
  | "key_changed"
  | "operator";

/** Why a payee is not paid in this run. */
export type IneligibleReason =
  | PayeeHold
  | AddressHold
  | "nothing_payable"
  | "below_threshold"
  | "fee_too_high"
  | "payout_open";

/** What decides whether a payee is paid; amounts in millionths of one USDT. */
export interface Payee {
  /** What may be paid now: payable, without what an open payout has reserved. */
  readonly payable: bigint;
  readonly holds: readonly PayeeHold[];
  readonly addressHold?: AddressHold;
  /** Whether an open batch has an item of this payee: two could pay one balance twice. */
  readonly hasOpenPayout: boolean;
  /** Whether the node has left, and whether its one payout below the threshold was used. */
  readonly hasLeft: boolean;
  readonly hadFinalPayout: boolean;
}

/** The operator's terms of payment. */
export interface PayoutTerms {
  /** Paid at this balance, not only above it. */
  readonly threshold: bigint;
  readonly feeEstimate: bigint;
}

/** All reasons why a payee is not paid in this run; none, when it is. */
export function listIneligible(payee: Payee, terms: PayoutTerms): readonly IneligibleReason[] {
  const reasons: IneligibleReason[] = [...payee.holds];
  if (payee.addressHold) reasons.push(payee.addressHold);
  if (payee.hasOpenPayout) reasons.push("payout_open");
  if (payee.payable <= 0n) return [...reasons, "nothing_payable"];
  if (payee.payable < terms.threshold && !mayBeFinal(payee)) reasons.push("below_threshold");
  if (payee.payable < FEE_FACTOR * terms.feeEstimate) reasons.push("fee_too_high");
  return reasons;
}

/** Whether a payout uses up the one that a leaving node may have below the threshold. */
export function isFinalPayout(payee: Payee, terms: PayoutTerms): boolean {
  return payee.payable < terms.threshold && mayBeFinal(payee);
}

function mayBeFinal(payee: Payee): boolean {
  return payee.hasLeft && !payee.hadFinalPayout;
}
