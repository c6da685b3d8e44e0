import { noteCertified, VIEWS_KEPT } from "./certified.ts";
import { noteCommit } from "./commit.ts";
import { castCommitVote, raiseHighCert } from "./commit-vote.ts";
import { contextOf, send, take } from "./emit.ts";
import { observeTC } from "./safety-rules.ts";
import { isSyncView, measureSpan, spanLeaders } from "./spans.ts";
import type { EnteredBy, Replica } from "./state.ts";
import type { Cert, TC, View } from "./types.ts";

/** How views advance (§6.1, §6.2): by certificates, and in a span by time. Nothing else moves one. */

/** Views back from mine for which prepare votes are still counted, and proposals compared (§6.1, §12). */
export const PREPARE_VIEWS_KEPT = 2;

/** Any verified certificate, from any field of any message, is handled like one sent for itself. */
export function onCert(replica: Replica, cert: Cert): void {
  if (cert.epoch !== replica.committee.epoch) return;
  noteCertified(replica, cert);
  const { epoch } = replica.committee;
  if (cert.kind === "C") noteCommit(replica, cert);
  if (replica.committee.epoch !== epoch) return;
  const isBinding = cert.kind === "P" && cert.view >= replica.view && castCommitVote(replica, cert);
  if (!isBinding) raiseHighCert(replica, cert);
  enter(replica, cert.view + 1, { how: "cert" });
}

/** A timeout certificate is kept, passed on once, and moves me to its view (§6.2, §7.3). */
export function onTC(replica: Replica, tc: TC): void {
  if (tc.view <= replica.view || tc.epoch !== replica.committee.epoch) return;
  if (!isSyncView(replica, tc.view)) return;
  const taken = take(replica, observeTC(contextOf(replica), replica.durable, tc), { lazy: true });
  if (taken === null) return;
  passOn(replica, tc);
  enter(replica, tc.view, { how: "tc", entry: tc });
}

function passOn(replica: Replica, tc: TC): void {
  const { committee, config, me } = replica;
  if (me === null) return;
  const leaders = spanLeaders(replica, tc.view);
  const isForAll =
    committee.validators.length <= config.commitFanoutMax || leaders.includes(config.me);
  send(replica, isForAll ? "all" : leaders, { type: "tc", tc });
}

/** Enters a view, when it is a higher one. What the view then brings is done after the step (§5.1). */
export function enter(
  replica: Replica,
  view: View,
  { how, entry = null }: { readonly how: EnteredBy; readonly entry?: TC | null },
): void {
  if (view <= replica.view) return;
  const isTimeout = how === "tc" || how === "timer";
  if (isTimeout) replica.fails++;
  if (replica.lead?.view === replica.view) judgeLead(replica, isTimeout);
  const isNewSpan = view - replica.span.view >= replica.config.syncPeriod;
  replica.view = view;
  replica.enteredBy = how;
  replica.entry = entry;
  replica.lead = null;
  replica.proposal = null;
  replica.resends = 0;
  replica.resendAt = replica.now + 2 * replica.config.deltaMs;
  if (isNewSpan || how === "boot") measureSpan(replica);
  forgetViews(replica);
}

/** §8.5: proposals of mine that get no quorum make me propose less often, until others do again. */
function judgeLead(replica: Replica, isTimeout: boolean): void {
  if (!isTimeout) replica.failedLeads = Math.max(0, replica.failedLeads - 1);
  else if (replica.durable.lastProposedView === replica.view) replica.failedLeads++;
}

function forgetViews(replica: Replica): void {
  const { view, votes, commitVotes, certs, proposals, newViews } = replica;
  forgetBelow(votes, view - PREPARE_VIEWS_KEPT);
  forgetBelow(proposals, view - PREPARE_VIEWS_KEPT);
  forgetBelow(commitVotes, view - VIEWS_KEPT);
  forgetBelow(certs, view - VIEWS_KEPT);
  forgetBelow(newViews, view);
}

function forgetBelow(map: Map<View, unknown>, view: View): void {
  for (const key of map.keys()) if (key < view) map.delete(key);
}
