import { epochOf, onEpochProofs, onOtherEpoch, serveEpochs } from "./epoch-sync.ts";
import type { Message } from "./messages.ts";
import { onWish } from "./pacemaker.ts";
import { onProposal } from "./replica.ts";
import { greetAgain, onNewView, onStatus, rescue } from "./rescue.ts";
import type { Replica } from "./state.ts";
import { onBlocks } from "./sync.ts";
import type { PublicKey } from "./types.ts";
import { onCert, onTC } from "./views.ts";
import { onVote } from "./votes.ts";

/** A message (§5.1): its epoch, then the certificates in it, then what it says itself. */
export function onMessage(replica: Replica, from: PublicKey, message: Message): void {
  const epoch = epochOf(message);
  if (epoch !== null && epoch !== replica.committee.epoch)
    return onOtherEpoch(replica, from, epoch);
  feed(replica, message);
  // A certificate may have ended the epoch: then the rest speaks of one that is over.
  if (epoch !== null && epoch !== replica.committee.epoch) return;
  dispatch(replica, from, message);
}

/** Commit, then justify or highCert, then the timeout certificate (§5.1, 2). */
function feed(replica: Replica, message: Message): void {
  switch (message.type) {
    case "proposal":
      if (message.commit) onCert(replica, message.commit);
      onCert(replica, message.justify);
      if (message.entry) onTC(replica, message.entry);
      return;
    case "new_view":
      onCert(replica, message.commit);
      onCert(replica, message.highCert);
      if (message.entry) onTC(replica, message.entry);
      return;
    case "wish":
      onCert(replica, message.highCert);
      if (message.highTC) onTC(replica, message.highTC);
      return;
    case "blocks":
      if (message.cert) onCert(replica, message.cert);
      return;
    case "prepare":
    case "decide":
      return onCert(replica, message.cert);
  }
}

/** Requests for blocks, batches, transactions and snapshots are answered by the runtime, from disk. */
function dispatch(replica: Replica, from: PublicKey, message: Message): void {
  switch (message.type) {
    case "proposal":
      return onProposal(replica, message);
    case "vote":
      return onVote(replica, message);
    case "new_view":
      return onNewView(replica, from, message);
    case "wish":
      rescue(replica, from, { view: message.wishView - 1, commitView: message.commitView });
      return onWish(replica, message);
    case "tc":
      onTC(replica, message.tc);
      return greetAgain(replica, from, message.tc);
    case "status":
      return onStatus(replica, from, message);
    case "blocks":
      return onBlocks(replica, message);
    case "get_epoch_proofs":
      return serveEpochs(replica, from, message.fromEpoch);
    case "epoch_proofs":
      return onEpochProofs(replica, message.proofs);
  }
}
