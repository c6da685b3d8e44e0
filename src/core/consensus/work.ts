import { isEpochEnding, isFinal } from "./epoch-end.ts";
import type { Replica } from "./state.ts";

/** Whether there is anything to do (§7.4): policy of each replica for itself, never a rule of validity. */

/** Whether the block of my highest certificate still has to be committed. */
export function isTailOpen({ durable, committed }: Replica): boolean {
  return durable.highCert.block !== committed.hash;
}

/** Whether a view may end in vain, so that its timer has to run. */
export function isWorkPending(replica: Replica): boolean {
  return (
    replica.hasWork ||
    isTailOpen(replica) ||
    hasVotedForContent(replica) ||
    isEpochEnding(replica) ||
    isCalledHigher(replica) ||
    replica.lead?.isHeartbeat === true
  );
}

/** I have accepted a proposal of this view that orders something or ends the epoch. */
function hasVotedForContent({ durable, view, proposals }: Replica): boolean {
  if (durable.lastVotedView !== view) return false;
  const header = proposals.get(view)?.first.block.header;
  return (
    header !== undefined && (header.txCount > 0 || header.payloadBytes > EMPTY || isFinal(header))
  );
}

/** Bytes of the encoding of an empty payload: two counts. */
const EMPTY = 4;

/** I have wished for a view, and so has somebody honest: it has to come about (§7.4). */
function isCalledHigher({ durable, view, wished }: Replica): boolean {
  return durable.lastWishView > view && wished.some > view;
}
