import { isSameBallot, votesOf } from "./certificates.ts";
import { proposed, vote } from "./codec.ts";
import type { Committee } from "./quorum.ts";
import type { SigScheme } from "./signatures.ts";
import type { Ballot, Cert, Proposed, Vote } from "./types.ts";
import { type Codec, constant, decode, encode, only, record, tagged } from "./wire.ts";

/** Two votes that no honest validator gives both of. */
export interface VoteOffence {
  readonly type: "double_vote" | "double_commit_vote" | "lock_violation";
  readonly first: Vote;
  readonly second: Vote;
}

/** Two proposals of one leader in one view. */
export interface DoubleProposal {
  readonly type: "double_proposal";
  readonly first: Proposed;
  readonly second: Proposed;
}

/** Two signed things that together show an offence to anybody (section 12). */
export type Evidence = VoteOffence | DoubleProposal;

/** The double proposal in two signed proposals, if there is one. Who calls has verified them. */
export function findDoubleProposal(first: Proposed, second: Proposed): Evidence | undefined {
  if (!isSameSigner(first, second) || first.view !== second.view) return undefined;
  return first.block === second.block ? undefined : { type: "double_proposal", first, second };
}

/** The offence in two votes, in either order, if there is one. Who calls has verified them. */
export function findOffence(first: Vote, second: Vote): VoteOffence | undefined {
  if (!isSameSigner(first, second) || !contradict(first, second)) return undefined;
  if (first.kind !== second.kind)
    return first.kind === "C" ? lockViolation(first, second) : lockViolation(second, first);
  return { type: first.kind === "P" ? "double_vote" : "double_commit_vote", first, second };
}

function lockViolation(commit: Vote, prepare: Vote): VoteOffence {
  return { type: "lock_violation", first: commit, second: prepare };
}

/**
 * Whether nobody honest says both. At most one vote of a kind in a view (S5): the same block with another
 * height is another vote too. And no vote above a commit vote that is justified from below it: given in this
 * order it ignored the lock (V7); in the other, a commit vote came after a higher vote (§6.5).
 */
export function contradict(one: Ballot, other: Ballot): boolean {
  if (one.kind === other.kind) return one.view === other.view && !isSameBallot(one, other);
  const [commit, prepare] = one.kind === "C" ? [one, other] : [other, one];
  return prepare.view > commit.view && prepare.justifyView < commit.view;
}

/** Every offence in two verified certificates: who is in both, when both cannot be (section 12). */
export function findCulprits(one: Cert, other: Cert): readonly VoteOffence[] {
  const others = new Map(votesOf(other).map((cast) => [cast.signer, cast]));
  return votesOf(one).flatMap((cast) => {
    const counterpart = others.get(cast.signer);
    return (counterpart && findOffence(cast, counterpart)) ?? [];
  });
}

/**
 * Whether evidence proves what it says. The committee is that of the epoch in which it was signed:
 * views begin again in every epoch while keys stay, so an epoch is never mixed with another.
 */
export function provesOffence(
  scheme: SigScheme,
  committee: Committee,
  evidence: Evidence,
): boolean {
  return (
    isOffence(evidence) &&
    scheme.verify(committee, evidence.first) &&
    scheme.verify(committee, evidence.second)
  );
}

function isOffence(evidence: Evidence): boolean {
  if (evidence.type === "double_proposal")
    return findDoubleProposal(evidence.first, evidence.second) !== undefined;
  const { first, second } = evidence;
  const found = findOffence(first, second);
  return found?.type === evidence.type && found.first === first;
}

function isSameSigner(first: Vote | Proposed, second: Vote | Proposed): boolean {
  return first.epoch === second.epoch && first.signer === second.signer;
}

/** Names an offence, so that it is reported once however many pairs show it. */
export function offenceIdOf({ type, first }: Evidence): string {
  return `${type}/${first.epoch}/${first.signer}/${first.view}`;
}

const evidenceCodec: Codec<Evidence> = only(
  tagged<Evidence>({
    double_proposal: record<DoubleProposal>({
      type: constant("double_proposal"),
      first: proposed,
      second: proposed,
    }),
    double_vote: voteOffence("double_vote"),
    double_commit_vote: voteOffence("double_commit_vote"),
    lock_violation: voteOffence("lock_violation"),
  }),
  isOffence,
  "evidence shows an offence",
);

function voteOffence(type: VoteOffence["type"]): Codec<VoteOffence> {
  return record<VoteOffence>({ type: constant(type), first: vote, second: vote });
}

/** The bytes of evidence. */
export function encodeEvidence(evidence: Evidence): Uint8Array {
  return encode(evidenceCodec, evidence);
}

/** The evidence in these bytes, its signatures unchecked; refuses any other (`consensus.malformed`). */
export function decodeEvidence(bytes: Uint8Array): Evidence {
  return decode(evidenceCodec, bytes);
}
