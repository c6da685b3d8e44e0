import type { NodeId, PoolId } from "@/core/ids.ts";
import type { Standing } from "@/core/ledger/standing.ts";
import type { Candidate } from "@/core/payout/plan.ts";
import { listIneligible } from "@/core/payout/policy.ts";
import { countedWeight } from "@/core/specialization.ts";
import { poolFeeOf, secondsToThreshold } from "@/core/tariff.ts";
import type { Addresses } from "./addresses.ts";
import type { BatchPayment } from "./batches.ts";
import type { PayoutParts } from "./parts.ts";
import { payeesOf } from "./payees.ts";
import { holdsOf, termsOf } from "./planning.ts";

const HISTORY_MAX = 100;
/** Farther away than this an estimate says nothing. */
const ESTIMATE_MS_MAX = 10 * 365 * 86_400_000;

/** A payment of the past or an open one. */
export interface PaymentRecord extends Pick<BatchPayment, "id" | "amount" | "address" | "state"> {
  readonly batch: string;
  readonly rail: string;
  readonly asset: string;
  readonly sealedAtMs: number;
  readonly endedAtMs: number | undefined;
  readonly ref: string | undefined;
  /** The batch's hash. */
  readonly hash: string;
}

/** What a node was and will be paid at a pool. */
export interface NodePayments {
  readonly node: NodeId;
  readonly pool: PoolId;
  readonly standing: Standing;
  /** Why it is not paid, whatever it has. */
  readonly holds: readonly string[];
  readonly thresholdMicro: bigint;
  /** When it is paid next if nothing changes; undefined when that cannot be told. */
  readonly nextAtMs: number | undefined;
  /** Newest first. */
  readonly history: readonly PaymentRecord[];
}

/** A node's money with its history. */
export async function paymentsOf(
  parts: PayoutParts,
  addresses: Addresses,
  of: { readonly node: NodeId; readonly pool: PoolId; readonly nextRunMs: number },
): Promise<NodePayments> {
  const standing = await parts.ledger.owed(of.pool, of.node);
  const creditors = [{ node: of.node, payable: standing.payable }];
  const [payee] = await payeesOf(parts, addresses, { pool: of.pool, creditors });
  const history = await readHistory(parts, of);
  return { ...viewOf(parts, { ...of, standing, payee }), history };
}

/** The money of several nodes, each at the pool it is in. */
export async function standingsOf(
  parts: PayoutParts,
  addresses: Addresses,
  { nodes, nextRunMs }: { readonly nodes: readonly NodeId[]; readonly nextRunMs: number },
): Promise<readonly NodePayments[]> {
  const places = nodes.map((node) => ({ node, pool: parts.registry.getNode(node).pool }));
  const standings = await parts.ledger.standings(places);
  const all = places.map((place, at) => ({ ...place, standing: standings[at] }));
  const views = new Map<NodeId, NodePayments>();
  for (const [pool, members] of Map.groupBy(all, (one) => one.pool)) {
    const creditors = members.map(({ node, standing }) => {
      return { node, payable: standing?.payable ?? 0n };
    });
    const payees = await payeesOf(parts, addresses, { pool, creditors });
    members.forEach(({ node, standing }, at) => {
      if (!standing) return;
      const view = viewOf(parts, { node, pool, nextRunMs, standing, payee: payees[at] });
      views.set(node, { ...view, history: [] });
    });
  }
  return nodes.flatMap((node) => views.get(node) ?? []);
}

interface Looked {
  readonly node: NodeId;
  readonly pool: PoolId;
  readonly nextRunMs: number;
  readonly standing: Standing;
  readonly payee: Candidate | undefined;
}

function viewOf(parts: PayoutParts, looked: Looked): Omit<NodePayments, "history"> {
  const { node, pool, standing, payee } = looked;
  const holds = payee ? holdsOf(parts, payee) : [];
  const thresholdMicro = parts.terms.thresholdMicro;
  const nextAtMs = holds.length > 0 ? undefined : nextPaymentMs(parts, looked);
  return { node, pool, standing, holds, thresholdMicro, nextAtMs };
}

/** The run that pays the node if it goes on as it does now. */
function nextPaymentMs(parts: PayoutParts, looked: Looked): number | undefined {
  const { standing, payee, nextRunMs } = looked;
  const { poot, terms } = parts;
  const { nowMs, trusted } = poot.poolTime();
  if (!trusted || !payee) return undefined;
  const free = { ...payee, payable: standing.payable, hasOpenPayout: false };
  if (listIneligible(free, termsOf(parts)).length === 0) return nextRunMs;
  if (payee.hasLeft) return undefined;
  const seconds = secondsLeft(parts, looked);
  if (seconds === undefined || seconds * 1000 > ESTIMATE_MS_MAX) return undefined;
  const runs = Math.max(0, Math.ceil((nowMs + seconds * 1000 - nextRunMs) / terms.intervalMs));
  return nextRunMs + runs * terms.intervalMs;
}

function secondsLeft(
  { ledger, registry, terms }: PayoutParts,
  { node: id, standing }: Looked,
): number | undefined {
  const node = registry.findNode(id);
  if (node?.status !== "member") return undefined;
  const weight = countedWeight(ledger.weightOf(node.specialization), node.specializationApproved);
  const { microPerHour, feePermille } = ledger.tariff();
  return secondsToThreshold({
    balance: standing.owed - standing.pending,
    threshold: terms.thresholdMicro,
    microPerHour: microPerHour - poolFeeOf(microPerHour, feePermille),
    weight,
    health: node.healthPermille,
  });
}

async function readHistory(
  { database }: PayoutParts,
  { node, pool }: { readonly node: NodeId; readonly pool: PoolId },
): Promise<readonly PaymentRecord[]> {
  const rows = await database.sql
    .selectFrom("payout_item")
    .innerJoin("payout_batch", "payout_batch.id", "payout_item.batch")
    .select(["payout_item.batch", "payout_item.item", "payout_item.amount"])
    .select(["payout_item.address", "payout_item.state", "payout_item.ref"])
    .select(["payout_item.ended_at", "payout_batch.sealed_at", "payout_batch.number"])
    .select(["payout_batch.rail", "payout_batch.asset", "payout_batch.hash"])
    .where("payout_item.node", "=", node)
    .where("payout_item.pool", "=", pool)
    .orderBy("payout_batch.number", "desc")
    .limit(HISTORY_MAX)
    .execute();
  return rows.map((row) => ({
    batch: row.batch,
    id: Number(row.item),
    amount: row.amount,
    address: row.address,
    state: row.state as BatchPayment["state"],
    rail: row.rail,
    asset: row.asset,
    hash: row.hash,
    sealedAtMs: Number(row.sealed_at),
    endedAtMs: row.ended_at === null ? undefined : Number(row.ended_at),
    ref: row.ref ?? undefined,
  }));
}
