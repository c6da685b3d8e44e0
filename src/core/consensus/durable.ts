import { compareRank, genesisCert, isSameBallot } from "./certificates.ts";
import { cert, hash, tc, unsignedVote } from "./codec.ts";
import type { Committee } from "./quorum.ts";
import type { Ballot, Cert, Hash, Proposed, TC, UnsignedVote, View } from "./types.ts";
import { behind, type Codec, decode, encode, nullable, only, record, u32, whole } from "./wire.ts";

/**
 * What a replica must find again after a crash (section 4): it is on stable storage before the
 * message it enables leaves the process. Only `safety-rules.ts` makes a new one.
 */
export interface Durable {
  readonly epoch: number;
  /** The view of the last prepare vote, and that vote, kept whole so that it can be sent again. */
  readonly lastVotedView: View;
  readonly lastVote: UnsignedVote | null;
  readonly lastCommitVotedView: View;
  readonly lastCommitVote: UnsignedVote | null;
  /** The certificate no vote may go below; its rank never decreases. */
  readonly lock: Cert;
  /** The highest certificate seen, of either kind. */
  readonly highCert: Cert;
  /** These two are for liveness only, but a replica that forgets them may stall after a restart. */
  readonly highTC: TC | null;
  readonly lastWishView: View;
  /** A leader must not propose twice in a view, even after a restart. */
  readonly lastProposedView: View;
  readonly lastProposal: Hash | null;
  /** The highest commit certificate: the committed height and hash derive from it. */
  readonly commitCert: Cert;
}

/** The record of a validator that has done nothing in this epoch yet. */
export function genesisDurable(committee: Committee): Durable {
  const certified = genesisCert(committee, "P");
  return {
    epoch: committee.epoch,
    lastVotedView: 0,
    lastVote: null,
    lastCommitVotedView: 0,
    lastCommitVote: null,
    lock: certified,
    highCert: certified,
    highTC: null,
    lastWishView: 0,
    lastProposedView: 0,
    lastProposal: null,
    commitCert: genesisCert(committee, "C"),
  };
}

/** Whether a record keeps the promises of section 4 that need no other record. */
export function isSound(durable: Durable): boolean {
  const { lock, highCert, commitCert, highTC, epoch } = durable;
  return (
    lock.epoch === epoch &&
    highCert.epoch === epoch &&
    commitCert.epoch === epoch &&
    (highTC === null || highTC.epoch === epoch) &&
    compareRank(lock, highCert) <= 0 &&
    compareRank(commitCert, highCert) <= 0 &&
    commitCert.kind === "C" &&
    durable.lastCommitVotedView <= lock.view &&
    areItsVotes(durable) &&
    (durable.lastProposal === null) === (durable.lastProposedView === 0)
  );
}

function areItsVotes(durable: Durable): boolean {
  const { epoch, lastVote, lastVotedView, lastCommitVote, lastCommitVotedView } = durable;
  const isPrepare = lastVote === null || (lastVote.kind === "P" && lastVote.epoch === epoch);
  const isCommit =
    lastCommitVote === null || (lastCommitVote.kind === "C" && lastCommitVote.epoch === epoch);
  const areViews =
    (lastVote?.view ?? 0) === lastVotedView && (lastCommitVote?.view ?? 0) === lastCommitVotedView;
  return isPrepare && isCommit && areViews;
}

/** What never decreases. */
const NUMBERS = [
  "lastVotedView",
  "lastCommitVotedView",
  "lastWishView",
  "lastProposedView",
] as const;
const CERTS = ["lock", "highCert", "commitCert"] as const;

/** Whether one record may follow another: nothing decreases, and nothing is said twice differently. */
export function mayFollow(before: Durable, after: Durable): boolean {
  if (after.epoch !== before.epoch) return after.epoch > before.epoch;
  return (
    NUMBERS.every((name) => after[name] >= before[name]) &&
    CERTS.every((name) => compareRank(after[name], before[name]) >= 0) &&
    (after.highTC?.view ?? 0) >= (before.highTC?.view ?? 0) &&
    saysTheSame(before.lastVote, after.lastVote) &&
    saysTheSame(before.lastCommitVote, after.lastCommitVote) &&
    (after.lastProposedView > before.lastProposedView || after.lastProposal === before.lastProposal)
  );
}

/** At most one vote of a kind in a view (S5). */
function saysTheSame(before: UnsignedVote | null, after: UnsignedVote | null): boolean {
  if (before === null || after === null || after.view > before.view) return true;
  return isSameBallot(before, after) && before.signer === after.signer;
}

/**
 * Whether something I have signed is beyond my record (§4.1): then the record is older than what I
 * have said, and I must not sign again in this epoch.
 */
export function isForgotten(durable: Durable, said: Ballot | Proposed): boolean {
  if (said.epoch !== durable.epoch) return false;
  if (!("kind" in said)) return said.view > durable.lastProposedView;
  const known = said.kind === "P" ? durable.lastVotedView : durable.lastCommitVotedView;
  return said.view > known;
}

const VERSION = 1;

const durableCodec: Codec<Durable> = only(
  behind(
    VERSION,
    record<Durable>({
      epoch: u32,
      lastVotedView: whole,
      lastVote: nullable(unsignedVote),
      lastCommitVotedView: whole,
      lastCommitVote: nullable(unsignedVote),
      lock: cert,
      highCert: cert,
      highTC: nullable(tc),
      lastWishView: whole,
      lastProposedView: whole,
      lastProposal: nullable(hash),
      commitCert: cert,
    }),
  ),
  isSound,
  "a record keeps its own promises",
);

/** The bytes of a record, for a frame of the write-ahead log. */
export function encodeDurable(durable: Durable): Uint8Array {
  return encode(durableCodec, durable);
}

/** The record in these bytes; refuses any other (`consensus.malformed`). */
export function decodeDurable(bytes: Uint8Array): Durable {
  return decode(durableCodec, bytes);
}
