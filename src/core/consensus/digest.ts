import { toHex, utf8 } from "@/std/bytes.ts";
import { sha256 } from "@/std/crypto.ts";
import { ballot, hash, header, publicKey } from "./codec.ts";
import { VALIDATORS_MAX } from "./limits.ts";
import type { Ballot, Hash, Header, Payload, Proposed, PublicKey, StateVote, Tx } from "./types.ts";
import { bytesOf, type Codec, encode, list, record, u32, whole } from "./wire.ts";

/**
 * What is hashed and signed (section 2). Each hashed string begins with a tag, and no tag is the
 * beginning of another, so that nothing said in one place can be shown as said in another.
 */
const TAGS = {
  block: utf8("hs2/blk"),
  vote: utf8("hs2/vote"),
  wish: utf8("hs2/wish"),
  proposed: utf8("hs2/prop"),
  stateVote: utf8("hs2/root"),
  validators: utf8("hs2/set"),
  leaf: utf8("hs2/leaf"),
  fork: utf8("hs2/fork"),
} as const;

/** What a validator may be asked to sign; fields beside these are not looked at. */
export type Statement =
  | ({ readonly type: "vote" } & Ballot)
  | { readonly type: "wish"; readonly epoch: number; readonly wishView: number }
  | Pick<Proposed, "type" | "epoch" | "view" | "block">
  | Pick<StateVote, "type" | "epoch" | "height" | "root">;

type Said<Type extends Statement["type"]> = Omit<Extract<Statement, { type: Type }>, "type">;

const wish: Codec<Said<"wish">> = record({ epoch: u32, wishView: whole });
const proposed: Codec<Said<"proposed">> = record({ epoch: u32, view: whole, block: hash });
const stateVote: Codec<Said<"state_vote">> = record({ epoch: u32, height: whole, root: hash });
const validatorList = list(publicKey, VALIDATORS_MAX);

/** The 32 bytes that are signed for a statement, on this chain and no other. */
export function digestOf(chainId: Hash, statement: Statement): Uint8Array {
  const chain = bytesOf(chainId);
  switch (statement.type) {
    case "vote":
      return sha256(TAGS.vote, chain, encode(ballot, statement));
    case "wish":
      return sha256(TAGS.wish, chain, encode(wish, statement));
    case "proposed":
      return sha256(TAGS.proposed, chain, encode(proposed, statement));
    case "state_vote":
      return sha256(TAGS.stateVote, chain, encode(stateVote, statement));
  }
}

/** The hash of the block with this header. Headers never change, so each is hashed once. */
export const hashHeader: (value: Header) => Hash = once((value) =>
  hexOf(sha256(TAGS.block, encode(header, value))),
);

/** The id of a transaction: the hash of its bytes, which anybody can make (§11). */
export const txIdOf: (value: Tx) => Hash = once((value) => hexOf(sha256(value)));

/** The hash by which an epoch-final block names the next validators. */
export function validatorsHashOf(validators: readonly PublicKey[]): Hash {
  return hexOf(sha256(TAGS.validators, encode(validatorList, validators)));
}

/**
 * The root of a Merkle tree over the ids of the transactions, then the batches, in their order
 * (the shape of RFC 6962; leaves and forks have their own tags). The empty payload has the hash of
 * nothing under the tag of leaves.
 */
export const payloadRootOf: (value: Payload) => Hash = once(({ inline, batches }) => {
  const leaves = [
    ...inline.map((tx) => leafOf(0, txIdOf(tx))),
    ...batches.map((batch) => leafOf(1, batch)),
  ];
  return hexOf(leaves.length === 0 ? sha256(TAGS.leaf) : rootOf(leaves));
});

function leafOf(sort: 0 | 1, id: Hash): Uint8Array {
  return sha256(TAGS.leaf, Uint8Array.of(sort), bytesOf(id));
}

/** The left side is the largest full tree that leaves something to the right. */
function rootOf(leaves: readonly Uint8Array[]): Uint8Array {
  const [first] = leaves;
  if (first !== undefined && leaves.length === 1) return first;
  const left = 2 ** Math.floor(Math.log2(leaves.length - 1));
  return sha256(TAGS.fork, rootOf(leaves.slice(0, left)), rootOf(leaves.slice(left)));
}

function hexOf(bytes: Uint8Array): Hash {
  return toHex(bytes) as Hash;
}

/** The same function; for a value it has seen it remembers the answer. */
function once<Value extends object, Answer>(make: (value: Value) => Answer) {
  const answers = new WeakMap<Value, Answer>();
  return (value: Value): Answer => {
    const known = answers.get(value);
    if (known !== undefined) return known;
    const made = make(value);
    answers.set(value, made);
    return made;
  };
}
