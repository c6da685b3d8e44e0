import { PoolError } from "@/std/errors.ts";
import type { OpenBatch, OpenItem, SettleAnswer } from "./machine.ts";

/** The longest reference or reason an operator may give, in letters. */
export const REF_MAX = 128;

/** What the operator says of one payment: its reference, or why it failed. */
export type ItemReport =
  | { readonly id: number; readonly ref: string }
  | { readonly id: number; readonly failed: string };

/** What the operator says of a manual batch. */
export type SettleCommand =
  | { readonly type: "all"; readonly ref: string }
  | { readonly type: "items"; readonly items: readonly ItemReport[] }
  | {
      readonly type: "cancel";
      /** The operator's word that nothing of it was sent, or will be. */
      readonly isNotSent: boolean;
      readonly by: string;
      /** The second person, where approval is on. */
      readonly secondBy?: string;
    };

/**
 * What an operator's word means for a manual batch, as the answer of its rail; undefined when it
 * says only what was said before. To say something else than before is refused: one of the two
 * statements is wrong, and only a person can find out which.
 */
export function settleByHand(
  batch: OpenBatch,
  command: SettleCommand,
  needsSecond: boolean,
): SettleAnswer | undefined {
  if (command.type === "cancel") return cancelBatch(batch, command, needsSecond);
  if (command.type === "items") return settleReported(batch, command.items);
  requireRef(command.ref);
  for (const item of batch.items) requireSame(batch, item, "posted", command.ref);
  return hasOpen(batch) ? { type: "done", proof: command.ref } : undefined;
}

function settleReported(
  batch: OpenBatch,
  reports: readonly ItemReport[],
): SettleAnswer | undefined {
  if (new Set(reports.map(({ id }) => id)).size < reports.length) throw itemTwice();
  const fresh = reports.filter((report) => isFresh(batch, report));
  if (fresh.length === 0) return undefined;
  return {
    type: "items",
    posted: fresh.flatMap((r) => ("ref" in r ? [{ item: r.id, ref: r.ref }] : [])),
    failed: fresh.flatMap((r) =>
      "failed" in r ? [{ item: r.id, why: "operator" as const, ref: r.failed }] : [],
    ),
  };
}

function isFresh(batch: OpenBatch, report: ItemReport): boolean {
  const item = batch.items.find(({ id }) => id === report.id);
  if (!item) throw itemUnknown(batch.id, report.id);
  const [state, ref] =
    "ref" in report ? (["posted", report.ref] as const) : (["voided", report.failed] as const);
  requireRef(ref);
  requireSame(batch, item, state, ref);
  return item.state === "pending";
}

function cancelBatch(
  batch: OpenBatch,
  command: SettleCommand & { readonly type: "cancel" },
  needsSecond: boolean,
): SettleAnswer | undefined {
  if (batch.items.some(({ state }) => state === "posted")) throw settledOtherwise(batch.id);
  if (!hasOpen(batch)) return undefined;
  if (!command.isNotSent) throw notSentRequired(batch.id);
  const { by, secondBy } = command;
  if (needsSecond && (!secondBy || secondBy === by)) throw secondRequired(batch.id);
  const proof = secondBy ? `not sent, say ${by} and ${secondBy}` : `not sent, says ${by}`;
  return { type: "never", proof, isPositionFree: true };
}

/** An item that has ended must have ended in the same way, with the same reference. */
function requireSame(
  batch: OpenBatch,
  item: OpenItem,
  state: "posted" | "voided",
  ref: string,
): void {
  if (item.state === "pending" || (item.state === state && item.ref === ref)) return;
  throw settledOtherwise(batch.id, item);
}

function hasOpen(batch: OpenBatch): boolean {
  return batch.items.some(({ state }) => state === "pending");
}

function requireRef(ref: string): void {
  if (/^[!-~](?:[ -~]*[!-~])?$/.test(ref) && ref.length <= REF_MAX) return;
  throw new PoolError(
    "invalid",
    "payout.ref_malformed",
    `A reference or reason is 1 to ${REF_MAX} printable ASCII letters.`,
  );
}

const settledOtherwise = (batch: string, item?: OpenItem) =>
  new PoolError(
    "conflict",
    "payout.already_settled_otherwise",
    item
      ? `Item ${item.id} of batch ${batch} is ${item.state} already (${item.ref ?? "no reference"}); nothing was changed. Settle what is left item by item.`
      : `Payments of batch ${batch} are settled already; it cannot be cancelled. Report what is left as failed, item by item.`,
    { batch, ...(item && { item: item.id, state: item.state, ref: item.ref }) },
  );

const itemTwice = () =>
  new PoolError("invalid", "payout.item_twice", "An item may be reported only once at a time.");

const itemUnknown = (batch: string, id: number) =>
  new PoolError("not_found", "payout.item_unknown", `Batch ${batch} has no item ${id}.`);

const notSentRequired = (batch: string) =>
  new PoolError(
    "precondition",
    "payout.not_sent_required",
    `Batch ${batch} can be cancelled only if nothing of it was sent; say so with --not-sent.`,
  );

const secondRequired = (batch: string) =>
  new PoolError(
    "denied",
    "payout.second_person_required",
    `Approval is on, so another person has to confirm that nothing of batch ${batch} was sent.`,
  );
