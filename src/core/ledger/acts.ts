import type { NodeId, PoolId } from "../ids.ts";
import { type AccountId, CU, feeAccount, hotAccount, MICRO_USDT, nodeAccount } from "./account.ts";
import {
  factTransferId,
  nodeTransferId,
  payoutTransferId,
  resolutionId,
  type Transfer,
  type TransferCode,
} from "./transfer.ts";

/** Whose books an act changes, in which slot it belongs, when it is booked and why. */
export interface NodeAct {
  readonly pool: PoolId;
  readonly node: NodeId;
  /** The first slot of what is booked; with pool and node it names the act for ever. */
  readonly slot: number;
  readonly at: number;
  readonly ref: string;
}

/** What a range of slots earned: work credits, the money they are worth, the pool's part of it. */
export interface Earning extends NodeAct {
  readonly cu: bigint;
  readonly micro: bigint;
  readonly feeMicro: bigint;
}

/** One payment of a batch. */
export interface PaymentItem {
  readonly item: number;
  readonly pool: PoolId;
  readonly node: NodeId;
  readonly amount: bigint;
}

/** A batch at the moment it is sealed. */
export interface SealAct {
  readonly batch: string;
  readonly slot: number;
  readonly rail: string;
  readonly at: number;
  readonly items: readonly PaymentItem[];
}

/** A fact seen on a rail. The name (a transaction, a receipt number) makes booking it repeatable. */
export interface RailFact {
  readonly rail: string;
  readonly slot: number;
  readonly at: number;
  readonly fact: string;
  readonly amount: bigint;
}

/** Work is credited: nothing is money yet. */
export function accrue(act: NodeAct, cu: bigint): readonly Transfer[] {
  const to = nodeAccount(act.pool, act.node, "cu");
  return ifAny({
    ...named(act, "accr", "accrue"),
    ledger: CU,
    from: "work:issued",
    to,
    amount: cu,
  });
}

/** Work credits become money owed, and the pool takes its fee of it: linked, over both ledgers. */
export function convert(earning: Earning): readonly Transfer[] {
  const { pool, node, cu, micro, feeMicro } = earning;
  const owed = nodeAccount(pool, node, "owed");
  return [
    ...ifAny({
      ...named(earning, "conv1", "convert"),
      ledger: CU,
      from: nodeAccount(pool, node, "cu"),
      to: "cu:converted",
      amount: cu,
    }),
    ...ifAny({
      ...named(earning, "conv2", "convert"),
      ledger: MICRO_USDT,
      from: "exp:rewards",
      to: owed,
      amount: micro,
    }),
    ...ifAny({
      ...named(earning, "fee", "pool_fee"),
      ledger: MICRO_USDT,
      from: owed,
      to: feeAccount(pool),
      amount: feeMicro,
    }),
  ];
}

/** The ordinary case, without a daily budget: work is credited and converted at once. */
export function accrueAndConvert(earning: Earning): readonly Transfer[] {
  return [...accrue(earning, earning.cu), ...convert(earning)];
}

/** Money owed has waited long enough and becomes payable. */
export function mature(act: NodeAct, amount: bigint): readonly Transfer[] {
  const from = nodeAccount(act.pool, act.node, "owed");
  const to = nodeAccount(act.pool, act.node, "payable");
  return ifAny({ ...named(act, "matr", "mature"), ledger: MICRO_USDT, from, to, amount });
}

/** Unpaid money is taken on evidence. */
export function slash(act: NodeAct, amount: bigint): readonly Transfer[] {
  const from = nodeAccount(act.pool, act.node, "owed");
  return ifAny({ ...named(act, "slsh", "slash"), ledger: MICRO_USDT, from, to: "slashed", amount });
}

/** A batch is sealed: what it pays is reserved, on both sides. */
export function payoutPending(act: SealAct): readonly Transfer[] {
  return act.items.map((item) => ({
    id: payoutTransferId(act.slot, act.batch, item.item),
    ledger: MICRO_USDT,
    from: nodeAccount(item.pool, item.node, "payable"),
    to: hotAccount(act.rail),
    amount: item.amount,
    kind: "pending",
    code: "payout",
    ref: act.batch,
    at: act.at,
  }));
}

/** Payments have landed; `ref` names the proof. This is a fact and no guard refuses it. */
export function payoutPost(pending: readonly Transfer[], ref: string, at: number): Transfer[] {
  return pending.map((transfer) => resolve(transfer, { kind: "post", ref, at }));
}

/** Payments are proven not to have happened and never to happen; the money is payable again. */
export function payoutVoid(pending: readonly Transfer[], ref: string, at: number): Transfer[] {
  return pending.map((transfer) => resolve(transfer, { kind: "void", ref, at }));
}

/**
 * Money was put into a paying account. An asset grows on the side it is taken from, so the
 * transfer goes from the asset to equity.
 */
export function fund(fact: RailFact): readonly Transfer[] {
  return fromHot(fact, { tag: "fund", code: "fund", to: "equity:funding" });
}

/** A payment came back: the node is owed it again. */
export function refund(fact: RailFact, pool: PoolId, node: NodeId): readonly Transfer[] {
  return fromHot(fact, { tag: "refd", code: "refund", to: nodeAccount(pool, node, "payable") });
}

/** A paying account holds more than the ledger knows of. */
export function unexplained(fact: RailFact): readonly Transfer[] {
  return fromHot(fact, { tag: "unex", code: "unexplained", to: "equity:unexplained" });
}

interface HotMove {
  readonly tag: "fund" | "refd" | "unex";
  readonly code: TransferCode;
  readonly to: AccountId;
}

function fromHot(fact: RailFact, { tag, code, to }: HotMove): readonly Transfer[] {
  return ifAny({
    id: factTransferId(fact.slot, tag, `${fact.rail}:${fact.fact}`),
    ledger: MICRO_USDT,
    from: hotAccount(fact.rail),
    to,
    amount: fact.amount,
    kind: "single",
    code,
    ref: fact.fact,
    at: fact.at,
  });
}

function named(
  act: NodeAct,
  tag: Parameters<typeof nodeTransferId>[0]["tag"],
  code: TransferCode,
): Pick<Transfer, "id" | "kind" | "code" | "ref" | "at"> {
  const { slot, pool, node, ref, at } = act;
  return { id: nodeTransferId({ slot, tag, pool, node }), kind: "single", code, ref, at };
}

function resolve(
  pending: Transfer,
  how: Pick<Transfer, "ref" | "at"> & { readonly kind: "post" | "void" },
): Transfer {
  return { ...pending, ...how, id: resolutionId(pending.id, how.kind), pendingId: pending.id };
}

/** A transfer of nothing is no transfer: half an hour may be worth less than a millionth. */
function ifAny(transfer: Transfer): readonly Transfer[] {
  return transfer.amount === 0n ? [] : [transfer];
}
