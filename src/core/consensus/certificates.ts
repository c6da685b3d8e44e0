import { assert } from "@/std/assert.ts";
import { popcount, SIG_BYTES } from "./codec.ts";
import { type Committee, quorumOf } from "./quorum.ts";
import type { Ballot, Cert, TC, View, Vote, VoteKind } from "./types.ts";

/** Where a certificate stands: epochs first, then views (section 1). */
export interface Rank {
  readonly epoch: number;
  readonly view: View;
}

/** Less than, equal to or more than zero as `a` ranks below, with or above `b`. */
export function compareRank(a: Rank, b: Rank): number {
  return a.epoch - b.epoch || a.view - b.view;
}

/** The higher of two certificates; the one we have when they are equal. */
export function higherOf(have: Cert, offered: Cert): Cert {
  return compareRank(offered, have) > 0 ? offered : have;
}

/** Whether two ballots say the same, so that their votes count together. */
export function isSameBallot(a: Ballot, b: Ballot): boolean {
  return (
    a.block === b.block &&
    a.view === b.view &&
    a.kind === b.kind &&
    a.epoch === b.epoch &&
    a.height === b.height &&
    a.justifyView === b.justifyView
  );
}

/** C_0 or C_0(C_0): an epoch begins on a block that needs no votes of its own (section 2). */
export function genesisCert(committee: Committee, kind: VoteKind): Cert {
  return {
    kind,
    epoch: committee.epoch,
    view: 0,
    block: committee.genesis,
    height: committee.genesisHeight,
    justifyView: 0,
    bitmap: new Uint8Array(0),
    sigs: [],
  };
}

/** The indices a bitmap names, in ascending order. */
export function signersOf(bitmap: Uint8Array): readonly number[] {
  const signers: number[] = [];
  bitmap.forEach((byte, at) => {
    for (let bit = 0; bit < 8; bit++) if ((byte >> bit) & 1) signers.push(at * 8 + bit);
  });
  return signers;
}

/** Whether a certificate carries the vote of this validator. */
export function hasSigned({ bitmap }: Cert, signer: number): boolean {
  return (((bitmap[signer >> 3] ?? 0) >> (signer & 7)) & 1) === 1;
}

/** The bitmap of these signers among n validators. */
export function bitmapOf(signers: readonly number[], n: number): Uint8Array {
  const bitmap = new Uint8Array(Math.ceil(n / 8));
  for (const signer of signers)
    bitmap[signer >> 3] = (bitmap[signer >> 3] ?? 0) | (1 << (signer & 7));
  return bitmap;
}

/**
 * Whether a certificate has the shape of one of this committee (§10.6); what is left to check is
 * its signatures, and a genesis certificate has none.
 */
export function isWellFormed(committee: Committee, cert: Cert): boolean {
  if (cert.epoch !== committee.epoch) return false;
  return cert.view === 0 ? isGenesis(committee, cert) : hasQuorum(committee, cert);
}

function isGenesis(committee: Committee, cert: Cert): boolean {
  const { genesis, genesisHeight } = committee;
  const isItsBlock = cert.block === genesis && cert.height === genesisHeight;
  return isItsBlock && cert.justifyView === 0 && cert.bitmap.length + cert.sigs.length === 0;
}

function hasQuorum({ validators, genesisHeight }: Committee, cert: Cert): boolean {
  const n = validators.length;
  const { sigs, bitmap } = cert;
  return (
    cert.justifyView < cert.view &&
    cert.height > genesisHeight &&
    bitmap.length === Math.ceil(n / 8) &&
    (signersOf(bitmap).at(-1) ?? n) < n &&
    popcount(bitmap) === sigs.length &&
    sigs.length >= quorumOf(n) &&
    sigs.every((sig) => sig.length === SIG_BYTES)
  );
}

/** Whether a timeout certificate has the shape of one of this committee (§7.3). */
export function isWellFormedTC({ epoch, validators }: Committee, tc: TC): boolean {
  const { entries, view } = tc;
  const n = validators.length;
  return (
    tc.epoch === epoch &&
    view > 0 &&
    entries.length >= quorumOf(n) &&
    entries.every(({ wishView, sig }) => wishView >= view && sig.length === SIG_BYTES) &&
    entries.every(({ signer }, at) => signer > (entries[at - 1]?.signer ?? -1)) &&
    (entries.at(-1)?.signer ?? n) < n
  );
}

/** The certificate of a quorum of votes that say the same; they have been verified one by one. */
export function combineVotes(committee: Committee, votes: readonly Vote[]): Cert {
  const [first] = votes;
  assert(first && votes.length >= quorumOf(committee.validators.length), "a quorum is needed");
  const inOrder = votes.toSorted((a, b) => a.signer - b.signer);
  assert(
    inOrder.every((vote) => isSameBallot(vote, first)),
    "votes for one thing are combined",
  );
  const { kind, epoch, view, block, height, justifyView } = first;
  const bitmap = bitmapOf(
    inOrder.map(({ signer }) => signer),
    committee.validators.length,
  );
  assert(popcount(bitmap) === votes.length, "a signer counts once");
  const sigs = inOrder.map(({ sig }) => sig);
  return { kind, epoch, view, block, height, justifyView, bitmap, sigs };
}

/** The votes a certificate is made of: a vector of signatures keeps them all. */
export function votesOf({ bitmap, sigs, ...ballot }: Cert): readonly Vote[] {
  const signers = signersOf(bitmap);
  return sigs.flatMap((sig, at) => {
    const signer = signers[at];
    return signer === undefined ? [] : [{ type: "vote", ...ballot, signer, sig } as const];
  });
}
