import { isEpochEnding, isFinal } from "./epoch-end.ts";
import type { Replica } from "./state.ts";

/** Whether there is anything to do (§7.4): policy of each replica for itself, never a rule of validity. */

/** Whether the block of my highest certificate still has to be committed. */
export function isTailOpen({ durable, committed }: Replica): boolean {
  return durable.highCert.height > committed.header.height;
}

/** Whether a view may end in vain, so that its timer has to run. */
export function isWorkPending(replica: Replica): boolean {
  return (
    replica.hasWork ||
    isTailOpen(replica) ||
    isContentProposed(replica) ||
    isEpochEnding(replica) ||
    isCalledHigher(replica) ||
    replica.lead?.isHeartbeat === true
  );
}

/** The proposal of this view orders something or ends the epoch, and may have or get my vote. */
function isContentProposed({ view, proposals, committee }: Replica): boolean {
  const proposal = proposals.get(view);
  if (proposal === undefined || proposal.isRefused) return false;
  const { payload, header } = proposal.first.block;
  return payload.inline.length + payload.batches.length > 0 || isFinal(header, committee);
}

/** I have wished for a view, and so has somebody honest: it has to come about (§7.4). */
function isCalledHigher({ durable, view, wished }: Replica): boolean {
  return durable.lastWishView > view && wished.some > view;
}
