import { assert } from "@/std/assert.ts";
import type { NodeId, PoolId } from "../ids.ts";

/** The ledger of work credits: seconds of operation, weighted (money.md, section 5). */
export const CU = 1;
/** The ledger of money: millionths of one USDT. */
export const MICRO_USDT = 2;
/** A ledger is a unit of account; a transfer never leaves its ledger. */
export type LedgerNumber = typeof CU | typeof MICRO_USDT;

/** Guard 0 allows anything, 1 keeps a liability from being overdrawn, 2 keeps an asset from being. */
export type Guard = 0 | 1 | 2;

/** What a node has at one pool: work not yet converted, money not yet mature, money to be paid. */
export type NodeBook = "cu" | "owed" | "payable";

/** The accounts every installation has exactly once. */
export type FixedAccountId = keyof typeof FIXED;

/** The name of an account in the chart of accounts (money.md, section 1.2). */
export type AccountId =
  | FixedAccountId
  | `asset:hot:${string}`
  | `pool:${string}:fee`
  | `node:${string}:${string}:${NodeBook}`;

interface Shape {
  readonly ledger: LedgerNumber;
  readonly kind: string;
  readonly guard: Guard;
}

/** An account with what was taken from it (debits) and given to it (credits): posted p, pending q. */
export interface Account extends Shape {
  readonly id: AccountId;
  readonly dp: bigint;
  readonly dq: bigint;
  readonly cp: bigint;
  readonly cq: bigint;
}

/** The figures of an account, or of several of one kind together. */
export type AccountSums = Pick<Account, "kind" | "dp" | "dq" | "cp" | "cq">;

const FIXED = {
  "work:issued": { ledger: CU, kind: "issued", guard: 0 },
  "cu:converted": { ledger: CU, kind: "converted", guard: 0 },
  "exp:rewards": { ledger: MICRO_USDT, kind: "rewards", guard: 0 },
  "equity:funding": { ledger: MICRO_USDT, kind: "funding", guard: 0 },
  "equity:unexplained": { ledger: MICRO_USDT, kind: "unexplained", guard: 0 },
  slashed: { ledger: MICRO_USDT, kind: "slashed", guard: 0 },
  stakers: { ledger: MICRO_USDT, kind: "stakers", guard: 0 },
  dust: { ledger: MICRO_USDT, kind: "dust", guard: 0 },
} as const satisfies Record<string, Shape>;

const BOOKS: Readonly<Record<string, Shape>> = {
  cu: { ledger: CU, kind: "cu", guard: 1 },
  owed: { ledger: MICRO_USDT, kind: "owed", guard: 1 },
  payable: { ledger: MICRO_USDT, kind: "payable", guard: 1 },
};

/** Kinds whose balance grows with what is taken from them: assets and expenses. */
const DEBIT_KINDS: ReadonlySet<string> = new Set(["issued", "rewards", "hot"]);

/** The account of a node at a pool; the same node has other accounts at another pool. */
export function nodeAccount(pool: PoolId, node: NodeId, book: NodeBook): AccountId {
  return `node:${pool}:${node}:${book}`;
}

/** The account a rail pays from. Guard 0 for `manual`: settling is the fact, nothing is funded. */
export function hotAccount(rail: string): AccountId {
  return `asset:hot:${rail}`;
}

/** The account that collects a pool's fee. */
export function feeAccount(pool: PoolId): AccountId {
  return `pool:${pool}:fee`;
}

/** Whether a text names an account of the chart. */
export function isAccountId(text: string): text is AccountId {
  return findShape(text) !== undefined;
}

/** A new account, with ledger, kind and guard as the chart of accounts says, and nothing in it. */
export function openAccount(id: AccountId): Account {
  const shape = findShape(id);
  assert(shape, `account ${id} is not in the chart of accounts`);
  return { id, ...shape, dp: 0n, dq: 0n, cp: 0n, cq: 0n };
}

/** What the account holds by posted transfers, counted in the direction its kind grows. */
export function balanceOf(account: AccountSums): bigint {
  const credits = account.cp - account.dp;
  return DEBIT_KINDS.has(account.kind) ? -credits : credits;
}

/** What may still be taken from it: the balance without what pending transfers have reserved. */
export function availableOf(account: AccountSums): bigint {
  const reserved = DEBIT_KINDS.has(account.kind) ? account.cq : account.dq;
  return balanceOf(account) - reserved;
}

/** What pending transfers have reserved of it. */
export function pendingOf(account: AccountSums): bigint {
  return DEBIT_KINDS.has(account.kind) ? account.cq : account.dq;
}

/** Whether the account is within its guard. */
export function isWithinGuard(account: Account): boolean {
  if (account.guard === 1) return account.dp + account.dq <= account.cp;
  if (account.guard === 2) return account.cp + account.cq <= account.dp;
  return true;
}

function findShape(id: string): Shape | undefined {
  if (isFixed(id)) return FIXED[id];
  const book = /^node:[^:]+:[^:]+:(cu|owed|payable)$/.exec(id)?.[1];
  if (book) return BOOKS[book];
  if (/^pool:[^:]+:fee$/.test(id)) return { ledger: MICRO_USDT, kind: "fee", guard: 0 };
  const rail = /^asset:hot:([^:]+)$/.exec(id)?.[1];
  return rail ? { ledger: MICRO_USDT, kind: "hot", guard: rail === "manual" ? 0 : 2 } : undefined;
}

function isFixed(id: string): id is FixedAccountId {
  return Object.hasOwn(FIXED, id);
}
