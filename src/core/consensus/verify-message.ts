import { hashHeader } from "./digest.ts";
import type { Message, NewView, Proposal, Wish } from "./messages.ts";
import type { Committee } from "./quorum.ts";
import { isFromLeader, type SigScheme } from "./signatures.ts";
import type { Cert, TC } from "./types.ts";

/**
 * Whether everything in a message that proves itself does: its signature, and every certificate in
 * any field (section 3). Nothing else may reach `step` (S8). Epoch proofs are checked where they are
 * applied, because each is checked by the epoch before it; blocks, batches and chunks are checked
 * against the hash by which they were asked for, and a payload against its header where it is used.
 * What holds for one committee need not hold for the next: see `Received`.
 */
export function isVerified(scheme: SigScheme, committee: Committee, message: Message): boolean {
  switch (message.type) {
    case "proposal":
      return isProposalVerified(scheme, committee, message);
    case "vote":
      return scheme.verify(committee, message);
    case "wish":
      return isWishVerified(scheme, committee, message);
    case "new_view":
      return isNewViewVerified(scheme, committee, message);
    case "prepare":
    case "decide":
      return scheme.verifyCert(committee, message.cert);
    case "tc":
      return scheme.verifyTC(committee, message.tc);
    case "status":
      return message.stateVote === null || scheme.verify(committee, message.stateVote);
    case "blocks":
      return holdsIfAny(scheme, committee, message.cert);
    case "snapshot_meta":
      return scheme.verifyCert(committee, message.commitCert);
    default:
      return true;
  }
}

function isProposalVerified(scheme: SigScheme, committee: Committee, proposal: Proposal): boolean {
  const { justify, commit, entry } = proposal;
  return (
    isFromLeader(scheme, committee, proposal) &&
    isCommit(commit) &&
    scheme.verifyCert(committee, justify) &&
    holdsIfAny(scheme, committee, commit) &&
    isTimeoutIfAny(scheme, committee, entry)
  );
}

function isWishVerified(scheme: SigScheme, committee: Committee, wish: Wish): boolean {
  return (
    scheme.verify(committee, wish) &&
    scheme.verifyCert(committee, wish.highCert) &&
    isTimeoutIfAny(scheme, committee, wish.highTC)
  );
}

function isNewViewVerified(scheme: SigScheme, committee: Committee, message: NewView): boolean {
  const { epoch, highCert, highHeader, commit, entry } = message;
  return (
    epoch === committee.epoch &&
    isCommit(commit) &&
    (highHeader === null || hashHeader(highHeader) === highCert.block) &&
    scheme.verifyCert(committee, highCert) &&
    scheme.verifyCert(committee, commit) &&
    isTimeoutIfAny(scheme, committee, entry)
  );
}

function isCommit(cert: Cert | null): boolean {
  return cert === null || cert.kind === "C";
}

function holdsIfAny(scheme: SigScheme, committee: Committee, cert: Cert | null): boolean {
  return cert === null || scheme.verifyCert(committee, cert);
}

function isTimeoutIfAny(scheme: SigScheme, committee: Committee, tc: TC | null): boolean {
  return tc === null || scheme.verifyTC(committee, tc);
}
