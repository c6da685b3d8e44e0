import { assert } from "@/std/assert.ts";
import { compareRank, higherOf } from "./certificates.ts";
import { hashHeader } from "./digest.ts";
import { type Durable, genesisDurable, isSound, mayFollow } from "./durable.ts";
import { committeeAfter } from "./epoch-proof.ts";
import type { Committee } from "./quorum.ts";
import type { SigScheme } from "./signatures.ts";
import type { Cert, EpochProof, Hash, Header, TC, UnsignedVote, View } from "./types.ts";

/**
 * SafetyRules (§4.2): the only code that makes a vote or a new durable record. Whatever else in the
 * replica is wrong, two blocks are not committed at one height while this file, the codec and the
 * check of certificates are right, the record is on disk before the vote leaves, and no more than f
 * validators lie.
 *
 * Why (§6.7). Say Cert(C) exists for (v,B), and C_v' for some v' > v. Their quorums share an honest
 * h. h voted in v' after its commit vote in v, because of NOT_LEFT and VOTED_NO_HIGHER; so its lock
 * was v or higher when it voted, and NOT_BELOW_LOCK made the justify of v' one of v or above. One of
 * v is for B, as only one block is certified in a view (ONE_VOTE_A_VIEW); one above v descends from
 * B by induction. So every C_v' is for a descendant of B.
 */

/** What the rules need to know beside the record. `me` is null for who has no vote in the epoch. */
export interface SafetyContext {
  readonly chainId: Hash;
  readonly committee: Committee;
  readonly scheme: SigScheme;
  readonly me: number | null;
}

/** Why the rules said no. */
export type SafetyRefusal =
  | "no_validator"
  | "wrong_chain"
  | "wrong_epoch"
  | "wrong_parent"
  | "wrong_justify_view"
  | "justify_not_below"
  | "wrong_height"
  | "unverified"
  | "not_current_view"
  | "already_voted"
  | "commit_voted"
  | "below_lock"
  | "wrong_kind"
  | "left_view"
  | "voted_higher"
  | "already_proposed"
  | "wished_higher"
  | "unproven_epoch";

/** A no, or the next record and what it enables. */
export type Decision<Enabled = unknown> =
  | { readonly type: "refused"; readonly refusal: SafetyRefusal }
  | ({ readonly type: "granted"; readonly durable: Durable } & Enabled);

/** One condition; all of a list must hold, and the first that does not is the refusal. */
type Rule<Asked> = readonly [refusal: SafetyRefusal, holds: (asked: Asked) => boolean];

/** A proposal to be voted for. `view` is the one the replica is in. */
export interface AskedVote {
  readonly view: View;
  readonly header: Header;
  readonly justify: Cert;
}

type VoteQuestion = AskedVote & { readonly context: SafetyContext; readonly durable: Durable };

/** That the block is one I may judge at all: V2, V4 and the chain and epoch of V9 (§6.4). */
const IS_ABOUT_THIS_BLOCK: readonly Rule<VoteQuestion>[] = [
  ["no_validator", ({ context }) => context.me !== null],
  ["wrong_chain", ({ context, header }) => header.chainId === context.chainId],
  ["wrong_epoch", ({ durable, header }) => header.epoch === durable.epoch],
  ["wrong_parent", ({ header, justify }) => header.parent === justify.block],
  ["wrong_justify_view", ({ header, justify }) => header.justifyView === justify.view],
  ["justify_not_below", ({ header, justify }) => justify.view < header.view],
  ["wrong_height", ({ header, justify }) => header.height === justify.height + 1],
  ["unverified", ({ context, justify }) => isCertified(context, justify)],
  ["not_current_view", ({ header, view }) => header.view === view],
];

/** V6: ONE_VOTE_A_VIEW. */
const ONE_VOTE_A_VIEW: Rule<VoteQuestion> = [
  "already_voted",
  ({ durable, header }) => header.view > durable.lastVotedView,
];
/** No prepare vote at or below a commit vote: the lock it left must bind what comes after it. */
const NO_COMMIT_VOTE_YET: Rule<VoteQuestion> = [
  "commit_voted",
  ({ durable, header }) => header.view > durable.lastCommitVotedView,
];
/** V7: NOT_BELOW_LOCK. */
const NOT_BELOW_LOCK: Rule<VoteQuestion> = [
  "below_lock",
  ({ durable, justify }) => compareRank(justify, durable.lock) >= 0,
];

/** The prepare vote for a block (§6.4), or the same one again when it was cast before. */
export function prepareVote(
  context: SafetyContext,
  durable: Durable,
  asked: AskedVote,
): Decision<{ readonly vote: UnsignedVote }> {
  const question = { ...asked, context, durable };
  const refusal = firstRefusal(IS_ABOUT_THIS_BLOCK, question);
  if (refusal) return refuse(refusal);
  const { header, justify } = asked;
  const { lastVote } = durable;
  const block = hashHeader(header);
  if (lastVote?.view === header.view && lastVote.block === block)
    return grant(durable, durable, { vote: lastVote });
  const no = firstRefusal([ONE_VOTE_A_VIEW, NO_COMMIT_VOTE_YET, NOT_BELOW_LOCK], question);
  if (no) return refuse(no);
  const vote = newVote(context, { ...header, kind: "P", block });
  const after: Durable = {
    ...durable,
    lastVotedView: header.view,
    lastVote: vote,
    lock: higherOf(durable.lock, justify),
    highCert: higherOf(durable.highCert, justify),
  };
  return grant(durable, after, { vote });
}

/** A prepare certificate to be commit-voted for. `view` is the one the replica is in. */
export interface AskedCommitVote {
  readonly view: View;
  readonly cert: Cert;
}

type CommitQuestion = AskedCommitVote & {
  readonly context: SafetyContext;
  readonly durable: Durable;
};

/** The conditions of §6.5. */
const COMMIT_RULES: readonly Rule<CommitQuestion>[] = [
  ["no_validator", ({ context }) => context.me !== null],
  ["wrong_kind", ({ cert }) => cert.kind === "P"],
  ["wrong_epoch", ({ durable, cert }) => cert.epoch === durable.epoch],
  ["unverified", ({ context, cert }) => isCertified(context, cert)],
  // NOT_LEFT: a certificate of a later view is as good; of an earlier one it only helps who is late.
  ["left_view", ({ cert, view }) => cert.view >= view],
  // VOTED_NO_HIGHER: that vote may have been for a block that does not descend from this one.
  ["voted_higher", ({ durable, cert }) => cert.view >= durable.lastVotedView],
  ["commit_voted", ({ durable, cert }) => cert.view > durable.lastCommitVotedView],
];

/** The commit vote for a certified block (§6.5). It is the only thing besides V7 that raises the lock. */
export function commitVote(
  context: SafetyContext,
  durable: Durable,
  asked: AskedCommitVote,
): Decision<{ readonly vote: UnsignedVote }> {
  const refusal = firstRefusal(COMMIT_RULES, { ...asked, context, durable });
  if (refusal) return refuse(refusal);
  const { cert } = asked;
  // The lock is a commit vote's, or the justify of a vote: both are below what has passed here.
  assert(compareRank(cert, durable.lock) > 0, "a commit vote goes above the lock");
  const vote = newVote(context, { ...cert, kind: "C" });
  const after: Durable = {
    ...durable,
    lastCommitVotedView: cert.view,
    lastCommitVote: vote,
    lock: cert,
    highCert: higherOf(durable.highCert, cert),
  };
  return grant(durable, after, { vote });
}

/** Leave to propose this block in this view: once in a view, also after a restart (§6.3). */
export function propose(
  durable: Durable,
  { view, block }: { readonly view: View; readonly block: Hash },
): Decision {
  if (view === durable.lastProposedView && block === durable.lastProposal)
    return grant(durable, durable, {});
  if (view <= durable.lastProposedView) return refuse("already_proposed");
  return grant(durable, { ...durable, lastProposedView: view, lastProposal: block }, {});
}

/** Leave to wish for this view; a wish is never taken back (§7.2). */
export function wish(durable: Durable, view: View): Decision {
  if (view < durable.lastWishView) return refuse("wished_higher");
  return grant(durable, { ...durable, lastWishView: view }, {});
}

/** Takes note of a certificate: `highCert` only. A late one must not raise the lock (§6.7, trap 2). */
export function observeCert(context: SafetyContext, durable: Durable, cert: Cert): Decision {
  if (!isCertified(context, cert)) return refuse("unverified");
  return grant(durable, { ...durable, highCert: higherOf(durable.highCert, cert) }, {});
}

/** Whether this commits its block, and all below it (§6.6): asked before anything is committed. */
export function provesCommit(context: SafetyContext, durable: Durable, cert: Cert): boolean {
  return cert.kind === "C" && cert.epoch === durable.epoch && isCertified(context, cert);
}

/** Takes note of a commit certificate (§6.6). The caller has checked what it commits. */
export function observeCommit(context: SafetyContext, durable: Durable, cert: Cert): Decision {
  if (cert.kind !== "C") return refuse("wrong_kind");
  if (!isCertified(context, cert)) return refuse("unverified");
  const commitCert = higherOf(durable.commitCert, cert);
  return grant(durable, { ...durable, commitCert, highCert: higherOf(durable.highCert, cert) }, {});
}

/** Takes note of a timeout certificate (§6.2). */
export function observeTC(context: SafetyContext, durable: Durable, tc: TC): Decision {
  if (!context.scheme.verifyTC(context.committee, tc)) return refuse("unverified");
  const isHigher = tc.view > (durable.highTC?.view ?? 0);
  return grant(durable, isHigher ? { ...durable, highTC: tc } : durable, {});
}

/** Ends the epoch (§10.3): one record, so that no crash can fall between the commit and the switch. */
export function switchEpoch(
  context: SafetyContext,
  durable: Durable,
  proof: EpochProof,
): Decision<{ readonly committee: Committee }> {
  if (context.committee.epoch !== durable.epoch) return refuse("wrong_epoch");
  const committee = committeeAfter(context, proof);
  if (committee === null) return refuse("unproven_epoch");
  return grant(durable, genesisDurable(committee), { committee });
}

function isCertified({ committee, scheme }: SafetyContext, cert: Cert): boolean {
  return scheme.verifyCert(committee, cert);
}

function firstRefusal<Asked>(
  rules: readonly Rule<Asked>[],
  asked: Asked,
): SafetyRefusal | undefined {
  return rules.find(([, holds]) => !holds(asked))?.[0];
}

function newVote({ me }: SafetyContext, said: Omit<UnsignedVote, "type" | "signer">): UnsignedVote {
  assert(me !== null, "only a validator votes");
  const { kind, epoch, view, block, height, justifyView } = said;
  return { type: "vote", kind, epoch, view, block, height, justifyView, signer: me };
}

function refuse(refusal: SafetyRefusal): {
  readonly type: "refused";
  readonly refusal: SafetyRefusal;
} {
  return { type: "refused", refusal };
}

function grant<Enabled>(before: Durable, after: Durable, enabled: Enabled): Decision<Enabled> {
  assert(isSound(after) && mayFollow(before, after), "a record follows from the one before");
  return { type: "granted", durable: after, ...enabled };
}
