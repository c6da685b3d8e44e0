import { epochOf, onEpochProofs, onOtherEpoch, serveEpochs } from "./epoch-sync.ts";
import type { Message } from "./messages.ts";
import { onWish } from "./pacemaker.ts";
import { onProposal } from "./replica.ts";
import { greetAgain, onNewView, onStatus, rescue } from "./rescue.ts";
import type { Replica } from "./state.ts";
import { onBlocks } from "./sync.ts";
import type { Cert, PublicKey, TC } from "./types.ts";
import { onCert, onTC } from "./views.ts";
import { onVote } from "./votes.ts";

/** A message (§5.1): its epoch, then the certificates in it, then what it says itself. */
export function onMessage(replica: Replica, from: PublicKey, message: Message): void {
  const epoch = epochOf(message);
  if (isOfOther(replica, epoch)) {
    onOtherEpoch(replica, from, epoch);
    return;
  }
  feed(replica, message);
  // A certificate may have ended the epoch: then the rest speaks of one that is over.
  if (!isOfOther(replica, epoch)) dispatch(replica, from, message);
}

function isOfOther({ committee }: Replica, epoch: number | null): epoch is number {
  return epoch !== null && epoch !== committee.epoch;
}

/** Commit, then justify or highCert, then the timeout certificate (§5.1, 2). */
function feed(replica: Replica, message: Message): void {
  switch (message.type) {
    case "proposal":
      feedAll(replica, [message.commit, message.justify], message.entry);
      break;
    case "new_view":
      feedAll(replica, [message.commit, message.highCert], message.entry);
      break;
    case "wish":
      feedAll(replica, [message.highCert], message.highTC);
      break;
    case "blocks":
      feedAll(replica, [message.cert], null);
      break;
    case "prepare":
    case "decide":
      onCert(replica, message.cert);
      break;
  }
}

function feedAll(replica: Replica, certs: readonly (Cert | null)[], tc: TC | null): void {
  for (const cert of certs) if (cert !== null) onCert(replica, cert);
  if (tc !== null) onTC(replica, tc);
}

/** Requests for blocks, batches, transactions and snapshots are answered by the runtime, from disk. */
function dispatch(replica: Replica, from: PublicKey, message: Message): void {
  switch (message.type) {
    case "proposal":
      onProposal(replica, message);
      break;
    case "vote":
      onVote(replica, message);
      break;
    case "new_view":
      onNewView(replica, from, message);
      break;
    case "wish":
      rescue(replica, from, { view: message.wishView - 1, commitView: message.commitView });
      onWish(replica, message);
      break;
    case "tc":
      onTC(replica, message.tc);
      greetAgain(replica, from, message.tc);
      break;
    case "status":
      onStatus(replica, from, message);
      break;
    case "blocks":
      onBlocks(replica, message);
      break;
    case "get_epoch_proofs":
      serveEpochs(replica, from, message.fromEpoch);
      break;
    case "epoch_proofs":
      onEpochProofs(replica, message.proofs);
      break;
  }
}
