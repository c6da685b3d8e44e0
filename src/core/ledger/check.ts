import { type Account, type AccountId, openAccount } from "./account.ts";
import { findRefusal, movementOf } from "./ledger.ts";
import { MemoryLedger } from "./memory-ledger.ts";
import type { Transfer } from "./transfer.ts";

/** A broken invariant of money.md, section 1.4, by its number there. */
export interface Violation {
  readonly invariant: 1 | 2 | 3 | 4 | 7 | 9 | 10;
  /** The account, transfer, ledger or node it is about. */
  readonly subject: string;
  readonly message: string;
}

type Sums = Pick<Account, "dp" | "dq" | "cp" | "cq">;

/**
 * Everything that is wrong with a ledger; nothing, when all is well.
 * The transfers come in the order in which they were booked.
 */
export function checkLedger(
  accounts: readonly Account[],
  transfers: readonly Transfer[],
): readonly Violation[] {
  return [
    ...checkSides(accounts),
    ...checkBalances(accounts, transfers),
    ...checkResolutions(transfers),
    ...checkPaid(transfers),
    ...checkReplay(accounts, transfers),
  ];
}

/** 1. On each ledger, what was taken equals what was given: posted, and pending. */
function checkSides(accounts: readonly Account[]): readonly Violation[] {
  const ledgers = [...new Set(accounts.map((account) => account.ledger))];
  return ledgers.flatMap((ledger): readonly Violation[] => {
    const mine = accounts.filter((account) => account.ledger === ledger);
    const total = (side: keyof Sums) => mine.reduce((sum, account) => sum + account[side], 0n);
    if (total("dp") === total("cp") && total("dq") === total("cq")) return [];
    return [{ invariant: 1, subject: `ledger ${ledger}`, message: "the two sides differ" }];
  });
}

/** 2. Every stored balance is the sum over its transfers. */
function checkBalances(
  accounts: readonly Account[],
  transfers: readonly Transfer[],
): readonly Violation[] {
  const sums = new Map<AccountId, Sums>(accounts.map(({ id }) => [id, openAccount(id)]));
  for (const transfer of transfers) {
    const { from, to } = transfer;
    const { posted, pending } = movementOf(transfer);
    const source = sums.get(from) ?? openAccount(from);
    sums.set(from, { ...source, dp: source.dp + posted, dq: source.dq + pending });
    const target = sums.get(to) ?? openAccount(to);
    sums.set(to, { ...target, cp: target.cp + posted, cq: target.cq + pending });
  }
  const stored = new Map(accounts.map((account) => [account.id, account]));
  return [...sums]
    .filter(([id, sum]) => !isSameSums(stored.get(id), sum))
    .map(([id]) => ({ invariant: 2, subject: id, message: "the balance is not its transfers" }));
}

/** 4. A pending transfer is resolved at most once, and every resolution has its pending one. */
function checkResolutions(transfers: readonly Transfer[]): readonly Violation[] {
  const pending = new Set(transfers.filter((t) => t.kind === "pending").map((t) => t.id));
  const resolved = new Set<string>();
  return transfers.flatMap(({ id, kind, pendingId }): readonly Violation[] => {
    if (kind === "single" || kind === "pending") return [];
    if (pendingId === undefined || !pending.has(pendingId)) {
      return [{ invariant: 4, subject: id, message: "it resolves nothing pending" }];
    }
    if (resolved.has(pendingId)) {
      return [{ invariant: 4, subject: pendingId, message: "it is resolved more than once" }];
    }
    resolved.add(pendingId);
    return [];
  });
}

/** 7. A node was never paid, net of what came back, more than it had earned. */
function checkPaid(transfers: readonly Transfer[]): readonly Violation[] {
  const left = new Map<string, bigint>();
  for (const transfer of transfers) {
    const [owner, change] = earnedOrPaid(transfer);
    if (owner) left.set(owner, (left.get(owner) ?? 0n) + change);
  }
  return [...left]
    .filter(([, amount]) => amount < 0n)
    .map(([owner]) => ({
      invariant: 7,
      subject: owner,
      message: "it was paid more than it earned",
    }));
}

/** 3 and 10. Replayed into an empty ledger, no guard refuses and the balances are the same. */
function checkReplay(
  accounts: readonly Account[],
  transfers: readonly Transfer[],
): readonly Violation[] {
  const ledger = new MemoryLedger().open(...accounts.map(({ id }) => id));
  const refused = transfers.flatMap((transfer): readonly Violation[] => {
    ledger.open(transfer.from, transfer.to);
    const refusal = findRefusal(ledger, transfer);
    if (!refusal) {
      ledger.book([transfer]);
      return [];
    }
    const invariant = refusal.code === "ledger.overdrawn" ? 3 : 10;
    return [{ invariant, subject: transfer.id, message: refusal.message }];
  });
  const different = accounts
    .filter((account) => !isSameSums(account, ledger.getAccount(account.id)))
    .map(({ id }): Violation => ({ invariant: 10, subject: id, message: "a replay differs" }));
  return [...refused, ...different];
}

/** The node a transfer makes richer or pays, and by how much; no node for all other transfers. */
function earnedOrPaid({ code, kind, from, to, amount }: Transfer): readonly [string, bigint] {
  if (code === "convert" && to.endsWith(":owed")) return [ownerOf(to), amount];
  if (code === "payout" && kind === "post") return [ownerOf(from), -amount];
  return code === "refund" ? [ownerOf(to), amount] : ["", 0n];
}

/** `node:<pool>:<node>` of an account of a node. */
function ownerOf(id: AccountId): string {
  return id.slice(0, id.lastIndexOf(":"));
}

function isSameSums(a: Sums | undefined, b: Sums): boolean {
  return a !== undefined && a.dp === b.dp && a.dq === b.dq && a.cp === b.cp && a.cq === b.cq;
}
