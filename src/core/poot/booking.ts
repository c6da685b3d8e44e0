import type { NodeId, PoolId } from "@/core/ids.ts";
import type { CreditRow } from "./closing.ts";
import type { Slot } from "./slot.ts";

/** What a node earned with one row of a closed interval: what the ledger books. */
export interface NodeCredit
  extends Pick<
    CreditRow,
    "fromSlot" | "toSlot" | "ticks" | "weightPermille" | "healthPermille" | "claim"
  > {
  readonly node: NodeId;
}

/** The credits of one closed interval of one pool. Rows without ticks are not among them. */
export interface ClosedCredits {
  /** Rises with each close, over all pools: the ledger remembers how far it has booked. */
  readonly cursor: bigint;
  readonly pool: PoolId;
  readonly epoch: number;
  readonly firstSlot: Slot;
  readonly slots: number;
  readonly credits: readonly NodeCredit[];
}
