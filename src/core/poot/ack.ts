import { assert } from "@/std/assert.ts";
import { Writer } from "@/std/codec.ts";
import { type SigningKey, verifySignature } from "@/std/crypto.ts";
import { malformed, readSlot, readTagged, TAGS } from "./message.ts";
import type { Slot, Ticks } from "./slot.ts";

/** The length of an ACK. */
export const ACK_BYTES = 156;

const SIGNED = ACK_BYTES - 64;

/** The pool's signed word that a CLAIM is credited; stored with the close and only ever re-sent. */
export interface Ack {
  readonly claimHash: Uint8Array;
  readonly nodeKey: Uint8Array;
  /** What the session has credited after the close. */
  readonly ticks: Ticks;
  /** All ticks this pool has ever paid to the node, after the reductions of the close. */
  readonly creditTotal: Ticks;
  /** The slot of the row that was credited. */
  readonly slot: Slot;
  readonly signature: Uint8Array;
}

/** An ACK on its way to be signed. */
export type UnsignedAck = Omit<Ack, "signature">;

/** The bytes of an ACK. */
export function encodeAck(ack: Ack): Uint8Array {
  return new Writer(ACK_BYTES).raw(signedPart(ack)).raw(ack.signature).done();
}

/** The ACK in these bytes; refuses what is none (`poot.malformed`). */
export function decodeAck(bytes: Uint8Array): Ack {
  const reader = readTagged(bytes, ACK_BYTES, "ACK");
  const ack = {
    claimHash: reader.raw(32),
    nodeKey: reader.raw(32),
    ticks: reader.u32(),
    creditTotal: reader.u64(),
    slot: readSlot(reader, "ACK"),
    signature: reader.raw(64),
  };
  if (ack.creditTotal === Number.MAX_SAFE_INTEGER) throw malformed("ACK");
  return ack;
}

/** Signs an ACK with the pool's key. */
export function signAck(ack: UnsignedAck, key: SigningKey): Ack {
  assert(ack.creditTotal >= 0, "a credit total never falls below zero");
  return { ...ack, signature: key.sign(signedPart(ack)) };
}

/** Whether the pool with this key signed the ACK. */
export function verifyAck(ack: Ack, poolKey: Uint8Array): boolean {
  return verifySignature(poolKey, signedPart(ack), ack.signature);
}

function signedPart(ack: UnsignedAck): Uint8Array {
  return new Writer(SIGNED)
    .raw(TAGS.ACK)
    .raw(ack.claimHash)
    .raw(ack.nodeKey)
    .u32(ack.ticks)
    .u64(ack.creditTotal)
    .u64(ack.slot)
    .done();
}
