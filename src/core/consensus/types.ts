/**
 * The values of HotStuff-2 (hotstuff2.md, section 2). All of them are immutable; hashes and keys are
 * hexadecimal text, so that `===` compares them and a Map can hold them.
 */

declare const brand: unique symbol;
type Branded<T, Name extends string> = T & { readonly [brand]: Name };

/** 32 bytes as 64 hexadecimal letters. */
export type Hash = Branded<string, "Hash">;
/** The Ed25519 public key of a validator or a peer, 32 bytes as 64 hexadecimal letters. */
export type PublicKey = Branded<string, "PublicKey">;
/** 64 bytes that only the scheme which made them can read. */
export type Sig = Uint8Array;
/** A round with one leader: 1, 2, 3 … inside an epoch; 0 belongs to the genesis of the epoch. */
export type View = number;
/** A transaction; what is in it is the application's business. */
export type Tx = Uint8Array;
/** Milliseconds, of an epoch of time or of a duration. */
export type Ms = number;

/** What a hash field holds when there is nothing to name. */
export const NO_HASH = "0".repeat(64) as Hash;

/** Everything a vote is about; its hash is the block's (section 2). */
export interface Header {
  readonly ver: 1;
  readonly chainId: Hash;
  readonly epoch: number;
  readonly view: View;
  readonly height: number;
  readonly parent: Hash;
  /** The view of the certificate of `parent` that this block is built on. */
  readonly justifyView: View;
  /** The index of the leader of `view`. */
  readonly proposer: number;
  readonly timestampMs: Ms;
  readonly payloadRoot: Hash;
  readonly payloadBytes: number;
  readonly txCount: number;
  /** A committed height that has been executed, and the root of the application there (§10.4). */
  readonly execHeight: number;
  readonly execRoot: Hash;
  readonly evidenceRoot: Hash;
  /** Not null only in an epoch-final block: the hash of the next validator set (§10.3). */
  readonly nextValidatorsHash: Hash | null;
  /** The epoch-final block this one only helps to commit; null in all other blocks (§10.3). */
  readonly closing: Hash | null;
}

/** What a block orders: transactions, and batches known by their hash (§11). */
export interface Payload {
  readonly inline: readonly Tx[];
  readonly batches: readonly Hash[];
}

/** A header, its hash (made by `newBlock`, never taken from outside), and what it orders. */
export interface Block {
  readonly hash: Hash;
  readonly header: Header;
  readonly payload: Payload;
}

/** P prepares (the first phase), C commits (the second). */
export type VoteKind = "P" | "C";

/**
 * What a vote says, and what a certificate proves a quorum to have said. `justifyView` is signed on
 * purpose: two signed votes then show that somebody ignored its own lock (§12).
 */
export interface Ballot {
  readonly kind: VoteKind;
  readonly epoch: number;
  readonly view: View;
  readonly block: Hash;
  readonly height: number;
  readonly justifyView: View;
}

/** A vote that is not signed yet: what the durable record keeps, and what is signed again to resend. */
export interface UnsignedVote extends Ballot {
  readonly type: "vote";
  /** The index of the validator in the set of `epoch`. */
  readonly signer: number;
}

/** A signed vote; the specification's Vote is of kind P, its CommitVote of kind C. */
export interface Vote extends UnsignedVote {
  readonly sig: Sig;
}

/** A quorum of votes: C_v(B) is of kind P, C_v(C_v(B)) of kind C. At view 0, the genesis, it is empty. */
export interface Cert extends Ballot {
  /** Bit i is the validator i: bit i mod 8, from the least, of byte i div 8. */
  readonly bitmap: Uint8Array;
  /** In the order of the bits. */
  readonly sigs: readonly Sig[];
}

/** One signed wish inside a timeout certificate. */
export interface TCEntry {
  readonly signer: number;
  readonly wishView: View;
  readonly sig: Sig;
}

/** A quorum of wishes for views of at least `view`: it moves views and proves nothing else (§7.3). */
export interface TC {
  readonly epoch: number;
  readonly view: View;
  /** In ascending order of their signers. */
  readonly entries: readonly TCEntry[];
}

/** How an epoch ended: its final block, the empty blocks above it, and the commit of the last (§10.3). */
export interface EpochProof {
  /** The epoch-final block first, the block of `cert` last. */
  readonly headers: readonly Header[];
  readonly cert: Cert;
  /** The validators of the next epoch, in order. */
  readonly validators: readonly PublicKey[];
}

/** What a leader signs of a proposal; two different ones of one view are evidence (§12). */
export interface Proposed {
  readonly type: "proposed";
  readonly epoch: number;
  readonly view: View;
  readonly block: Hash;
  readonly signer: number;
  readonly sig: Sig;
}

/** What a validator signs after executing a height (§10.4). */
export interface StateVote {
  readonly type: "state_vote";
  readonly epoch: number;
  readonly height: number;
  readonly root: Hash;
  readonly signer: number;
  readonly sig: Sig;
}
