import type { NodeId, PoolId } from "@/core/ids.ts";
import { type LedgerSlot, ledgerSlotOf, poolSlotOf } from "@/core/ledger/ledger-slot.ts";
import type { Standing } from "@/core/ledger/standing.ts";
import { type CreditLine, type ExplainedTransfer, explainBalance } from "@/core/payout/explain.ts";
import type { ClosedCredits } from "@/core/poot/booking.ts";
import { cuOf } from "@/core/tariff.ts";
import { toHex } from "@/std/bytes.ts";
import { sha256 } from "@/std/crypto.ts";
import type { BookerState } from "./booker.ts";
import { readBooks } from "./history.ts";

/** Whose balance is explained, at which pool, over which time. */
export interface ExplainRequest {
  readonly pool: PoolId;
  readonly node: NodeId;
  readonly fromMs: number;
  readonly toMs: number;
}

/** A credit row, and whether it is in the books. */
export interface ExplainedCredit extends CreditLine {
  readonly fromSlot: number;
  readonly toSlot: number;
  readonly cu: bigint;
  readonly isBooked: boolean;
}

/** A node's balance, from what it is down to the claims. */
export interface NodeExplanation {
  readonly standing: Standing;
  /** What was owed before the first transfer shown, as far as it was booked. */
  readonly opening: bigint;
  readonly transfers: readonly ExplainedTransfer[];
  readonly credits: readonly ExplainedCredit[];
  /** Bookings whose work credits are not the sum of their rows: an error. */
  readonly unexplained: readonly string[];
}

/** Explains a node's balance; what it counts is what the ledger counted, in the same integers. */
export async function explainNode(
  state: BookerState,
  request: ExplainRequest,
  unbooked: bigint,
): Promise<NodeExplanation> {
  const { poot } = state.parts;
  const { pool, node, fromMs, toMs } = request;
  const { epoch, slotSeconds } = poot.poolTime();
  const [fromSlot, toSlot] = [fromMs, toMs].map((ms) => slotAt(ms, { epoch, slotSeconds }));
  const { standing, bookings, transfers } = await readBooks(state.parts.database, {
    ...{ pool, node, fromMs, unbooked },
    fromSlot: fromSlot ?? 0,
  });
  const endSlot = bookings.findLast(({ slot }) => slot <= (toSlot ?? 0))?.endSlot ?? 0;
  const range = {
    pool,
    from: poolSlotOf(fromSlot ?? 0),
    to: poolSlotOf(Math.max(toSlot ?? 0, endSlot)),
  };
  const closed = (await poot.creditsOf(range, node)).filter((one) => one.epoch === epoch);
  const credits = closed.flatMap((one) => linesOf(one, slotSeconds, isBooked(state, one, node)));
  const booked = credits.filter((line) => line.isBooked);
  const explained = explainBalance({ pool, node, transfers, credits: booked });
  const opening = standing.owed - unbooked - explained.balance;
  const isShown = (id: string) => Number.parseInt(id, 10) <= (toSlot ?? 0);
  return {
    standing,
    opening,
    transfers: explained.transfers
      .filter(({ at }) => at <= toMs)
      .map((one) => ({ ...one, balance: one.balance + opening })),
    credits,
    unexplained: explained.unexplained.filter(isShown),
  };
}

function slotAt(
  ms: number,
  { epoch, slotSeconds }: { readonly epoch: number; readonly slotSeconds: number },
): LedgerSlot {
  return ledgerSlotOf(epoch, Math.max(0, Math.floor(ms / (slotSeconds * 1000))));
}

function isBooked({ progress }: BookerState, { cursor, pool }: ClosedCredits, node: NodeId) {
  const { target, done } = progress;
  return cursor <= progress.cursor || (cursor <= target && `${pool}:${node}` <= done);
}

function linesOf(
  { epoch, firstSlot, credits }: ClosedCredits,
  slotSeconds: number,
  isBooked: boolean,
): readonly ExplainedCredit[] {
  return credits.map((credit) => {
    const { ticks, weightPermille: weight, healthPermille: health, fromSlot, toSlot } = credit;
    return {
      slot: ledgerSlotOf(epoch, firstSlot),
      ...{ fromSlot, toSlot, ticks, slotSeconds, weight, health, isBooked },
      cu: cuOf({ ticks, slotSeconds, weight, health }),
      claim: toHex(sha256(credit.claim)),
    };
  });
}
