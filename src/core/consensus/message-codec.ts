import { block } from "./block.ts";
import { cert, epochProof, hash, header, sig, stateVote, tc, tx, vote } from "./codec.ts";
import {
  BATCH_BYTES_MAX,
  BLOCK_TXS_MAX,
  BLOCKS_MAX,
  CHUNK_BYTES_MAX,
  CHUNKS_MAX,
  EPOCH_PROOFS_MAX,
  IDS_MAX,
  MESSAGE_BYTES_MAX,
} from "./limits.ts";
import type {
  Batch,
  Blocks,
  Chunk,
  Decide,
  EpochProofs,
  GetBatch,
  GetBlocks,
  GetEpochProofs,
  GetSnapshot,
  GetTx,
  Message,
  NewView,
  Prepare,
  Proposal,
  SnapshotMeta,
  Status,
  TimeoutMessage,
  TxAnnounce,
  TxMessage,
  Wish,
} from "./messages.ts";
import {
  blob,
  type Codec,
  constant,
  decode,
  encode,
  flag,
  list,
  malformed,
  nullable,
  only,
  record,
  tagged,
  u16,
  u32,
  whole,
} from "./wire.ts";

/** The encodings of the messages of section 3, each behind one byte that names its type. */

type Codecs = { readonly [Type in Message["type"]]: Codec<Extract<Message, { type: Type }>> };

const MESSAGES: Codecs = {
  proposal: record<Proposal>({
    type: constant("proposal"),
    block,
    justify: cert,
    commit: nullable(cert),
    entry: nullable(tc),
    sig,
  }),
  vote,
  prepare: record<Prepare>({
    type: constant("prepare"),
    cert: only(cert, ({ kind }) => kind === "P", "a Prepare carries prepare votes"),
  }),
  decide: record<Decide>({
    type: constant("decide"),
    cert: only(cert, ({ kind }) => kind === "C", "a Decide carries commit votes"),
  }),
  new_view: record<NewView>({
    type: constant("new_view"),
    epoch: u32,
    view: whole,
    highCert: cert,
    highHeader: nullable(header),
    commit: cert,
    entry: nullable(tc),
    signer: u16,
  }),
  wish: record<Wish>({
    type: constant("wish"),
    epoch: u32,
    wishView: whole,
    commitView: whole,
    highCert: cert,
    highTC: nullable(tc),
    signer: u16,
    sig,
  }),
  tc: record<TimeoutMessage>({ type: constant("tc"), tc }),
  status: record<Status>({
    type: constant("status"),
    epoch: u32,
    view: whole,
    committedHeight: whole,
    committedHash: hash,
    commitView: whole,
    highCertView: whole,
    clockHealthy: flag,
    stateVote: nullable(stateVote),
  }),
  get_blocks: record<GetBlocks>({
    type: constant("get_blocks"),
    from: hash,
    untilHeight: whole,
    bytesMax: u32,
  }),
  blocks: record<Blocks>({
    type: constant("blocks"),
    blocks: list(block, BLOCKS_MAX),
    cert: nullable(cert),
  }),
  get_batch: record<GetBatch>({ type: constant("get_batch"), id: hash }),
  batch: only(
    record<Batch>({ type: constant("batch"), txs: list(tx, BLOCK_TXS_MAX) }),
    ({ txs }) => txs.reduce((length, one) => length + one.length, 0) <= BATCH_BYTES_MAX,
    "a batch is too large",
  ),
  tx_announce: record<TxAnnounce>({ type: constant("tx_announce"), ids: list(hash, IDS_MAX) }),
  get_tx: record<GetTx>({ type: constant("get_tx"), ids: list(hash, IDS_MAX) }),
  tx: record<TxMessage>({ type: constant("tx"), tx }),
  get_snapshot: record<GetSnapshot>({
    type: constant("get_snapshot"),
    height: whole,
    chunk: nullable(u16),
  }),
  snapshot_meta: record<SnapshotMeta>({
    type: constant("snapshot_meta"),
    height: whole,
    header,
    commitCert: cert,
    stateRoot: hash,
    chunkRoot: hash,
    chunks: list(hash, CHUNKS_MAX),
  }),
  chunk: record<Chunk>({
    type: constant("chunk"),
    height: whole,
    index: u16,
    bytes: blob(CHUNK_BYTES_MAX),
  }),
  get_epoch_proofs: record<GetEpochProofs>({
    type: constant("get_epoch_proofs"),
    fromEpoch: u32,
  }),
  epoch_proofs: record<EpochProofs>({
    type: constant("epoch_proofs"),
    proofs: list(epochProof, EPOCH_PROOFS_MAX),
  }),
};

const message = tagged<Message>(MESSAGES);

/** The bytes of a message. */
export function encodeMessage(value: Message): Uint8Array {
  return encode(message, value);
}

/** The message in these bytes; refuses all that is not exactly one (`consensus.malformed`). */
export function decodeMessage(bytes: Uint8Array): Message {
  if (bytes.length > MESSAGE_BYTES_MAX) throw malformed("a message is too large");
  return decode(message, bytes);
}
