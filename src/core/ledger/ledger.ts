import { assert } from "@/std/assert.ts";
import { PoolError } from "@/std/errors.ts";
import { type Account, type AccountId, isWithinGuard, openAccount } from "./account.ts";
import { AMOUNT_MAX, isGuarded, isSameTransfer, type Transfer } from "./transfer.ts";

/** What the rules of the ledger have to read before they decide. */
export interface LedgerView {
  findAccount(id: AccountId): Account | undefined;
  findTransfer(id: string): Transfer | undefined;
  /** The transfer that posted or voided a pending one. */
  findResolution(pendingId: string): Transfer | undefined;
}

/** What a list of transfers changes: the accounts as they are afterwards, the transfers to insert. */
export interface Booking {
  readonly accounts: readonly Account[];
  readonly transfers: readonly Transfer[];
  /** How many of the list were there already, with the same content. */
  readonly existing: number;
}

/**
 * Applies a linked list of transfers, in order: all of them or, when one is refused, none.
 *
 * These are TigerBeetle's rules: both accounts are on the transfer's ledger; a pending transfer is
 * resolved once, exactly; an id means one content for ever, so repeating a list changes nothing.
 */
export function applyTransfers(view: LedgerView, transfers: readonly Transfer[]): Booking {
  const ledger = new Draft(view);
  const booked: Transfer[] = [];
  for (const transfer of transfers) {
    const refusal = findRefusal(ledger, transfer);
    if (refusal) throw refusal;
    if (ledger.findTransfer(transfer.id)) continue;
    ledger.put(transfer);
    booked.push(transfer);
  }
  return {
    accounts: [...ledger.accounts.values()],
    transfers: booked,
    existing: transfers.length - booked.length,
  };
}

/** Why a transfer cannot be booked, or undefined when it can or is there already. */
export function findRefusal(view: LedgerView, transfer: Transfer): PoolError | undefined {
  const known = view.findTransfer(transfer.id);
  if (known) return isSameTransfer(known, transfer) ? undefined : transferDiffers(transfer.id);
  return (
    findFormRefusal(view, transfer) ??
    findPendingRefusal(view, transfer) ??
    findAmountRefusal(view, transfer)
  );
}

/** Both accounts of a transfer as they are after it; says nothing about whether it is allowed. */
export function accountsAfter(view: LedgerView, transfer: Transfer): readonly [Account, Account] {
  const from = view.findAccount(transfer.from);
  const to = view.findAccount(transfer.to);
  assert(from && to, `transfer ${transfer.id} has no accounts`);
  const { posted, pending } = movementOf(transfer);
  return [
    { ...from, dp: from.dp + posted, dq: from.dq + pending },
    { ...to, cp: to.cp + posted, cq: to.cq + pending },
  ];
}

/** What a transfer adds to the posted and the pending sums of its two accounts. */
export function movementOf({ kind, amount }: Transfer) {
  return {
    posted: kind === "single" || kind === "post" ? amount : 0n,
    pending: kind === "single" ? 0n : kind === "pending" ? amount : -amount,
  };
}

/** The accounts a list of transfers touches, new and empty: insert those that are not there yet. */
export function accountsTouched(transfers: readonly Transfer[]): readonly Account[] {
  const ids = new Set(transfers.flatMap(({ from, to }) => [from, to]));
  return [...ids].sort().map(openAccount);
}

function findFormRefusal(view: LedgerView, transfer: Transfer): PoolError | undefined {
  const { id, amount, ledger, from, to } = transfer;
  if (amount <= 0n || amount > AMOUNT_MAX) return amountOutOfRange(id);
  if (from === to) return sameAccount(id);
  const [source, target] = [view.findAccount(from), view.findAccount(to)];
  if (!source) return accountUnknown(from);
  if (!target) return accountUnknown(to);
  return source.ledger === ledger && target.ledger === ledger ? undefined : ledgersDiffer(id);
}

function findPendingRefusal(view: LedgerView, transfer: Transfer): PoolError | undefined {
  const { id, kind, pendingId } = transfer;
  const resolves = kind === "post" || kind === "void";
  if (!resolves) return pendingId === undefined ? undefined : pendingDiffers(id);
  const pending = pendingId === undefined ? undefined : view.findTransfer(pendingId);
  if (pending?.kind !== "pending") return pendingUnknown(id);
  if (view.findResolution(pending.id)) return pendingResolved(pending.id);
  const same =
    pending.amount === transfer.amount &&
    pending.from === transfer.from &&
    pending.to === transfer.to &&
    pending.code === transfer.code;
  return same ? undefined : pendingDiffers(id);
}

/** A guard looks at the side that a transfer makes worse: taking from 1, giving to 2. */
function findAmountRefusal(view: LedgerView, transfer: Transfer): PoolError | undefined {
  const [from, to] = accountsAfter(view, transfer);
  if (from.dp + from.dq > AMOUNT_MAX) return balanceOverflow(from.id);
  if (to.cp + to.cq > AMOUNT_MAX) return balanceOverflow(to.id);
  if (!isGuarded(transfer)) return undefined;
  if (from.guard === 1 && !isWithinGuard(from)) return overdrawn(from.id, transfer);
  return to.guard === 2 && !isWithinGuard(to) ? overdrawn(to.id, transfer) : undefined;
}

/** A view with the first transfers of a list already applied. */
class Draft implements LedgerView {
  readonly accounts = new Map<AccountId, Account>();
  readonly #transfers = new Map<string, Transfer>();
  readonly #resolutions = new Map<string, Transfer>();
  readonly #below: LedgerView;

  constructor(below: LedgerView) {
    this.#below = below;
  }

  findAccount(id: AccountId) {
    return this.accounts.get(id) ?? this.#below.findAccount(id);
  }

  findTransfer(id: string) {
    return this.#transfers.get(id) ?? this.#below.findTransfer(id);
  }

  findResolution(pendingId: string) {
    return this.#resolutions.get(pendingId) ?? this.#below.findResolution(pendingId);
  }

  put(transfer: Transfer): void {
    for (const account of accountsAfter(this, transfer)) this.accounts.set(account.id, account);
    this.#transfers.set(transfer.id, transfer);
    if (transfer.pendingId !== undefined) this.#resolutions.set(transfer.pendingId, transfer);
  }
}

const transferDiffers = (id: string) =>
  new PoolError(
    "exists",
    "ledger.transfer_differs",
    `Transfer ${id} is booked with other content; nothing was changed. Compare both before going on.`,
    { transfer: id },
  );

const amountOutOfRange = (id: string) =>
  new PoolError(
    "invalid",
    "ledger.amount_out_of_range",
    `Transfer ${id} must move at least 1 and at most ${AMOUNT_MAX}.`,
  );

const sameAccount = (id: string) =>
  new PoolError("invalid", "ledger.same_account", `Transfer ${id} has the same account twice.`);

const accountUnknown = (id: string) =>
  new PoolError("not_found", "ledger.account_unknown", `Account ${id} has not been opened.`);

const ledgersDiffer = (id: string) =>
  new PoolError(
    "invalid",
    "ledger.ledgers_differ",
    `Transfer ${id} would leave its ledger; convert with two linked transfers.`,
  );

const pendingUnknown = (id: string) =>
  new PoolError("not_found", "ledger.pending_unknown", `Transfer ${id} resolves nothing pending.`);

const pendingResolved = (id: string) =>
  new PoolError(
    "conflict",
    "ledger.pending_resolved",
    `Pending transfer ${id} is posted or voided already.`,
  );

const pendingDiffers = (id: string) =>
  new PoolError(
    "invalid",
    "ledger.pending_differs",
    `Transfer ${id} does not match the pending transfer it names, exactly.`,
  );

const balanceOverflow = (id: string) =>
  new PoolError("exhausted", "ledger.balance_overflow", `Account ${id} cannot hold that much.`);

const overdrawn = (id: string, transfer: Transfer) =>
  new PoolError(
    "precondition",
    "ledger.overdrawn",
    `Account ${id} does not hold the ${transfer.amount} that transfer ${transfer.id} needs.`,
    { account: id, amount: `${transfer.amount}` },
  );
