import { isSameBallot } from "./certificates.ts";
import { checkMemory, compareWithCerts, VIEWS_KEPT } from "./certified.ts";
import { report, send } from "./emit.ts";
import { findOffence } from "./evidence.ts";
import { leaderOf, quorumOf } from "./quorum.ts";
import type { Replica } from "./state.ts";
import type { View, Vote } from "./types.ts";
import { onCert } from "./views.ts";

/** Counting votes of both kinds (§6.5). */

/** A verified vote; an own one comes back here when its record is durable, and counts like others. */
export function onVote(replica: Replica, vote: Vote): void {
  if (vote.signer === replica.me) checkMemory(replica, vote);
  if (!isWanted(replica, vote)) return;
  const cast = votesIn(vote.kind === "P" ? replica.votes : replica.commitVotes, vote.view);
  const before = cast.get(vote.signer);
  lookForOffences(replica, vote, before);
  if (before !== undefined) return;
  cast.set(vote.signer, vote);
  const quorum = quorumOf(replica.committee.validators.length);
  if (cast.size < quorum) return;
  const same = [...cast.values()].filter((other) => isSameBallot(other, vote));
  if (same.length === quorum) onQuorum(replica, same, vote);
}

/** Prepare votes are for the leader of their view, back to the view before; commit votes for all. */
function isWanted({ view, committee, me }: Replica, vote: Vote): boolean {
  if (vote.view > view + 2 * committee.validators.length) return false;
  if (vote.kind === "C") return vote.view >= view - VIEWS_KEPT;
  return vote.view >= view - 1 && leaderOf(committee, vote.view) === me;
}

function votesIn(votes: Map<View, Map<number, Vote>>, view: View): Map<number, Vote> {
  const known = votes.get(view) ?? new Map<number, Vote>();
  votes.set(view, known);
  return known;
}

/** The certificate is fed at once, also for a view I have left: it helps the others (§6.5). */
function onQuorum(replica: Replica, votes: readonly Vote[], { kind, view }: Vote): void {
  const { config, committee } = replica;
  const cert = config.scheme.combine(committee, votes);
  if (kind === "P") send(replica, "all", { type: "prepare", cert });
  else if (isCollector(replica, view)) send(replica, "all", { type: "decide", cert });
  onCert(replica, cert);
}

/** In a large committee only two collect commit votes, and tell the others (§6.5). */
function isCollector({ config, committee, me }: Replica, view: View): boolean {
  const isLarge = committee.validators.length > config.commitFanoutMax;
  return isLarge && (leaderOf(committee, view) === me || leaderOf(committee, view + 1) === me);
}

/** Compares a vote with all I hold of its signer (section 12). */
function lookForOffences(replica: Replica, vote: Vote, before: Vote | undefined): void {
  if (before !== undefined) report(replica, findOffence(before, vote));
  const others = vote.kind === "P" ? replica.commitVotes : replica.votes;
  for (const cast of others.values()) {
    const other = cast.get(vote.signer);
    if (other !== undefined) report(replica, findOffence(other, vote));
  }
  compareWithCerts(replica, vote);
}
