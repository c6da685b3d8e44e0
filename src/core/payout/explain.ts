import type { NodeId, PoolId } from "../ids.ts";
import { nodeAccount } from "../ledger/account.ts";
import type { Transfer, TransferCode } from "../ledger/transfer.ts";
import { cuOf } from "../tariff.ts";

/** A credit row as it is stored: what a close gave a node, and the claim that proves it. */
export interface CreditLine {
  readonly slot: number;
  readonly ticks: number;
  readonly slotSeconds: number;
  readonly weight: number;
  readonly health: number;
  /** The hash of the claim, in hexadecimal. */
  readonly claim: string;
}

/** One booking of a node's money, with the balance it left and, if it was earned, what earned it. */
export interface ExplainedTransfer {
  readonly id: string;
  readonly at: number;
  readonly code: TransferCode;
  readonly kind: Transfer["kind"];
  /** What it changed in what the pool owes the node: positive when earned, negative when paid. */
  readonly change: bigint;
  readonly balance: bigint;
  readonly ref: string;
  readonly credits: readonly CreditLine[];
}

/** Every millionth a node is owed, from the balance down to slots and claims. */
export interface Explanation {
  readonly earned: bigint;
  readonly paid: bigint;
  /** Reserved by an open payout, and still part of the balance. */
  readonly pending: bigint;
  readonly balance: bigint;
  readonly transfers: readonly ExplainedTransfer[];
  /** Bookings whose work credits are not the sum of the rows: an error, or rows no longer kept. */
  readonly unexplained: readonly string[];
}

/** Whose money is explained, by which transfers (as booked) and credit rows (by slot). */
export interface ExplainSources {
  readonly pool: PoolId;
  readonly node: NodeId;
  readonly transfers: readonly Transfer[];
  readonly credits: readonly CreditLine[];
}

/** Explains a node's balance; what it counts is what the ledger counted, in the same integers. */
export function explainBalance(sources: ExplainSources): Explanation {
  const bookings = listBookings(sources);
  let balance = 0n;
  const transfers = sources.transfers.flatMap((transfer): readonly ExplainedTransfer[] => {
    const change = changeOf(sources, transfer);
    if (change === undefined) return [];
    balance += change;
    const { id, at, code, kind, ref } = transfer;
    const booking = code === "convert" ? bookings.get(slotOf(transfer)) : undefined;
    return [{ id, at, code, kind, ref, change, balance, credits: booking?.credits ?? [] }];
  });
  const sumOf = (code: TransferCode) =>
    transfers.reduce((sum, entry) => sum + (entry.code === code ? entry.change : 0n), 0n);
  return {
    earned: sumOf("convert"),
    paid: -sumOf("payout"),
    pending: pendingOf(sources),
    balance,
    transfers,
    unexplained: [...bookings.values()].filter((entry) => !isExplained(entry)).map(({ id }) => id),
  };
}

interface Booking {
  readonly id: string;
  readonly cu: bigint;
  readonly credits: readonly CreditLine[];
}

/** The bookings of work by first slot: each has the rows from there up to the next one's first slot. */
function listBookings({ pool, node, transfers, credits }: ExplainSources) {
  const account = nodeAccount(pool, node, "cu");
  const accruals = transfers
    .filter(({ code, to }) => code === "accrue" && to === account)
    .sort((a, b) => slotOf(a) - slotOf(b));
  const bookings = new Map<number, Booking>();
  accruals.forEach((accrual, index) => {
    const first = slotOf(accrual);
    const next = accruals[index + 1];
    const last = next ? slotOf(next) : Number.POSITIVE_INFINITY;
    const rows = credits.filter(({ slot }) => slot >= first && slot < last);
    bookings.set(first, { id: accrual.id, cu: accrual.amount, credits: rows });
  });
  return bookings;
}

function isExplained({ cu, credits }: Booking): boolean {
  return credits.reduce((sum, line) => sum + cuOf(line), 0n) === cu;
}

/** What a transfer changes in owed and payable together; undefined when it only moves between them. */
function changeOf({ pool, node }: ExplainSources, transfer: Transfer): bigint | undefined {
  const { from, to, kind, amount } = transfer;
  const mine = [nodeAccount(pool, node, "owed"), nodeAccount(pool, node, "payable")];
  const [isFrom, isTo] = [mine.includes(from), mine.includes(to)];
  if (isFrom === isTo) return undefined;
  if (kind === "pending" || kind === "void") return 0n;
  return isFrom ? -amount : amount;
}

function pendingOf({ pool, node, transfers }: ExplainSources): bigint {
  const payable = nodeAccount(pool, node, "payable");
  return transfers
    .filter(({ from, code }) => from === payable && code === "payout")
    .reduce((sum, { kind, amount }) => sum + (kind === "pending" ? amount : -amount), 0n);
}

/** The slot a transfer's id begins with. */
function slotOf({ id }: Transfer): number {
  return Number.parseInt(id, 10);
}
