import type { Caller } from "@/core/caller.ts";
import { type Action, nextAction, type Settlement } from "@/core/payout/machine.ts";
import { type SettleCommand, settleByHand } from "@/core/payout/settlement.ts";
import type { Write } from "@/ports/database.ts";
import { assert } from "@/std/assert.ts";
import {
  type Batch,
  type BatchPayment,
  type BatchState,
  closeBatch,
  getBatch,
  openBatchOf,
  readLane,
  saveEnd,
} from "./batches.ts";
import type { PayoutParts } from "./parts.ts";

/** What an operator's word about a batch writes, and what the batch is afterwards. */
export interface Settling {
  readonly writes: readonly Write[];
  readonly batch: Batch;
}

/** What an operator says of a batch; `note` is for the record. */
export interface OperatorWord {
  readonly id: string;
  readonly command: SettleCommand;
  readonly note?: string | undefined;
}

/**
 * Decides what an operator's word means and puts it into one commit: transfers, payments, batch,
 * lane and holds. Undefined when it was said before; refused when it contradicts what was said.
 */
export async function settleWrites(
  parts: PayoutParts,
  caller: Caller,
  of: OperatorWord,
): Promise<Settling | { readonly writes: undefined; readonly batch: Batch }> {
  const { database, ledger, poot, audit } = parts;
  const batch = await getBatch(database, of.id);
  const open = openBatchOf(batch);
  const answer = settleByHand(open, of.command, false);
  if (!answer) return { writes: undefined, batch };
  const atMs = poot.poolTime().nowMs;
  const lane = await readLane(database, batch.lane);
  const view = { lane, now: atMs, dueCount: 0, faulty: [], open: { batch: open, answer } };
  const settlement = settlementIn(nextAction(view));
  const after = batchAfter(batch, settlement, { ...of, atMs });
  return {
    batch: after,
    writes: [
      ...(await ledger.resolveWrites(resolutionsOf(batch, settlement))),
      ...endsOf(settlement).map((end) => saveEnd(database, batch, { ...end, atMs })),
      ...(settlement.closes
        ? closeBatch(database, batch, { ...after, ref: after.ref, next: settlement.next, atMs })
        : []),
      ...holdWrites(parts, batch, settlement, atMs),
      audit.row(caller, actionName(of.command), batch.id, {
        posted: settlement.post.length,
        voided: settlement.void.length,
        state: after.state,
        ref: after.ref ?? null,
      }),
    ],
  };
}

function settlementIn(action: Action): Settlement {
  assert(action.type === "post" || action.type === "void", "an operator's word ends payments");
  return action;
}

function resolutionsOf(batch: Batch, settlement: Settlement) {
  const transferOf = ({ item, ref }: { readonly item: number; readonly ref: string }) => {
    return { id: paymentIn(batch, item).transfer, ref };
  };
  return { post: settlement.post.map(transferOf), void: settlement.void.map(transferOf) };
}

function endsOf({ post, void: voided }: Settlement) {
  return [
    ...post.map(({ item, ref }) => ({ id: item, ref, state: "posted" as const })),
    ...voided.map(({ item, ref }) => ({ id: item, ref, state: "voided" as const })),
  ];
}

function batchAfter(
  batch: Batch,
  settlement: Settlement,
  { command, note, atMs }: OperatorWord & { readonly atMs: number },
): Batch {
  const ends = new Map(endsOf(settlement).map((end) => [end.id, end]));
  const payments = batch.payments.map(
    (payment): BatchPayment => ({
      ...payment,
      ...ends.get(payment.id),
    }),
  );
  if (!settlement.closes) return { ...batch, payments };
  const isPaid = payments.some(({ state }) => state === "posted");
  const ended: BatchState = isPaid ? "settled" : "failed";
  const state = command.type === "cancel" ? "cancelled" : ended;
  return {
    ...batch,
    payments,
    state,
    ref: command.type === "all" ? command.ref : note,
    endedAtMs: atMs,
  };
}

function actionName({ type }: SettleCommand): string {
  return { all: "payout.settled", items: "payout.reported", cancel: "payout.cancelled" }[type];
}

/** A payee whose payment failed waits for another address, or for the operator. */
function holdWrites(
  { database }: PayoutParts,
  batch: Batch,
  { culprits }: Settlement,
  atMs: number,
): Write[] {
  return culprits.map(({ item, why, ref }) => {
    const { node, address } = paymentIn(batch, item);
    const hold = { why, ref, address, at: BigInt(atMs) };
    const query = database.sql
      .insertInto("payout_hold")
      .values({ pool: batch.pool, node, ...hold })
      .onConflict((conflict) => conflict.columns(["pool", "node"]).doUpdateSet(hold));
    return { query: query.compile(), rows: 1 };
  });
}

function paymentIn({ id, payments }: Batch, item: number): BatchPayment {
  const payment = payments.find((one) => one.id === item);
  assert(payment, `batch ${id} has item ${item}`);
  return payment;
}
