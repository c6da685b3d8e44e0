import { compareRank } from "./certificates.ts";
import { contextOf, sendWhenDurable, take } from "./emit.ts";
import { type Committee, leaderOf } from "./quorum.ts";
import { commitVote, observeCert } from "./safety-rules.ts";
import type { Replica } from "./state.ts";
import type { Cert, PublicKey, View } from "./types.ts";

/** Casting and sending the second vote (§6.5). */

/**
 * The commit vote for a block that was prepared in my view or a later one. I need neither its body
 * nor to have voted for it: those who voted have stored it. Whether I may is for SafetyRules.
 */
export function castCommitVote(replica: Replica, cert: Cert): boolean {
  if (replica.me === null) return false;
  const decision = commitVote(contextOf(replica), replica.durable, { view: replica.view, cert });
  const granted = take(replica, decision, { lazy: false });
  if (granted === null) return false;
  sendCommitVote(replica);
  return true;
}

/** Sends my last commit vote: to all, or in a large committee to those who collect. */
export function sendCommitVote(replica: Replica): void {
  const { lastCommitVote } = replica.durable;
  if (lastCommitVote === null) return;
  sendWhenDurable(replica, collectorsOf(replica, lastCommitVote.view), lastCommitVote);
}

function collectorsOf({ committee, config }: Replica, view: View): "all" | readonly PublicKey[] {
  if (committee.validators.length <= config.commitFanoutMax) return "all";
  const two = [keyOfLeader(committee, view), keyOfLeader(committee, view + 1)];
  return [...new Set(two)];
}

/** The key of the leader of a view. */
export function keyOfLeader(committee: Committee, view: View): PublicKey {
  return committee.validators[leaderOf(committee, view)] as PublicKey;
}

/** Remembers a higher certificate; the lock stays (§6.7, trap 2). */
export function raiseHighCert(replica: Replica, cert: Cert): void {
  if (compareRank(cert, replica.durable.highCert) <= 0) return;
  take(replica, observeCert(contextOf(replica), replica.durable, cert), { lazy: true });
}
