import { headerOf } from "./blocks.ts";
import { keyOfLeader, sendCommitVote } from "./commit-vote.ts";
import { send, sendWhenDurable } from "./emit.ts";
import { isLeading } from "./leader.ts";
import { sendWish } from "./pacemaker.ts";
import { sendVote } from "./replica.ts";
import { timeoutOf } from "./spans.ts";
import type { Replica } from "./state.ts";
import type { Cert } from "./types.ts";
import { isTailOpen } from "./work.ts";

/** Loss is allowed by the protocol, silence is not: what is said again (§5.2). */

/** Nothing has moved for a while: everything that may have been lost is sent again. */
export function onResend(replica: Replica): void {
  const { deltaMs, resendMsMax } = replica.config;
  replica.resends++;
  const longest = Math.max(2 * deltaMs, Math.min(timeoutOf(replica), resendMsMax));
  replica.resendAt = replica.now + Math.min(2 * deltaMs * 2 ** replica.resends, longest);
  resendAll(replica);
  if (replica.me !== null) replica.effects.push({ type: "gossip" });
}

/** The whole set, also after a restart (§8.2). Signatures are made again, and are the same again. */
export function resendAll(replica: Replica): void {
  const { durable, view, me, proposal } = replica;
  if (me === null) return;
  if (durable.lastVotedView === view) sendVote(replica);
  if (isTailOpen(replica)) resendTail(replica);
  if (durable.highTC?.view === view) send(replica, "all", { type: "tc", tc: durable.highTC });
  sendNewView(replica);
  if (proposal) sendWhenDurable(replica, "all", proposal);
  sendWish(replica);
}

/** What helps the block of my highest certificate to be committed. */
function resendTail(replica: Replica): void {
  const { lastCommitVotedView, highCert, commitCert } = replica.durable;
  if (lastCommitVotedView > commitCert.view) sendCommitVote(replica);
  send(replica, "all", certMessage(highCert));
}

/** A certificate proves itself; its kind says what it is sent as. */
export function certMessage(cert: Cert): { type: "prepare" | "decide"; cert: Cert } {
  return { type: cert.kind === "P" ? "prepare" : "decide", cert };
}

/** Tells the leader of my view what I know (§6.1, 3). Only the channel says that it is me. */
export function sendNewView(replica: Replica): void {
  const { committee, view, durable, entry, me } = replica;
  replica.greeted = view;
  if (me === null || isLeading(replica)) return;
  const { highCert, commitCert: commit } = durable;
  send(replica, [keyOfLeader(committee, view)], {
    type: "new_view",
    epoch: committee.epoch,
    view,
    highCert,
    highHeader: headerOf(replica, highCert.block),
    commit,
    entry,
    signer: me,
  });
}
