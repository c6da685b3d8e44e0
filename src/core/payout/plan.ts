import { assert } from "@/std/assert.ts";
import { toHex } from "@/std/bytes.ts";
import { type CanonicalValue, canonicalBytes } from "@/std/canonical-json.ts";
import { sha256 } from "@/std/crypto.ts";
import { PoolError } from "@/std/errors.ts";
import type { NodeId, PoolId } from "../ids.ts";
import { parseUsdt } from "../money.ts";
import type { PayoutAddress } from "./address-book.ts";
import { type IneligibleReason, listIneligible, type Payee, type PayoutTerms } from "./policy.ts";

/** How long a plan may be approved and sealed. */
export const PLAN_LIFE_MS = 3_600_000;

/** One payment of a plan, by value: whatever changes later, this is what was approved. */
export interface PlanItem {
  readonly node: NodeId;
  readonly address: string;
  readonly amount: bigint;
  /** The most this payment may cost in fees. */
  readonly feeBound: bigint;
}

/** What makes one plan: whose it is, over which rail, in which asset, until when. */
export interface PlanHead {
  readonly number: number;
  readonly pool: PoolId;
  readonly poolKey: Uint8Array;
  readonly rail: string;
  /** `USDT`, or `code:issuer` where a rail needs the issuer. */
  readonly asset: string;
  readonly expiresAt: number;
}

/** A plan: payments in the order in which they are paid, the longest due first. */
export interface Plan extends PlanHead {
  readonly items: readonly PlanItem[];
  readonly total: bigint;
}

/** A payee with what a payment to it would need. */
export interface Candidate extends Payee {
  readonly node: NodeId;
  /** The confirmed address. */
  readonly address?: PayoutAddress;
  /** Since when it is due, in milliseconds of the pool's clock. */
  readonly dueSince: number;
}

/** The limits of one plan: what can be paid out of the account, and how many payments fit a batch. */
export interface PlanLimits extends PayoutTerms {
  /** What the paying account holds, or undefined where settling is the fact (manual). */
  readonly funds?: bigint;
  readonly itemsMax: number;
}

/** Who is not paid, and why. */
export interface NotPaid {
  readonly node: NodeId;
  readonly reasons: readonly (IneligibleReason | "other_rail" | "unfunded" | "batch_full")[];
}

/** A plan with its hash, and everybody it leaves out. */
export interface Planned {
  readonly plan: Plan;
  readonly hash: string;
  readonly notPaid: readonly NotPaid[];
}

/**
 * Plans who is paid what. Whole balances are paid, the longest due first while there are funds:
 * the first that cannot be funded and those after it wait, so that nobody is passed for ever.
 */
export function planPayouts(
  head: PlanHead,
  candidates: readonly Candidate[],
  limits: PlanLimits,
): Planned {
  const items: PlanItem[] = [];
  const notPaid: NotPaid[] = [];
  let total = 0n;
  let isUnfunded = false;
  for (const candidate of [...candidates].sort(byDue)) {
    const { node, payable } = candidate;
    const reasons = listReasons(candidate, head.rail, limits);
    if (reasons.length > 0) {
      notPaid.push({ node, reasons });
      continue;
    }
    isUnfunded ||= limits.funds !== undefined && total + payable > limits.funds;
    if (isUnfunded || items.length >= limits.itemsMax) {
      notPaid.push({ node, reasons: [isUnfunded ? "unfunded" : "batch_full"] });
      continue;
    }
    items.push(itemOf(candidate, limits));
    total += payable;
  }
  const plan: Plan = { ...head, items, total };
  return { plan, hash: planHash(plan), notPaid };
}

/** The hash that is approved: SHA-256 of the plan's canonical JSON, in hexadecimal. */
export function planHash(plan: Plan): string {
  return toHex(sha256(canonicalBytes(planValue(plan))));
}

/** The plan as it is hashed and shown: amounts as decimal text of millionths. */
export function planValue(plan: Plan): CanonicalValue {
  return {
    format: "galaxy-pool plan 1",
    number: plan.number,
    pool: plan.pool,
    pool_key: toHex(plan.poolKey),
    rail: plan.rail,
    asset: plan.asset,
    expires_at: plan.expiresAt,
    total_micro_usdt: `${plan.total}`,
    items: plan.items.map(({ node, address, amount, feeBound }) => ({
      node,
      address,
      amount_micro_usdt: `${amount}`,
      fee_bound_micro_usdt: `${feeBound}`,
    })),
  };
}

/** What the engine still pays of a plan; it may drop an item, never add, raise or re-address one. */
export function keepItems(plan: Plan, kept: readonly PlanItem[], now: number): readonly PlanItem[] {
  if (now >= plan.expiresAt) throw planExpired(plan.number);
  const planned = new Map(plan.items.map((item) => [item.node, item]));
  for (const item of kept) {
    const original = planned.get(item.node);
    if (!original || !isSameItem(original, item)) throw notAsPlanned(item.node);
    planned.delete(item.node);
  }
  return kept;
}

/** When a second look is needed before a plan is sealed: never, always, or above an amount. */
export type ApprovalPolicy =
  | { readonly type: "none" | "always" }
  | { readonly type: "above"; readonly amount: bigint };

/** Reads `none`, `always` or `above:<USDT>`. */
export function parseApproval(text: string): ApprovalPolicy {
  if (text === "none" || text === "always") return { type: text };
  if (text.startsWith("above:")) return { type: "above", amount: parseUsdt(text.slice(6)) };
  throw new PoolError(
    "invalid",
    "payout.approval_malformed",
    "payout.approval is none, always, or above: and an amount of USDT, like above:100.",
  );
}

/** Whether a plan of this total has to be approved. */
export function needsApproval(policy: ApprovalPolicy, total: bigint): boolean {
  return policy.type === "above" ? total > policy.amount : policy.type === "always";
}

/** Refuses to approve what is not, or no longer, the plan that was shown. */
export function requireApprovable(plan: Plan, hash: string, now: number): void {
  if (planHash(plan) !== hash) throw planChanged(plan.number);
  if (now >= plan.expiresAt) throw planExpired(plan.number);
}

function listReasons(candidate: Candidate, rail: string, terms: PayoutTerms): NotPaid["reasons"] {
  const reasons = listIneligible(candidate, terms);
  const isElsewhere = candidate.address && candidate.address.rail !== rail;
  return isElsewhere ? [...reasons, "other_rail"] : reasons;
}

function itemOf({ node, address, payable }: Candidate, { feeEstimate }: PayoutTerms): PlanItem {
  assert(address, `payee ${node} is eligible without an address`);
  return { node, address: address.address, amount: payable, feeBound: feeEstimate };
}

function isSameItem(a: PlanItem, b: PlanItem): boolean {
  return a.address === b.address && a.amount === b.amount && a.feeBound === b.feeBound;
}

function byDue(a: Candidate, b: Candidate): number {
  if (a.dueSince !== b.dueSince) return a.dueSince - b.dueSince;
  return a.node < b.node ? -1 : 1;
}

const planExpired = (number: number) =>
  new PoolError(
    "precondition",
    "payout.plan_expired",
    `Plan ${number} has expired; look at a new one with "payout plan".`,
  );

const planChanged = (number: number) =>
  new PoolError(
    "conflict",
    "payout.plan_changed",
    `Plan ${number} has another hash; look at it again before approving it.`,
  );

const notAsPlanned = (node: NodeId) =>
  new PoolError(
    "conflict",
    "payout.not_as_planned",
    `The payment to node ${node} is not in the plan as it would be sealed; make a new plan.`,
    { node },
  );
