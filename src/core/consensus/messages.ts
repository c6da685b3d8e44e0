import type {
  Block,
  Cert,
  EpochProof,
  Hash,
  Header,
  Sig,
  StateVote,
  TC,
  Tx,
  View,
  Vote,
} from "./types.ts";

/** L_v → all: a block, what it stands on, and what brought the leader here (§6.3). */
export interface Proposal {
  readonly type: "proposal";
  readonly block: Block;
  readonly justify: Cert;
  /** The highest commit certificate its leader knows. */
  readonly commit: Cert | null;
  /** The timeout certificate by which its leader entered the view. */
  readonly entry: TC | null;
  readonly sig: Sig;
}

/** L_v → all: Q prepare votes (§6.5). */
export interface Prepare {
  readonly type: "prepare";
  readonly cert: Cert;
}

/** A collector → all, anyone → who lags: Q commit votes (§6.5). */
export interface Decide {
  readonly type: "decide";
  readonly cert: Cert;
}

/** all → L_v on entering v otherwise than by a proposal of v (§6.1). Only the channel says who. */
export interface NewView {
  readonly type: "new_view";
  readonly epoch: number;
  readonly view: View;
  readonly highCert: Cert;
  /** Hashes to `highCert.block`: an empty block can be built on it. Null when I lack it (trace G). */
  readonly highHeader: Header | null;
  readonly commit: Cert;
  readonly entry: TC | null;
  readonly signer: number;
}

/** all → all, or the leaders of the next span: let us go to this view (§7.2). */
export interface Wish {
  readonly type: "wish";
  readonly epoch: number;
  readonly wishView: View;
  readonly commitView: View;
  readonly highCert: Cert;
  readonly highTC: TC | null;
  readonly signer: number;
  /** Over the epoch and the wished view only. */
  readonly sig: Sig;
}

/** anyone → all (the specification's TCMsg). */
export interface TimeoutMessage {
  readonly type: "tc";
  readonly tc: TC;
}

/** all → peers, now and then: where I am, so that somebody can help (§7.3, §10.4). */
export interface Status {
  readonly type: "status";
  readonly epoch: number;
  readonly view: View;
  readonly committedHeight: number;
  readonly committedHash: Hash;
  readonly commitView: View;
  readonly highCertView: View;
  readonly clockHealthy: boolean;
  readonly stateVote: StateVote | null;
}

/** Asks for `from` and its ancestors above `untilHeight` (§8.1). */
export interface GetBlocks {
  readonly type: "get_blocks";
  readonly from: Hash;
  readonly untilHeight: number;
  readonly bytesMax: number;
}

/** Blocks from high to low, each the parent of the one before; `cert` commits the first or a descendant. */
export interface Blocks {
  readonly type: "blocks";
  readonly blocks: readonly Block[];
  readonly cert: Cert | null;
}

export interface GetBatch {
  readonly type: "get_batch";
  readonly id: Hash;
}

export interface Batch {
  readonly type: "batch";
  readonly txs: readonly Tx[];
}

export interface TxAnnounce {
  readonly type: "tx_announce";
  readonly ids: readonly Hash[];
}

export interface GetTx {
  readonly type: "get_tx";
  readonly ids: readonly Hash[];
}

export interface TxMessage {
  readonly type: "tx";
  readonly tx: Tx;
}

/** Asks for the meta of the newest snapshot at or below `height`, or for one chunk of it (§8.3). */
export interface GetSnapshot {
  readonly type: "get_snapshot";
  readonly height: number;
  readonly chunk: number | null;
}

export interface SnapshotMeta {
  readonly type: "snapshot_meta";
  readonly height: number;
  readonly header: Header;
  readonly commitCert: Cert;
  readonly stateRoot: Hash;
  readonly chunkRoot: Hash;
  readonly chunks: readonly Hash[];
}

export interface Chunk {
  readonly type: "chunk";
  readonly height: number;
  readonly index: number;
  readonly bytes: Uint8Array;
}

/** Asks how the epochs from this one on ended (§10.3). */
export interface GetEpochProofs {
  readonly type: "get_epoch_proofs";
  readonly fromEpoch: number;
}

export interface EpochProofs {
  readonly type: "epoch_proofs";
  readonly proofs: readonly EpochProof[];
}

/** Everything one replica may say to another (section 3). */
export type Message =
  | Proposal
  | Vote
  | Prepare
  | Decide
  | NewView
  | Wish
  | TimeoutMessage
  | Status
  | GetBlocks
  | Blocks
  | GetBatch
  | Batch
  | TxAnnounce
  | GetTx
  | TxMessage
  | GetSnapshot
  | SnapshotMeta
  | Chunk
  | GetEpochProofs
  | EpochProofs;

/** The same without its signature: what the core emits. */
export type Unsigned<Signed extends { readonly sig: Sig }> = Omit<Signed, "sig">;

/** A status whose vote on the state is not signed yet. */
export type UnsignedStatus = Omit<Status, "stateVote"> & {
  readonly stateVote: Unsigned<StateVote> | null;
};

/** A message as the core emits it: `seal` signs what has to be signed, once it may leave (section 5). */
export type Outgoing =
  | Exclude<Message, Proposal | Vote | Wish | Status>
  | Unsigned<Proposal>
  | Unsigned<Vote>
  | Unsigned<Wish>
  | UnsignedStatus;
