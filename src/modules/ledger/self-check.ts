import {
  type Account,
  type AccountId,
  type AccountSums,
  isWithinGuard,
  openAccount,
} from "@/core/ledger/account.ts";
import type { Violation } from "@/core/ledger/check.ts";
import { movementOf } from "@/core/ledger/ledger.ts";
import type { Database } from "@/ports/database.ts";
import { accountOf, type BookedTransfer, readTransfersAfter } from "./transfers.ts";

const PAGE = 1_000;

type Sums = Pick<AccountSums, "dp" | "dq" | "cp" | "cq">;

/**
 * The invariants of money.md, section 1.4, over the tables: every transfer is read once, in pages,
 * so that everybody else goes on meanwhile. Accounts are read first; newer transfers do not count.
 */
export async function checkTables(database: Database): Promise<readonly Violation[]> {
  const { accounts, lastSeq } = await readSnapshot(database);
  const replay = new Replay();
  for (let seq = 0n; seq < lastSeq; ) {
    const page = await readTransfersAfter(database, seq, PAGE);
    for (const transfer of page) if (transfer.seq <= lastSeq) replay.add(transfer);
    seq = page.at(-1)?.seq ?? lastSeq;
    await new Promise((resolve) => setImmediate(resolve));
  }
  return [...sidesOf(accounts), ...guardsOf(accounts), ...replay.violations(accounts)];
}

async function readSnapshot(database: Database) {
  const rows = await database.sql
    .selectFrom("account")
    .selectAll()
    .select((is) =>
      is
        .selectFrom("transfer")
        .select((of) => of.fn.max("seq").as("seq"))
        .as("last_seq"),
    )
    .execute();
  return { accounts: rows.map(accountOf), lastSeq: rows[0]?.last_seq ?? 0n };
}

/** 1. On each ledger, what was taken equals what was given. */
function sidesOf(accounts: readonly Account[]): readonly Violation[] {
  return [...Map.groupBy(accounts, ({ ledger }) => ledger)].flatMap(([ledger, mine]) => {
    const total = (side: keyof Sums) => mine.reduce((sum, account) => sum + account[side], 0n);
    if (total("dp") === total("cp") && total("dq") === total("cq")) return [];
    return [
      { invariant: 1, subject: `ledger ${ledger}`, message: "the two sides differ" } as const,
    ];
  });
}

/** 3. Guards hold. */
function guardsOf(accounts: readonly Account[]): readonly Violation[] {
  return accounts
    .filter((account) => !isWithinGuard(account))
    .map(({ id }) => ({ invariant: 3, subject: id, message: "the account is overdrawn" }));
}

/** The transfers once more, in their order. */
class Replay {
  readonly #sums = new Map<string, Sums>();
  readonly #pending = new Set<string>();
  readonly #left = new Map<string, bigint>();
  readonly #found: Violation[] = [];

  add(transfer: BookedTransfer): void {
    const { from, to } = transfer;
    const { posted, pending } = movementOf(transfer);
    const source = this.#sumsOf(from);
    this.#sums.set(from, { ...source, dp: source.dp + posted, dq: source.dq + pending });
    const target = this.#sumsOf(to);
    this.#sums.set(to, { ...target, cp: target.cp + posted, cq: target.cq + pending });
    this.#resolve(transfer);
    this.#pay(transfer);
  }

  /** 2 and 10. A replay gives the same balances; and what was found on the way. */
  violations(accounts: readonly Account[]): readonly Violation[] {
    const stored = new Map<string, Account>(accounts.map((account) => [account.id, account]));
    const ids = new Set([...stored.keys(), ...this.#sums.keys()]);
    const differing = [...ids].filter((id) => !isSame(stored.get(id), this.#sumsOf(id)));
    const message = "the balance is not its transfers";
    const overpaid = [...this.#left].filter(([, amount]) => amount < 0n);
    return [
      ...differing.map((subject): Violation => ({ invariant: 2, subject, message })),
      ...this.#found,
      ...overpaid.map(([subject]): Violation => {
        return { invariant: 7, subject, message: "it was paid more than it earned" };
      }),
    ];
  }

  /** 4. A pending transfer is resolved at most once. */
  #resolve({ id, kind, pendingId }: BookedTransfer): void {
    if (kind === "pending") this.#pending.add(id);
    if (pendingId === undefined || this.#pending.delete(pendingId)) return;
    this.#found.push({ invariant: 4, subject: id, message: "it resolves nothing pending" });
  }

  /** 7. Nobody is paid more than they earned. */
  #pay({ code, kind, from, to, amount }: BookedTransfer): void {
    const isEarned = (code === "convert" && to.endsWith(":owed")) || code === "refund";
    const isPaid = code === "payout" && kind === "post";
    if (!isEarned && !isPaid) return;
    const account = isEarned ? to : from;
    const owner = account.slice(0, account.lastIndexOf(":"));
    this.#left.set(owner, (this.#left.get(owner) ?? 0n) + (isEarned ? amount : -amount));
  }

  #sumsOf(id: string): Sums {
    return this.#sums.get(id) ?? openAccount(id as AccountId);
  }
}

function isSame(a: Sums | undefined, b: Sums): boolean {
  return a !== undefined && a.dp === b.dp && a.dq === b.dq && a.cp === b.cp && a.cq === b.cq;
}
