import { type AccountSums, availableOf, balanceOf, pendingOf } from "./account.ts";

/**
 * What a node has at a pool, in millionths of one USDT. `owed` is everything unpaid; `accruing`,
 * `payable` and `pending` are its parts.
 */
export interface Standing {
  readonly owed: bigint;
  /** Earned, and not yet due: not booked, or not mature. */
  readonly accruing: bigint;
  /** May be paid now. */
  readonly payable: bigint;
  /** In an open batch. */
  readonly pending: bigint;
  readonly paid: bigint;
}

/** A node that has nothing. */
export const NO_STANDING: Standing = { owed: 0n, accruing: 0n, payable: 0n, pending: 0n, paid: 0n };

/**
 * The one function that says what is owed: the ledger's balances and the credits that are closed but
 * not booked yet. Booking moves money between the two, and so never changes the answer.
 */
export function standingOf(
  { owed, payable }: { readonly owed: AccountSums; readonly payable: AccountSums },
  unbooked: bigint,
): Standing {
  const accruing = balanceOf(owed) + unbooked;
  const [due, pending] = [availableOf(payable), pendingOf(payable)];
  return { owed: accruing + due + pending, accruing, payable: due, pending, paid: payable.dp };
}
