import { assert, unreachable } from "@/std/assert.ts";
import { PoolError } from "@/std/errors.ts";
import type { PayeeHold } from "./policy.ts";

/** Where a payout may be, and where it may go from there; nothing leaves an end. */
export const PAYOUT_MOVES = {
  planned: ["approved", "sealed", "held", "cancelled"],
  approved: ["sealed", "held", "cancelled"],
  held: ["planned", "cancelled"],
  sealed: ["settled", "failed", "cancelled", "needs_operator"],
  needs_operator: ["sealed", "settled", "failed", "cancelled"],
  settled: [],
  failed: [],
  cancelled: [],
} as const satisfies Record<string, readonly string[]>;

/** The state of one payout. */
export type PayoutState = keyof typeof PAYOUT_MOVES;

/** Refuses a move that the life of a payout does not have. */
export function requireMove(from: PayoutState, to: PayoutState): void {
  const moves: readonly PayoutState[] = PAYOUT_MOVES[from];
  if (moves.includes(to)) return;
  throw new PoolError(
    "precondition",
    "payout.move_refused",
    `A payout that is ${from} cannot become ${to}.`,
    { from, to },
  );
}

/** Refuses to seal what has not been approved where approval is needed. */
export function requireSealable(state: PayoutState, isApprovalNeeded: boolean): void {
  requireMove(state, "sealed");
  if (!isApprovalNeeded || state === "approved") return;
  throw new PoolError(
    "precondition",
    "payout.not_approved",
    "This plan has to be approved first: look at it, then approve its hash.",
  );
}

/** A paying account as it is stored. `next` moves only in the commit that settles (law L5). */
export interface Lane {
  readonly next: number;
  readonly state: "open" | "paused" | "stopped";
}

/** One payment of a sealed batch; `ref` is the proof of a posted one, the reason of a voided one. */
export interface OpenItem {
  readonly id: number;
  readonly state: "pending" | "posted" | "voided";
  readonly ref?: string;
}

/** The one sealed batch a lane may have, as it is stored (laws L1 and L2). */
export interface OpenBatch {
  readonly id: string;
  readonly position: number;
  readonly items: readonly OpenItem[];
  /** Pushing again makes no sense before this time. */
  readonly pushAfter: number;
}

/** A payment that failed, and why its payee is held from now on. */
export interface Culprit {
  readonly item: number;
  readonly why: PayeeHold;
  readonly ref: string;
}

/**
 * What a rail knows of a sealed batch. Only `done`, `failed`, `never` and `items` have a proof;
 * a timeout, an error or "not found" is `wait`, whatever the rail was told (law L3).
 */
export type SettleAnswer =
  | { readonly type: "done"; readonly proof: string }
  | { readonly type: "failed"; readonly proof: string; readonly culprits: readonly Culprit[] }
  | { readonly type: "never"; readonly proof: string; readonly isPositionFree: boolean }
  | {
      readonly type: "items";
      readonly posted: readonly { readonly item: number; readonly ref: string }[];
      readonly failed: readonly Culprit[];
    }
  | { readonly type: "wait" }
  | { readonly type: "position_taken" };

/** Everything one step of the engine looks at. */
export interface LaneView {
  readonly lane: Lane;
  readonly now: number;
  /** The open batch and what its rail answers now. */
  readonly open?: { readonly batch: OpenBatch; readonly answer: SettleAnswer };
  /** Payees that may be paid now, after preflight. */
  readonly dueCount: number;
  /** Payees that preflight found fault with, not held yet. */
  readonly faulty: readonly { readonly node: string; readonly why: PayeeHold }[];
  /** The last position the chain has consumed; undefined on a rail without positions. */
  readonly chainPosition?: number;
}

/** What settling a batch writes, in one commit: transfers, holds, and the lane's next position. */
export interface Settlement {
  readonly batch: string;
  readonly post: readonly { readonly item: number; readonly ref: string }[];
  readonly void: readonly { readonly item: number; readonly ref: string }[];
  readonly culprits: readonly Culprit[];
  /** Whether nothing of the batch is open afterwards. */
  readonly closes: boolean;
  readonly next: number;
}

/** Why a lane needs its operator. */
export type StopReason = "stopped" | "paused" | "position_differs" | "position_taken";

/** The one thing to do next. */
export type Action =
  | { readonly type: "seal"; readonly position: number }
  | { readonly type: "push"; readonly batch: string }
  | ({ readonly type: "post" | "void" } & Settlement)
  | { readonly type: "hold"; readonly payees: LaneView["faulty"] }
  | { readonly type: "wait"; readonly until: number }
  | { readonly type: "stop"; readonly why: StopReason }
  | { readonly type: "idle" };

/**
 * Decides one step of a lane (money.md, section 2.1). The caller commits what the action says
 * before it does anything in the world, and asks again. The laws it keeps:
 *
 * L1 only what is stored is pushed: `push` names a batch that was read, never one just made;
 * L2 nothing is sealed while a batch is open; L3 a batch ends by proof only; L4 the result of a push
 * is not even an input; L5 a seal takes the lane's own position, and a chain that says otherwise
 * stops the lane, because somebody else pays from this account or this database is an old one.
 */
export function nextAction(view: LaneView): Action {
  if (view.open) return actionOnOpen(view, view.open.batch, view.open.answer);
  const { lane, chainPosition } = view;
  if (lane.state !== "open") return { type: "stop", why: lane.state };
  if (chainPosition !== undefined && chainPosition !== lane.next - 1) {
    return { type: "stop", why: "position_differs" };
  }
  if (view.faulty.length > 0) return { type: "hold", payees: view.faulty };
  return view.dueCount > 0 ? { type: "seal", position: lane.next } : { type: "idle" };
}

function actionOnOpen({ lane, now }: LaneView, batch: OpenBatch, answer: SettleAnswer): Action {
  assert(batch.position === lane.next, `batch ${batch.id} is not at its lane's position`);
  switch (answer.type) {
    case "done":
      return { type: "post", ...settleAll(batch, "post", answer.proof) };
    case "failed": {
      const { proof, culprits } = answer;
      return { type: "void", ...settleAll(batch, "void", proof), culprits };
    }
    case "never": {
      if (!answer.isPositionFree) return { type: "stop", why: "position_taken" };
      return { type: "void", ...settleAll(batch, "void", answer.proof), next: batch.position };
    }
    case "items":
      return settleItems(batch, answer.posted, answer.failed);
    case "position_taken":
      return { type: "stop", why: "position_taken" };
    case "wait":
      if (lane.state === "stopped") return { type: "stop", why: "stopped" };
      if (now < batch.pushAfter) return { type: "wait", until: batch.pushAfter };
      return { type: "push", batch: batch.id };
    default:
      return unreachable(answer);
  }
}

/** Every payment that is still open ends the same way; the position is consumed. */
function settleAll(batch: OpenBatch, side: "post" | "void", ref: string): Settlement {
  const open = batch.items.filter(({ state }) => state === "pending");
  const moves = open.map(({ id }) => ({ item: id, ref }));
  return {
    batch: batch.id,
    post: side === "post" ? moves : [],
    void: side === "void" ? moves : [],
    culprits: [],
    closes: true,
    next: batch.position + 1,
  };
}

function settleItems(
  batch: OpenBatch,
  posted: Settlement["post"],
  failed: readonly Culprit[],
): Action {
  const settled = new Set([...posted, ...failed].map(({ item }) => item));
  assert(settled.size === posted.length + failed.length, "an item ends one way");
  const open = new Set(batch.items.filter(({ state }) => state === "pending").map(({ id }) => id));
  assert(settled.isSubsetOf(open), `only open items of batch ${batch.id} can be settled`);
  const closes = settled.size === open.size;
  return {
    type: posted.length > 0 ? "post" : "void",
    batch: batch.id,
    post: posted,
    void: failed.map(({ item, ref }) => ({ item, ref })),
    culprits: failed,
    closes,
    next: closes ? batch.position + 1 : batch.position,
  };
}
