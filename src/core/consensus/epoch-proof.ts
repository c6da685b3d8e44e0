import { hashHeader, validatorsHashOf } from "./digest.ts";
import { areValidators, type Committee, newCommittee } from "./quorum.ts";
import type { SigScheme } from "./signatures.ts";
import type { EpochProof, Hash, Header } from "./types.ts";

/** Who checks the proof, and the committee whose epoch it ends. */
export interface EpochContext {
  readonly chainId: Hash;
  readonly committee: Committee;
  readonly scheme: SigScheme;
}

/**
 * The committee of the next epoch, null when this proves none (§10.3): the epoch-final block names
 * the next validators, every block above it says that it only closes, and the last one is committed
 * by this epoch's committee. An honest validator votes for no other block above an epoch-final one,
 * so a block that says it closes is never final itself.
 */
export function committeeAfter(context: EpochContext, proof: EpochProof): Committee | null {
  const { headers, cert, validators } = proof;
  const [final] = headers;
  const last = headers.at(-1);
  if (final === undefined || last === undefined) return null;
  const { chainId, committee, scheme } = context;
  const isHere = headers.every((one) => one.chainId === chainId && one.epoch === committee.epoch);
  const isProven =
    isHere &&
    isFinal(proof, final) &&
    headers.slice(1).every((header, at) => isClosing(header, headers[at], final)) &&
    cert.kind === "C" &&
    cert.block === hashHeader(last) &&
    scheme.verifyCert(committee, cert);
  if (!isProven) return null;
  const epoch = committee.epoch + 1;
  return newCommittee({
    epoch,
    validators,
    genesis: hashHeader(final),
    genesisHeight: final.height,
  });
}

function isFinal({ validators }: EpochProof, final: Header): boolean {
  return (
    final.closing === null &&
    areValidators(validators) &&
    final.nextValidatorsHash === validatorsHashOf(validators)
  );
}

function isClosing(header: Header, parent: Header | undefined, final: Header): boolean {
  return (
    parent !== undefined &&
    header.parent === hashHeader(parent) &&
    header.closing === hashHeader(final) &&
    header.nextValidatorsHash === null
  );
}
