import type { NodeId, PoolId } from "@/core/ids.ts";
import {
  type Candidate,
  PLAN_LIFE_MS,
  type PlanItem,
  type Planned,
  planPayouts,
} from "@/core/payout/plan.ts";
import { isFinalPayout, listIneligible, type PayoutTerms } from "@/core/payout/policy.ts";
import type { Addresses } from "./addresses.ts";
import { nextNumber } from "./batches.ts";
import type { PayoutParts } from "./parts.ts";
import { type Creditor, payeesOf } from "./payees.ts";

/** A plan with everybody it looked at. */
export interface PoolPlan extends Planned {
  readonly candidates: ReadonlyMap<NodeId, Candidate>;
}

/** Whose plan it is, its number, and to whom there is something to pay. */
interface PlanRequest {
  readonly pool: PoolId;
  readonly number: number;
  readonly creditors: readonly Creditor[];
}

/** Plans who of a pool would be paid now, by what is payable. */
export async function planPool(
  parts: PayoutParts,
  addresses: Addresses,
  { pool, number, creditors }: PlanRequest,
): Promise<PoolPlan> {
  const { registry, rail, poot, terms } = parts;
  const candidates = await payeesOf(parts, addresses, { pool, creditors });
  const head = {
    number,
    pool,
    poolKey: registry.getPool(pool).publicKey,
    rail: rail.id,
    asset: rail.asset,
    expiresAt: poot.poolTime().nowMs + PLAN_LIFE_MS,
  };
  const limits = { ...termsOf(parts), itemsMax: terms.itemsMax };
  const planned = planPayouts(head, candidates, limits);
  return { ...planned, candidates: new Map(candidates.map((one) => [one.node, one])) };
}

/** What every pool would pay after booking; it is a look, and so it books nothing. */
export async function planAll(
  parts: PayoutParts,
  addresses: Addresses,
  only: PoolId | undefined,
): Promise<readonly PoolPlan[]> {
  const number = await nextNumber(parts.database);
  const pools = parts.registry.listPools().filter(({ id }) => only === undefined || id === only);
  const plans: PoolPlan[] = [];
  for (const { id: pool } of pools) {
    const creditors = await parts.ledger.payable(pool, "with unbooked");
    const request = { pool, creditors, number: number + plans.length };
    plans.push(await planPool(parts, addresses, request));
  }
  return plans;
}

/** The operator's terms of payment, with the rail's fee. */
export function termsOf({ terms, rail }: PayoutParts): PayoutTerms {
  return { threshold: terms.thresholdMicro, feeEstimate: rail.feeEstimateMicroUsdt() };
}

/** Whether a payment uses up the one below the threshold that a leaving node may have. */
export function isFinalItem(parts: PayoutParts, plan: PoolPlan, item: PlanItem): boolean {
  const candidate = plan.candidates.get(item.node);
  return candidate !== undefined && isFinalPayout(candidate, termsOf(parts));
}

const NO_HOLDS: ReadonlySet<string> = new Set([
  "nothing_payable",
  "below_threshold",
  "payout_open",
]);

/** Why a payee would not be paid even if there were enough; empty when nothing holds it. */
export function holdsOf(parts: PayoutParts, candidate: Candidate): readonly string[] {
  const reasons: string[] = listIneligible(candidate, termsOf(parts)).filter(
    (reason) => !NO_HOLDS.has(reason),
  );
  const isElsewhere = candidate.address && candidate.address.rail !== parts.rail.id;
  return isElsewhere ? [...reasons, "other_rail"] : reasons;
}
