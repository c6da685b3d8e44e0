import { sameBytes } from "@/std/bytes.ts";
import { sha256 } from "@/std/crypto.ts";
import { type Claim, decodeClaim, verifyClaim } from "./claim.ts";
import { decodeOpen, type Open, sessionIdOf, verifyOpen } from "./open.ts";
import { decodeReceipt, type Receipt } from "./receipt.ts";

/** A heartbeat as it travels. */
export interface HeartbeatBytes {
  /** Sent with the first CLAIM and again until the first ACK. */
  readonly open?: Uint8Array | undefined;
  readonly claim: Uint8Array;
  /** The newest RECEIPT; only the first heartbeat of a session has none. */
  readonly receipt?: Uint8Array | undefined;
  /** With an OPEN only: what the node still holds of its session before. */
  readonly handedIn?: ClaimAndReceipt | undefined;
}

/** A CLAIM and the RECEIPT that answered it. */
export interface ClaimAndReceipt {
  readonly claim: Uint8Array;
  readonly receipt: Uint8Array;
}

/** A message with the bytes it was read from. */
export interface Read<T> {
  readonly value: T;
  readonly bytes: Uint8Array;
}

/** A CLAIM with its bytes and its hash. */
export interface ReadClaim extends Read<Claim> {
  readonly hash: Uint8Array;
}

/** A CLAIM of an earlier session and the RECEIPT that answered it. */
export interface HandedIn {
  readonly claim: ReadClaim;
  readonly receipt: Read<Receipt>;
}

/** A heartbeat that was read but not judged. */
export interface Heartbeat {
  readonly open: Read<Open> | undefined;
  readonly claim: ReadClaim;
  readonly receipt: Read<Receipt> | undefined;
  readonly handedIn: HandedIn | undefined;
}

/** Which signatures of a heartbeat hold; a message that was not sent does not. */
export interface Signatures {
  readonly claim: boolean;
  readonly open: boolean;
  readonly handedIn: boolean;
}

/** Reads a heartbeat; refuses bytes that are no messages (`poot.malformed`). */
export function readHeartbeat(bytes: HeartbeatBytes): Heartbeat {
  const { open, claim, receipt, handedIn } = bytes;
  return {
    open: open && { value: decodeOpen(open), bytes: open },
    claim: readClaim(claim),
    receipt: receipt && readReceipt(receipt),
    handedIn: handedIn && {
      claim: readClaim(handedIn.claim),
      receipt: readReceipt(handedIn.receipt),
    },
  };
}

/**
 * Checks the signatures of a heartbeat: all that is slow about it, and needs nothing else. An OPEN
 * that is already known (`isOpenKnown`) is not looked at again, nor what is handed in with it.
 */
export function verifyHeartbeat(heartbeat: Heartbeat, isOpenKnown = false): Signatures {
  const { claim, open, handedIn } = heartbeat;
  const isSigned = verifyClaim(claim.value);
  const isOpen = isSigned && !isOpenKnown && open !== undefined && verifyOpen(open.value);
  return {
    claim: isSigned,
    open: isOpen,
    handedIn: isOpen && handedIn !== undefined && verifyClaim(handedIn.claim.value),
  };
}

/** Whether the OPEN of a heartbeat is the one its session was begun with. */
export function isOpenOfSession({ open, claim }: Heartbeat): boolean {
  return open !== undefined && sameBytes(sessionIdOf(open.value), claim.value.session);
}

function readClaim(bytes: Uint8Array): ReadClaim {
  return { value: decodeClaim(bytes), bytes, hash: sha256(bytes) };
}

function readReceipt(bytes: Uint8Array): Read<Receipt> {
  return { value: decodeReceipt(bytes), bytes };
}
