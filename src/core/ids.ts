import { toBase32 } from "@/std/bytes.ts";
import { sha256 } from "@/std/crypto.ts";

declare const brand: unique symbol;
type Branded<T, Name extends string> = T & { readonly [brand]: Name };

/** A node for life: base32(SHA-256(its first public key)), the first 26 letters (trust.md, section 2). */
export type NodeId = Branded<string, "NodeId">;
/** A pool for life: base32(SHA-256(its key)), the first 26 letters (README, decision 11). */
export type PoolId = Branded<string, "PoolId">;

const ID_PATTERN = /^[a-z2-7]{26}$/;

/** The id of the node whose first public key this is. */
export function nodeIdOf(publicKey: Uint8Array): NodeId {
  return toBase32(sha256(publicKey)).slice(0, 26) as NodeId;
}

/** The id of the pool whose key this is. */
export function poolIdOf(publicKey: Uint8Array): PoolId {
  return toBase32(sha256(publicKey)).slice(0, 26) as PoolId;
}

/** Whether a text has the shape of an id. */
export function isId(text: string): boolean {
  return ID_PATTERN.test(text);
}
