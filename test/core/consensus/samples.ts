import { newBlock, sumUp } from "@/core/consensus/block.ts";
import type { Durable } from "@/core/consensus/durable.ts";
import type { Evidence } from "@/core/consensus/evidence.ts";
import type { Message } from "@/core/consensus/messages.ts";
import type {
  Block,
  Cert,
  EpochProof,
  Header,
  Payload,
  Proposed,
  PublicKey,
  StateVote,
  TC,
  UnsignedVote,
  Vote,
} from "@/core/consensus/types.ts";
import { CHAIN, hashOf } from "./world.ts";

/** One of everything, with signatures that nobody made: what is tested is where each byte goes. */

export const sigOf = (byte: number): Uint8Array => new Uint8Array(64).fill(byte);
export const keyOf = (byte: number): PublicKey => hashOf(byte) as string as PublicKey;

export const payload: Payload = {
  inline: [Uint8Array.of(0xaa, 0xbb), Uint8Array.of(), Uint8Array.of(0xcc)],
  batches: [hashOf(0x06)],
};
export const header: Header = {
  ver: 1,
  chainId: CHAIN,
  epoch: 7,
  view: 9,
  height: 11,
  parent: hashOf(0x01),
  justifyView: 8,
  proposer: 2,
  timestampMs: 1_700_000_000_123,
  ...sumUp(payload),
  execHeight: 10,
  execRoot: hashOf(0x03),
  evidenceRoot: hashOf(0x04),
  nextValidatorsHash: null,
  closing: null,
};
export const finalHeader: Header = { ...header, nextValidatorsHash: hashOf(0x05) };
export const closingHeader: Header = { ...header, closing: hashOf(0x07) };
export const block: Block = newBlock(header, payload);

const said = {
  epoch: 7,
  view: 9,
  block: hashOf(0x21),
  height: 11,
  justifyView: 8,
} as const;
export const cert: Cert = {
  kind: "P",
  ...said,
  bitmap: Uint8Array.of(0b1011),
  sigs: [sigOf(0x31), sigOf(0x32), sigOf(0x33)],
};
export const commitCert: Cert = { ...cert, kind: "C", view: 6, justifyView: 0 };
/** Ten validators, so the bitmap has two bytes. */
export const wideCert: Cert = { ...cert, bitmap: Uint8Array.of(0x81, 0x02) };
export const genesis: Cert = {
  kind: "C",
  epoch: 7,
  view: 0,
  block: hashOf(0x22),
  height: 5,
  justifyView: 0,
  bitmap: Uint8Array.of(),
  sigs: [],
};
export const tc: TC = {
  epoch: 7,
  view: 9,
  entries: [
    { signer: 0, wishView: 9, sig: sigOf(0x41) },
    { signer: 2, wishView: 10, sig: sigOf(0x42) },
    { signer: 3, wishView: 2 ** 52, sig: sigOf(0x43) },
  ],
};
export const vote: Vote = { type: "vote", kind: "P", ...said, signer: 3, sig: sigOf(0x51) };
export const commitVote: Vote = { ...vote, kind: "C" };
export const unsigned: UnsignedVote = { type: "vote", kind: "P", ...said, signer: 3 };
export const stateVote: StateVote = {
  type: "state_vote",
  epoch: 7,
  height: 10,
  root: hashOf(0x03),
  signer: 1,
  sig: sigOf(0x52),
};
export const proposed: Proposed = {
  type: "proposed",
  epoch: 7,
  view: 9,
  block: hashOf(0x21),
  signer: 2,
  sig: sigOf(0x53),
};
export const proof: EpochProof = {
  headers: [finalHeader, closingHeader],
  cert: { ...cert, kind: "C" },
  validators: [keyOf(0x61), keyOf(0x62)],
};

export const MESSAGES: Readonly<Record<string, Message>> = {
  proposal: {
    type: "proposal",
    block,
    justify: cert,
    commit: genesis,
    entry: tc,
    sig: sigOf(0x71),
  },
  "proposal without more": {
    type: "proposal",
    block,
    justify: genesis,
    commit: null,
    entry: null,
    sig: sigOf(0x71),
  },
  vote,
  "commit vote": commitVote,
  prepare: { type: "prepare", cert },
  decide: { type: "decide", cert: { ...wideCert, kind: "C" } },
  "new view": {
    type: "new_view",
    epoch: 7,
    view: 10,
    highCert: cert,
    highHeader: finalHeader,
    commit: genesis,
    entry: tc,
    signer: 1,
  },
  "new view without a header": {
    type: "new_view",
    epoch: 7,
    view: 10,
    highCert: genesis,
    highHeader: null,
    commit: genesis,
    entry: null,
    signer: 1,
  },
  wish: {
    type: "wish",
    epoch: 7,
    wishView: 10,
    commitView: 6,
    highCert: genesis,
    highTC: tc,
    signer: 1,
    sig: sigOf(0x72),
  },
  "timeout certificate": { type: "tc", tc },
  status: {
    type: "status",
    epoch: 7,
    view: 10,
    committedHeight: 9,
    committedHash: hashOf(0x23),
    commitView: 6,
    highCertView: 9,
    clockHealthy: true,
    stateVote,
  },
  "get blocks": { type: "get_blocks", from: hashOf(0x21), untilHeight: 8, bytesMax: 1 << 20 },
  blocks: { type: "blocks", blocks: [block], cert: genesis },
  "get batch": { type: "get_batch", id: hashOf(0x24) },
  batch: { type: "batch", txs: payload.inline },
  "transaction announcement": { type: "tx_announce", ids: [hashOf(0x25), hashOf(0x26)] },
  "get transactions": { type: "get_tx", ids: [hashOf(0x25)] },
  transaction: { type: "tx", tx: Uint8Array.of(1, 2, 3) },
  "get snapshot": { type: "get_snapshot", height: 10_000, chunk: 3 },
  "snapshot meta": {
    type: "snapshot_meta",
    height: 10_000,
    header,
    commitCert: genesis,
    stateRoot: hashOf(0x27),
    chunkRoot: hashOf(0x28),
    chunks: [hashOf(0x29)],
  },
  chunk: { type: "chunk", height: 10_000, index: 3, bytes: Uint8Array.of(4, 5) },
  "get epoch proofs": { type: "get_epoch_proofs", fromEpoch: 6 },
  "epoch proofs": { type: "epoch_proofs", proofs: [proof] },
};

export const DURABLE: Durable = {
  epoch: 7,
  lastVotedView: 9,
  lastVote: unsigned,
  lastCommitVotedView: 9,
  lastCommitVote: { ...unsigned, kind: "C" },
  lock: cert,
  highCert: { ...wideCert, view: 12, justifyView: 9 },
  highTC: tc,
  lastWishView: 13,
  lastProposedView: 10,
  lastProposal: hashOf(0x2a),
  commitCert: genesis,
};

export const EVIDENCE: Readonly<Record<string, Evidence>> = {
  "double proposal": {
    type: "double_proposal",
    first: proposed,
    second: { ...proposed, block: hashOf(0x2b), sig: sigOf(0x54) },
  },
  "double vote": { type: "double_vote", first: vote, second: { ...vote, block: hashOf(0x2b) } },
  "double commit vote": {
    type: "double_commit_vote",
    first: commitVote,
    second: { ...commitVote, height: 12 },
  },
  "lock violation": {
    type: "lock_violation",
    first: commitVote,
    second: { ...vote, view: 10, justifyView: 8 },
  },
};
