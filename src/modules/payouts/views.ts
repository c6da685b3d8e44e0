import type { Node } from "@/core/node.ts";
import { toHex, utf8 } from "@/std/bytes.ts";
import { sha256 } from "@/std/crypto.ts";
import type { AddressStanding } from "./addresses.ts";
import { type Batch, railBatchOf } from "./batches.ts";
import type { NodePayments } from "./node-payments.ts";
import type { PayoutParts } from "./parts.ts";
import type { PoolPlan } from "./planning.ts";

/** What a run sealed, as HTTP tells it. */
export function processView(batches: readonly Batch[]) {
  const views = batches.map(({ id, pool, payments, total }) => ({
    batch_id: id,
    pool_id: pool as string,
    payouts: payments.length,
    total_micro_usdt: `${total}`,
  }));
  return {
    batch_id: views[0]?.batch_id ?? null,
    payouts: views.reduce((sum, { payouts }) => sum + payouts, 0),
    total_micro_usdt: `${sumOf(batches.map(({ total }) => total))}`,
    batches: views,
  };
}

/** What would be paid now, of all pools asked for. */
export function planView(plans: readonly PoolPlan[]) {
  const hashes = plans.map(({ hash }) => hash);
  const [only = ""] = hashes;
  return {
    items: plans.flatMap(paidItems),
    held: plans.flatMap(heldItems),
    total_micro_usdt: `${sumOf(plans.map(({ plan }) => plan.total))}`,
    hash: hashes.length > 1 ? toHex(sha256(utf8(hashes.join("")))) : only,
    expires_at: timeText(Math.min(...plans.map(({ plan }) => plan.expiresAt), 8.64e15)),
    plans: plans.map(({ plan, hash }) => ({
      pool_id: plan.pool as string,
      hash,
      total_micro_usdt: `${plan.total}`,
    })),
  };
}

function paidItems({ plan }: PoolPlan) {
  return plan.items.map(({ node, address, amount, feeBound }, at) => ({
    item_id: `${at + 1}`,
    node_id: node as string,
    pool_id: plan.pool as string,
    address,
    amount_micro_usdt: `${amount}`,
    fee_bound_micro_usdt: `${feeBound}`,
    reason: null,
  }));
}

function heldItems({ plan, notPaid, candidates }: PoolPlan) {
  return notPaid.map(({ node, reasons }) => ({
    item_id: "",
    node_id: node as string,
    pool_id: plan.pool as string,
    address: candidates.get(node)?.address?.address ?? null,
    amount_micro_usdt: `${candidates.get(node)?.payable ?? 0n}`,
    fee_bound_micro_usdt: "0",
    reason: reasons.join(", "),
  }));
}

/** A batch with its payments. */
export function batchView({ rail }: Pick<PayoutParts, "rail">, batch: Batch) {
  return {
    batch_id: batch.id,
    number: batch.number,
    pool_id: batch.pool as string,
    state: batch.state as string,
    rail: batch.rail,
    asset: batch.asset,
    sealed_at: timeText(batch.sealedAtMs),
    ended_at: batch.endedAtMs === undefined ? null : timeText(batch.endedAtMs),
    total_micro_usdt: `${batch.total}`,
    plan_hash: batch.planHash,
    file: (batch.rail === rail.id ? rail.fileOf(railBatchOf(batch)) : undefined) ?? null,
    sha256: batch.hash,
    reference: batch.ref ?? null,
    items: batch.payments.map(({ id, node, name, address, amount, state, ref }) => ({
      item_id: `${id}`,
      node_id: node as string,
      name,
      address,
      amount_micro_usdt: `${amount}`,
      state: state as string,
      reference: ref ?? null,
    })),
  };
}

/** Where a node is paid. */
export function addressView({ node, pool, state, book, newest }: AddressStanding) {
  const { confirmed, waiting, effectiveAt } = book;
  return {
    node_id: node as string,
    pool_id: pool as string,
    state: state as string,
    rail: confirmed?.rail ?? null,
    address: confirmed?.address ?? null,
    waiting: waiting
      ? {
          rail: waiting.rail,
          address: waiting.address,
          effective_at: effectiveAt === undefined || book.contested ? null : timeText(effectiveAt),
        }
      : null,
    statement_hash: toHex(newest),
  };
}

/** What a node has and when it is paid. */
export function paymentsView(node: Node, payments: NodePayments) {
  const { standing, holds, nextAtMs } = payments;
  return {
    node_id: node.id as string,
    pool_id: payments.pool as string,
    name: node.name,
    state: node.state as string,
    owed_micro_usdt: `${standing.owed}`,
    accruing_micro_usdt: `${standing.accruing}`,
    payable_micro_usdt: `${standing.payable}`,
    pending_micro_usdt: `${standing.pending}`,
    paid_micro_usdt: `${standing.paid}`,
    threshold_micro_usdt: `${payments.thresholdMicro}`,
    hold: holds.length > 0 ? holds.join(", ") : null,
    next_payout_at: nextAtMs === undefined ? null : timeText(nextAtMs),
  };
}

/** A node's payments, newest first. */
export function historyView({ history }: NodePayments) {
  return history.map((payment) => ({
    batch_id: payment.batch,
    item_id: `${payment.id}`,
    amount_micro_usdt: `${payment.amount}`,
    rail: payment.rail,
    asset: payment.asset,
    address: payment.address,
    state: payment.state as string,
    sealed_at: timeText(payment.sealedAtMs),
    ended_at: payment.endedAtMs === undefined ? null : timeText(payment.endedAtMs),
    reference: payment.ref ?? null,
  }));
}

function sumOf(amounts: readonly bigint[]): bigint {
  return amounts.reduce((sum, amount) => sum + amount, 0n);
}

function timeText(ms: number): string {
  return new Date(ms).toISOString();
}
