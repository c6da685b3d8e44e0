import { earnedBy } from "@/core/earning.ts";
import type { NodeId, PoolId } from "@/core/ids.ts";
import { ledgerSlotOf } from "@/core/ledger/ledger-slot.ts";
import type { NodeCredit } from "@/core/poot/booking.ts";
import { cuOf, firstRating, owedBy } from "@/core/tariff.ts";
import type { BookerState } from "./booker.ts";
import type { BookKey } from "./unbooked.ts";

/** The same earnings twice, before the pool's fee: from recomputed credits, and from the books. */
export interface Comparison {
  readonly recomputedMicroUsdt: bigint;
  readonly ledgerMicroUsdt: bigint;
}

/** What recomputed credits are worth, and what the books say of the same nodes, booked or not. */
export function compareCredits(
  state: BookerState,
  of: {
    readonly pool: PoolId;
    readonly node: NodeId | undefined;
    readonly credits: readonly NodeCredit[];
  },
): Comparison {
  const { unbooked, tariffs } = state;
  const keys = new Set<BookKey>([...unbooked.keys(), ...unbooked.ratings.keys()]);
  let ledgerMicroUsdt = 0n;
  for (const key of keys) {
    if (!key.startsWith(`${of.pool}:${of.node ?? ""}`)) continue;
    ledgerMicroUsdt += owedBy(tariffs.all, unbooked.earnedOf(key, tariffs.all).rating);
  }
  return { recomputedMicroUsdt: worthOf(state, of.credits), ledgerMicroUsdt };
}

/** By each node's own rating, from its first credit on. */
function worthOf({ parts, tariffs }: BookerState, credits: readonly NodeCredit[]): bigint {
  const { slotSeconds, epoch } = parts.poot.poolTime();
  let worth = 0n;
  for (const list of Map.groupBy(credits, ({ node }) => node).values()) {
    const rows = list.map(({ toSlot, ticks, weightPermille: weight, healthPermille: health }) => ({
      slot: ledgerSlotOf(epoch, toSlot),
      cu: cuOf({ ticks, slotSeconds, weight, health }),
    }));
    const first = firstRating(tariffs.all, rows[0]?.slot ?? 0);
    worth += earnedBy(tariffs.all, first, rows).micro;
  }
  return worth;
}
