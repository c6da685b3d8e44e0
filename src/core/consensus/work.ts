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
function isContentProposed(replica: Replica): boolean {
  const { view, proposals, committee } = replica;
  const proposal = proposals.get(view);
  if (proposal === undefined || proposal.isRefused || isGivenBack(replica)) return false;
  const { payload, header } = proposal.first.block;
  return payload.inline.length + payload.batches.length > 0 || isFinal(header, committee);
}

/**
 * My view timed out a while ago, so what was proposed in it is back in the mempool (§7.4). If nobody
 * wants it there, it may be known to me alone and be no work for anybody: I must not wait for ever.
 */
function isGivenBack({ view, timedOut, resends }: Replica): boolean {
  return timedOut === view && resends > 0;
}

/**
 * I have wished for a view, and so has somebody honest: it has to come about (§7.4). That may be me
 * alone beside f liars, who said it once; so it counts while others go on saying it. Who has work does.
 */
function isCalledHigher({ durable, view, wished, now, calledAt, config }: Replica): boolean {
  const isCalled = durable.lastWishView > view && wished.some > view;
  return isCalled && now - calledAt <= 2 * config.resendMsMax;
}
