import { assert } from "@/std/assert.ts";
import {
  BLOCK_BATCHES_MAX,
  BLOCK_TXS_MAX,
  CLOSING_HEADERS_MAX,
  TX_BYTES_MAX,
  VALIDATORS_MAX,
} from "./limits.ts";
import type {
  Ballot,
  Cert,
  EpochProof,
  Hash,
  Header,
  Payload,
  Proposed,
  PublicKey,
  Sig,
  StateVote,
  TC,
  TCEntry,
  Tx,
  UnsignedVote,
  Vote,
} from "./types.ts";
import {
  blob,
  type Codec,
  constant,
  fixed,
  hex32,
  list,
  malformed,
  nullable,
  only,
  record,
  type StrictReader,
  u8,
  u16,
  u32,
  whole,
  word,
} from "./wire.ts";

/** The encodings of the values of section 2; each table is the order of the bytes. */

export const hash = hex32<Hash>();
export const publicKey = hex32<PublicKey>();
export const tx: Codec<Tx> = blob(TX_BYTES_MAX);

/** The length of a signature, whatever the scheme. */
export const SIG_BYTES = 64;
export const sig: Codec<Sig> = fixed(SIG_BYTES);
const BITMAP_BYTES_MAX = VALIDATORS_MAX / 8;

export const header: Codec<Header> = record<Header>({
  ver: only(u8 as Codec<1>, (ver) => ver === 1, "headers are of version 1"),
  chainId: hash,
  epoch: u32,
  view: whole,
  height: whole,
  parent: hash,
  justifyView: whole,
  proposer: u16,
  timestampMs: whole,
  payloadRoot: hash,
  payloadBytes: u32,
  txCount: u32,
  execHeight: whole,
  execRoot: hash,
  evidenceRoot: hash,
  nextValidatorsHash: nullable(hash),
  closing: nullable(hash),
});

export const payload: Codec<Payload> = record<Payload>({
  inline: list(tx, BLOCK_TXS_MAX),
  batches: list(hash, BLOCK_BATCHES_MAX),
});

const ballotFields = {
  kind: word(["P", "C"]),
  epoch: u32,
  view: whole,
  block: hash,
  height: whole,
  justifyView: whole,
} as const;

/** A ballot as it is signed: the justify is below the view, but for the genesis, where both are 0. */
export const ballot: Codec<Ballot> = only(
  record<Ballot>(ballotFields),
  ({ view, justifyView }) => justifyView < view || (view === 0 && justifyView === 0),
  "a ballot is above its justify",
);

export const unsignedVote: Codec<UnsignedVote> = only(
  record<UnsignedVote>({ type: constant("vote"), ...ballotFields, signer: u16 }),
  ({ view, justifyView }) => justifyView < view,
  "a vote is above its justify",
);

export const vote: Codec<Vote> = only(
  record<Vote>({ type: constant("vote"), ...ballotFields, signer: u16, sig }),
  ({ view, justifyView }) => justifyView < view,
  "a vote is above its justify",
);

export const proposed: Codec<Proposed> = record<Proposed>({
  type: constant("proposed"),
  epoch: u32,
  view: whole,
  block: hash,
  signer: u16,
  sig,
});

export const stateVote: Codec<StateVote> = record<StateVote>({
  type: constant("state_vote"),
  epoch: u32,
  height: whole,
  root: hash,
  signer: u16,
  sig,
});

/** How many bits of a bitmap are set. */
export function popcount(bitmap: Uint8Array): number {
  let count = 0;
  for (const byte of bitmap) for (let left = byte; left > 0; left >>= 1) count += left & 1;
  return count;
}

/** The bitmap says how many signatures follow. Only the certificate of a genesis has none. */
export const cert: Codec<Cert> = {
  size: ({ bitmap, sigs, ...said }) =>
    ballot.size(said) + 1 + bitmap.length + sigs.length * SIG_BYTES,
  write(writer, value) {
    assert(popcount(value.bitmap) === value.sigs.length, "a certificate has a signature for a bit");
    assert(value.bitmap.length <= BITMAP_BYTES_MAX, "a bitmap is too long");
    ballot.write(writer, value);
    writer.u8(value.bitmap.length).raw(value.bitmap);
    for (const one of value.sigs) sig.write(writer, one);
  },
  read(reader) {
    const said = ballot.read(reader);
    const bitmap = readBitmap(reader);
    const count = popcount(bitmap);
    if ((said.view === 0) !== (bitmap.length === 0)) throw malformed("only a genesis is unsigned");
    if (bitmap.length > 0 && count === 0) throw malformed("a certificate without a signature");
    return { ...said, bitmap, sigs: Array.from({ length: count }, () => sig.read(reader)) };
  },
};

function readBitmap(reader: StrictReader): Uint8Array {
  const length = u8.read(reader);
  if (length > BITMAP_BYTES_MAX) throw malformed("a bitmap is too long");
  return reader.holding(length).raw(length);
}

export const tc: Codec<TC> = only(
  record<TC>({
    epoch: u32,
    view: whole,
    entries: list(record<TCEntry>({ signer: u16, wishView: whole, sig }), VALIDATORS_MAX),
  }),
  ({ view, entries }) =>
    view > 0 &&
    entries.length > 0 &&
    entries.every((entry, at) => isInPlace(view, entry, entries[at - 1])),
  "a timeout certificate has wishes for its view or above, one of a signer, in order",
);

function isInPlace(view: number, entry: TCEntry, before: TCEntry | undefined): boolean {
  return entry.wishView >= view && (before === undefined || before.signer < entry.signer);
}

export const epochProof: Codec<EpochProof> = record<EpochProof>({
  headers: list(header, CLOSING_HEADERS_MAX),
  cert,
  validators: list(publicKey, VALIDATORS_MAX),
});
