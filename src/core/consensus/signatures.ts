import type { Statement } from "./digest.ts";
import type { Message, Outgoing, Proposal } from "./messages.ts";
import { type Committee, leaderOf } from "./quorum.ts";
import type { Cert, Proposed, PublicKey, Sig, TC, Vote } from "./types.ts";

/** A statement, and the validator that is said to have signed it. */
export type Signed = Statement & { readonly signer: number; readonly sig: Sig };

/**
 * How signatures are checked (section 13). A scheme knows its chain; it trusts nothing: an index
 * without a validator, another epoch, a signature of the wrong length just do not hold.
 */
export interface SigScheme {
  /** Whether this validator signed this. */
  verify(committee: Committee, signed: Signed): boolean;
  /** Whether a quorum of the committee signed this; the genesis of its epoch needs no signature. */
  verifyCert(committee: Committee, cert: Cert): boolean;
  /** Whether a quorum of the committee signed wishes for this view or above. */
  verifyTC(committee: Committee, tc: TC): boolean;
  /** The certificate of a quorum of verified votes that say the same. */
  combine(committee: Committee, votes: readonly Vote[]): Cert;
}

/** A key, in the hands of who runs the replica: the core decides what is signed and never signs. */
export interface Signer {
  readonly publicKey: PublicKey;
  sign(statement: Statement): Sig;
}

/** What the leader has signed of its proposal. */
export function proposedBy({ block, sig }: Proposal): Proposed {
  const { epoch, view, proposer } = block.header;
  return { type: "proposed", epoch, view, block: block.hash, signer: proposer, sig };
}

/** V1 (§6.4): the leader of the view of the block signed this proposal. */
export function isFromLeader(scheme: SigScheme, committee: Committee, proposal: Proposal): boolean {
  const { header } = proposal.block;
  const isLeader = header.proposer === leaderOf(committee, header.view);
  return isLeader && scheme.verify(committee, proposedBy(proposal));
}

/** The message with its signature: made when it may leave, and the same however often it is made. */
export function seal(outgoing: Outgoing, signer: Signer): Message {
  switch (outgoing.type) {
    case "proposal": {
      const { epoch, view } = outgoing.block.header;
      const block = outgoing.block.hash;
      return { ...outgoing, sig: signer.sign({ type: "proposed", epoch, view, block }) };
    }
    case "vote":
    case "wish":
      return { ...outgoing, sig: signer.sign(outgoing) };
    case "status": {
      const { stateVote } = outgoing;
      if (stateVote === null) return { ...outgoing, stateVote };
      return { ...outgoing, stateVote: { ...stateVote, sig: signer.sign(stateVote) } };
    }
    default:
      return outgoing;
  }
}
