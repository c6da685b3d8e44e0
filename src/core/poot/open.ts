import { assert } from "@/std/assert.ts";
import { sameBytes } from "@/std/bytes.ts";
import { Writer } from "@/std/codec.ts";
import { type SigningKey, sha256, verifySignature } from "@/std/crypto.ts";
import { readSlot, readTagged, TAGS } from "./message.ts";
import type { Slot } from "./slot.ts";

/** The length of an OPEN. */
export const OPEN_BYTES = 180;
/** The flag of a node that promises to prove its time to this pool only. */
export const OPEN_EXCLUSIVE = 1;

const SIGNED = OPEN_BYTES - 64;

/** What a node signs to begin a session at a pool; it is the root of everything counted in it. */
export interface Open {
  readonly nodeKey: Uint8Array;
  readonly poolKey: Uint8Array;
  /** The pool's slot at that moment. */
  readonly startSlot: Slot;
  readonly slotSeconds: number;
  readonly flags: number;
  /** The hash of the node's last CLAIM at this pool, zeros when there is none. */
  readonly prev: Uint8Array;
  readonly signature: Uint8Array;
}

/** An OPEN on its way to be signed. */
export type UnsignedOpen = Omit<Open, "signature">;

/** The bytes of an OPEN. */
export function encodeOpen(open: Open): Uint8Array {
  return new Writer(OPEN_BYTES).raw(signedPart(open)).raw(open.signature).done();
}

/** The OPEN in these bytes; refuses what is none (`poot.malformed`). */
export function decodeOpen(bytes: Uint8Array): Open {
  const reader = readTagged(bytes, OPEN_BYTES, "OPEN");
  return {
    nodeKey: reader.raw(32),
    poolKey: reader.raw(32),
    startSlot: readSlot(reader, "OPEN"),
    slotSeconds: reader.u16(),
    flags: reader.u16(),
    prev: reader.raw(32),
    signature: reader.raw(64),
  };
}

/** Signs an OPEN with the node's key. */
export function signOpen(open: UnsignedOpen, key: SigningKey): Open {
  assert(sameBytes(open.nodeKey, key.publicKey), "an OPEN is signed by its node");
  return { ...open, signature: key.sign(signedPart(open)) };
}

/** Whether the node of this OPEN signed it. */
export function verifyOpen(open: Open): boolean {
  return verifySignature(open.nodeKey, signedPart(open), open.signature);
}

/** The session an OPEN begins: the hash of what was signed, 16 bytes of it. */
export function sessionIdOf(open: UnsignedOpen): Uint8Array {
  return sha256(signedPart(open)).slice(0, 16);
}

function signedPart(open: UnsignedOpen): Uint8Array {
  return new Writer(SIGNED)
    .raw(TAGS.OPEN)
    .raw(open.nodeKey)
    .raw(open.poolKey)
    .u64(open.startSlot)
    .u16(open.slotSeconds)
    .u16(open.flags)
    .raw(open.prev)
    .done();
}
