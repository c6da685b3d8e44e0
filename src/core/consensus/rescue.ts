import { compareRank } from "./certificates.ts";
import { send } from "./emit.ts";
import type { NewView, Status, UnsignedStatus } from "./messages.ts";
import { leaderOf } from "./quorum.ts";
import { certMessage, sendNewView } from "./resend.ts";
import type { Replica } from "./state.ts";
import type { PublicKey, TC, View } from "./types.ts";

/** Helping who is behind, and being helped (§7.3). */

/** Answers remembered, for the limit of one to a peer in Δ. */
const ANSWERED_MAX = 1_024;

/** Whether a peer may be answered out of turn now; counts as an answer. */
export function mayAnswer(replica: Replica, what: string, peer: PublicKey): boolean {
  const { answered, now, config } = replica;
  const key = `${what}/${peer}`;
  const last = answered.get(key);
  if (last !== undefined && now < last + config.deltaMs) return false;
  answered.delete(key);
  const [oldest] = answered.keys();
  if (answered.size >= ANSWERED_MAX && oldest !== undefined) answered.delete(oldest);
  answered.set(key, now);
  return true;
}

/** Where a peer says it is. */
export interface Whereabouts {
  readonly view: View;
  readonly commitView: View;
}

/** Gives a peer whose view or commit is below mine what it lacks, so nobody is left behind alone. */
export function rescue(replica: Replica, peer: PublicKey, { view, commitView }: Whereabouts): void {
  const { highTC, highCert, commitCert } = replica.durable;
  const isBehind = view < replica.view || commitView < commitCert.view;
  if (!isBehind || replica.me === null || peer === replica.config.me) return;
  if (!mayAnswer(replica, "rescue", peer)) return;
  if (commitView < commitCert.view) send(replica, [peer], certMessage(commitCert));
  if (highCert.view >= view && compareRank(highCert, commitCert) > 0)
    send(replica, [peer], certMessage(highCert));
  if (highTC !== null && highTC.view > view) send(replica, [peer], { type: "tc", tc: highTC });
}

/** A peer that has committed more gets to know where I am, and rescues me. */
export function onStatus(replica: Replica, peer: PublicKey, status: Status): void {
  if (peer === replica.config.me) return;
  rescue(replica, peer, status);
  const isAhead =
    status.committedHeight > replica.committed.header.height ||
    status.commitView > replica.durable.commitCert.view ||
    status.view > replica.view;
  if (isAhead && mayAnswer(replica, "status", peer)) sendStatus(replica, [peer]);
}

/** Where I am, and what I have executed (§10.4). */
export function sendStatus(replica: Replica, to: "all" | readonly PublicKey[]): void {
  const { committee, view, committed, durable, executed, isClockHealthy, me } = replica;
  const { epoch } = committee;
  const { height, root } = executed;
  const message: UnsignedStatus = {
    type: "status",
    epoch,
    view,
    committedHeight: committed.header.height,
    committedHash: committed.hash,
    commitView: durable.commitCert.view,
    highCertView: durable.highCert.view,
    clockHealthy: isClockHealthy,
    stateVote: me === null ? null : { type: "state_vote", epoch, height, root, signer: me },
  };
  send(replica, to, message);
}

/** A NewView for a view that I lead, or will lead soon; the channel has to be its signer's (§6.3, 4). */
export function onNewView(replica: Replica, peer: PublicKey, message: NewView): void {
  const { committee, newViews, view, me } = replica;
  if (committee.validators[message.signer] !== peer) return;
  rescue(replica, peer, { view: message.view, commitView: message.commit.view });
  const isMine = leaderOf(committee, message.view) === me && message.signer !== me;
  const isNear = message.view >= view && message.view <= view + 2 * committee.validators.length;
  if (!isMine || !isNear) return;
  const heard = newViews.get(message.view) ?? new Map<number, NewView>();
  newViews.set(message.view, heard.set(message.signer, message));
}

/** The leader of my view asks who is here: it may have missed my NewView (§5.2). */
export function greetAgain(replica: Replica, peer: PublicKey, tc: TC): void {
  const { view, committee, greetedAgain } = replica;
  const isLeader = committee.validators[leaderOf(committee, view)] === peer;
  if (tc.view !== view || !isLeader || greetedAgain >= view) return;
  replica.greetedAgain = view;
  sendNewView(replica);
}
