import { assert } from "@/std/assert.ts";
import type { CanonicalValue } from "@/std/canonical-json.ts";
import { formatUsdt } from "../money.ts";
import { csvField } from "../payout/batch.ts";

/** Whose statement it is, over which time; it is in USDT. Times are milliseconds of the pool's clock. */
export interface StatementHead {
  readonly pool: string;
  /** Hexadecimal. */
  readonly poolKey: string;
  readonly node: string;
  readonly fromMs: number;
  readonly toMs: number;
}

/** What a node earned on a UTC day, and the newest claims that prove it. */
export interface StatementDay {
  /** `2026-01-31`. */
  readonly day: string;
  readonly cu: bigint;
  readonly earned: bigint;
  readonly fee: bigint;
  readonly claims: readonly string[];
}

/** A tariff that was in force in the period. */
export interface StatementTariff {
  readonly fromMs: number;
  readonly microPerHour: bigint;
  readonly feePermille: number;
  readonly weights: Readonly<Record<string, number>>;
}

/** Money taken on evidence (negative) or that came back (positive). */
export interface StatementAdjustment {
  readonly atMs: number;
  readonly code: string;
  readonly amount: bigint;
  readonly ref: string;
}

/** A payment that was settled in the period; `ref` is its proof. */
export interface StatementPayout {
  readonly atMs: number;
  readonly batch: string;
  readonly item: number;
  readonly rail: string;
  readonly asset: string;
  readonly amount: bigint;
  readonly ref: string;
}

/** An account of a period: what was owed before, what changed it, what is owed after. */
export interface Statement extends StatementHead {
  readonly opening: bigint;
  readonly days: readonly StatementDay[];
  readonly tariffs: readonly StatementTariff[];
  readonly adjustments: readonly StatementAdjustment[];
  readonly payouts: readonly StatementPayout[];
  readonly closing: bigint;
}

/** A signature over the SHA-256 of a statement's canonical JSON. */
export interface StatementSeal {
  /** Hexadecimal. */
  readonly sha256: string;
  /** Base64. */
  readonly signature: string;
}

/** The statement with what is owed after the period: it always sums up. */
export function closeStatement(open: Omit<Statement, "closing">): Statement {
  const earned = open.days.reduce((sum, day) => sum + day.earned - day.fee, 0n);
  const adjusted = open.adjustments.reduce((sum, { amount }) => sum + amount, 0n);
  const paid = open.payouts.reduce((sum, { amount }) => sum + amount, 0n);
  const closing = open.opening + earned + adjusted - paid;
  assert(open.opening >= 0n && closing >= 0n, "nobody owes the pool");
  return { ...open, closing };
}

/** The statement as it is hashed, signed and shown. */
export function statementValue(statement: Statement): { readonly [name: string]: CanonicalValue } {
  return {
    format: "galaxy-pool statement 1",
    pool_id: statement.pool,
    pool_key: statement.poolKey,
    node_id: statement.node,
    from: timeText(statement.fromMs),
    to: timeText(statement.toMs),
    opening_micro_usdt: `${statement.opening}`,
    days: statement.days.map(({ day, cu, earned, fee, claims }) => ({
      day,
      cu: `${cu}`,
      earned_micro_usdt: `${earned}`,
      fee_micro_usdt: `${fee}`,
      claim_hashes: claims,
    })),
    tariffs: statement.tariffs.map(({ fromMs, microPerHour, feePermille, weights }) => ({
      from: timeText(fromMs),
      micro_usdt_per_hour: `${microPerHour}`,
      fee_permille: feePermille,
      weights_permille: weights,
    })),
    adjustments: statement.adjustments.map(({ atMs, code, amount, ref }) => ({
      at: timeText(atMs),
      code,
      amount_micro_usdt: `${amount}`,
      ref,
    })),
    payouts: statement.payouts.map(({ atMs, amount, ...payout }) => ({
      at: timeText(atMs),
      ...payout,
      amount_micro_usdt: `${amount}`,
    })),
    closing_micro_usdt: `${statement.closing}`,
  };
}

const COLUMNS = [
  "when",
  "what",
  "amount_usdt",
  "amount_micro_usdt",
  "balance_micro_usdt",
  "reference",
];

/**
 * The same account as a table; its last rows name the hash and the signature of the JSON, and the
 * checkpoint of the audit log that goes with it.
 */
export function statementTable(
  statement: Statement,
  seal: StatementSeal,
  checkpoint: string | null = null,
): string {
  let balance = statement.opening;
  const money = (when: string, what: string, [amount, ref]: readonly [bigint, string]) => {
    balance += amount;
    return [when, what, formatUsdt(amount), `${amount}`, `${balance}`, ref];
  };
  const [from, to] = [timeText(statement.fromMs), timeText(statement.toMs)];
  const rows = [
    money(from, "opening", [0n, ""]),
    ...statement.days.flatMap(({ day, earned, fee, claims }) => [
      money(day, "earned", [earned, claims.at(-1) ?? ""]),
      ...(fee > 0n ? [money(day, "pool fee", [-fee, ""])] : []),
    ]),
    ...statement.adjustments.map(({ atMs, code, amount, ref }) =>
      money(timeText(atMs), code, [amount, ref]),
    ),
    ...statement.payouts.map(({ atMs, amount, batch, item, ref }) =>
      money(timeText(atMs), `payout ${batch}/${item}`, [-amount, ref]),
    ),
    money(to, "closing", [0n, ""]),
    [to, "sha256", "", "", "", seal.sha256],
    [to, "signature", "", "", "", seal.signature],
    ...(checkpoint === null ? [] : [[to, "audit checkpoint", "", "", "", checkpoint]]),
  ];
  return [COLUMNS, ...rows].map((row) => `${row.map(csvField).join(",")}\r\n`).join("");
}

function timeText(ms: number): string {
  return new Date(ms).toISOString();
}
