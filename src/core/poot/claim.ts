import { assert } from "@/std/assert.ts";
import { sameBytes } from "@/std/bytes.ts";
import { Writer } from "@/std/codec.ts";
import { type SignedMessage, type SigningKey, sha256, verifySignature } from "@/std/crypto.ts";
import { malformed, readSlot, readTagged, TAGS } from "./message.ts";
import type { Slot, Ticks } from "./slot.ts";

/** The length of a CLAIM. */
export const CLAIM_BYTES = 240;
/** The flag of a node that announces maintenance after this heartbeat. */
export const CLAIM_MAINTENANCE = 1;
/** The flag of a node that has tried to send a heartbeat in every slot since its last one. */
export const CLAIM_TRIED_EVERY_SLOT = 2;

const SIGNED = CLAIM_BYTES - 64;

/**
 * A node's signed statement of its ticks in one session. It is cumulative: `ticks` counts the whole
 * session with this heartbeat, so the newest CLAIM alone proves all of them.
 */
export interface Claim {
  readonly session: Uint8Array;
  readonly nodeKey: Uint8Array;
  readonly poolKey: Uint8Array;
  readonly fromSlot: Slot;
  readonly toSlot: Slot;
  readonly ticks: Ticks;
  /** The hash of the RECEIPT sent along, zeros in the first CLAIM of a session. */
  readonly receiptHash: Uint8Array;
  readonly healthPermille: number;
  readonly flags: number;
  /** The hash of the CLAIM before, zeros in the first of a session. */
  readonly prev: Uint8Array;
  readonly signature: Uint8Array;
}

/** A CLAIM on its way to be signed. */
export type UnsignedClaim = Omit<Claim, "signature">;

/** The bytes of a CLAIM. */
export function encodeClaim(claim: Claim): Uint8Array {
  return new Writer(CLAIM_BYTES).raw(signedPart(claim)).raw(claim.signature).done();
}

/** The CLAIM in these bytes; refuses what is none (`poot.malformed`). */
export function decodeClaim(bytes: Uint8Array): Claim {
  const reader = readTagged(bytes, CLAIM_BYTES, "CLAIM");
  const claim = {
    session: reader.raw(16),
    nodeKey: reader.raw(32),
    poolKey: reader.raw(32),
    fromSlot: readSlot(reader, "CLAIM"),
    toSlot: readSlot(reader, "CLAIM"),
    ticks: reader.u32(),
    receiptHash: reader.raw(32),
    healthPermille: reader.u16(),
    flags: reader.u16(),
    prev: reader.raw(32),
    signature: reader.raw(64),
  };
  if (claim.healthPermille > 1000) throw malformed("CLAIM");
  return claim;
}

/** Signs a CLAIM with the node's key. */
export function signClaim(claim: UnsignedClaim, key: SigningKey): Claim {
  assert(sameBytes(claim.nodeKey, key.publicKey), "a CLAIM is signed by its node");
  return { ...claim, signature: key.sign(signedPart(claim)) };
}

/** Whether the node of this CLAIM signed it. */
export function verifyClaim(claim: Claim): boolean {
  return verifySignature(claim.nodeKey, signedPart(claim), claim.signature);
}

/** What of a CLAIM is to be verified, for who lets another thread do it. */
export function signedClaim(claim: Claim): SignedMessage {
  return { publicKey: claim.nodeKey, message: signedPart(claim), signature: claim.signature };
}

/** The hash that names a CLAIM, over all of its bytes. */
export function claimHashOf(claim: Claim): Uint8Array {
  return sha256(encodeClaim(claim));
}

function signedPart(claim: UnsignedClaim): Uint8Array {
  return new Writer(SIGNED)
    .raw(TAGS.CLAIM)
    .raw(claim.session)
    .raw(claim.nodeKey)
    .raw(claim.poolKey)
    .u64(claim.fromSlot)
    .u64(claim.toSlot)
    .u32(claim.ticks)
    .raw(claim.receiptHash)
    .u16(claim.healthPermille)
    .u16(claim.flags)
    .raw(claim.prev)
    .done();
}
