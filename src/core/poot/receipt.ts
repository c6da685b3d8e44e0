import { assert } from "@/std/assert.ts";
import { sameBytes } from "@/std/bytes.ts";
import { Reader, Writer } from "@/std/codec.ts";
import { hmacSha256 } from "@/std/crypto.ts";
import { malformed, readSlot, TAGS } from "./message.ts";
import { type Slot, slotsIn, type Ticks } from "./slot.ts";

/** The length of a RECEIPT. */
export const RECEIPT_BYTES = 88;
/** For how long a RECEIPT is good, from its slot on. */
export const RECEIPT_LIFE_SECONDS = 31 * 86_400;

/** For how long a master issues: when it goes, no RECEIPT of the one before it is good any more. */
export const MASTER_LIFE_SECONDS = RECEIPT_LIFE_SECONDS + 86_400;

const VERSION = 1;
const MAC_BYTES = 16;

/** The pool's memory of a session, carried by the node, which can read but not change it. */
export interface Receipt {
  readonly keyId: number;
  readonly slotSeconds: number;
  readonly session: Uint8Array;
  readonly ticks: Ticks;
  /** The pool's slot in which the heartbeat was accepted. */
  readonly slot: Slot;
  readonly openSlot: Slot;
  /** The hash of the CLAIM it answers. */
  readonly claimHash: Uint8Array;
  readonly mac: Uint8Array;
}

/** What the pool states in a RECEIPT; key and MAC come from its masters. */
export type ReceiptFields = Omit<Receipt, "keyId" | "mac">;

/** The two keys a RECEIPT is tied to: it is worth nothing to another node and at another pool. */
export interface ReceiptParties {
  readonly nodeKey: Uint8Array;
  readonly poolKey: Uint8Array;
}

/** A secret of 32 bytes that MACs RECEIPTs, durable before its first use. */
export interface ReceiptMaster {
  readonly keyId: number;
  readonly secret: Uint8Array;
}

/** The live masters, two at most: `current` issues, both are believed. */
export interface ReceiptMasters {
  readonly current: ReceiptMaster;
  readonly previous?: ReceiptMaster | undefined;
}

/** The masters after a new secret took over; the one before the current is forgotten. */
export function rotateMasters(masters: ReceiptMasters, secret: Uint8Array): ReceiptMasters {
  assert(secret.length === 32, "a receipt master has 32 bytes");
  const keyId = (masters.current.keyId + 1) % 256;
  return { current: { keyId, secret }, previous: masters.current };
}

/** The bytes of a new RECEIPT for a node. */
export function issueReceipt(
  masters: ReceiptMasters,
  fields: ReceiptFields,
  parties: ReceiptParties,
): Uint8Array {
  const { keyId, secret } = masters.current;
  const bytes = encodeReceipt({ ...fields, keyId, mac: new Uint8Array(MAC_BYTES) });
  bytes.set(macOf(secret, bytes, parties), RECEIPT_BYTES - MAC_BYTES);
  return bytes;
}

/** Whether one of the live masters issued these bytes to this node. */
export function checkReceipt(
  masters: ReceiptMasters,
  bytes: Uint8Array,
  parties: ReceiptParties,
): boolean {
  const master = [masters.current, masters.previous].find((live) => live?.keyId === bytes[1]);
  if (!master || bytes.length !== RECEIPT_BYTES) return false;
  return sameBytes(macOf(master.secret, bytes, parties), bytes.subarray(-MAC_BYTES));
}

/** Whether a RECEIPT is still good in a slot. */
export function isReceiptFresh(receipt: Receipt, now: Slot): boolean {
  return now - receipt.slot <= slotsIn(RECEIPT_LIFE_SECONDS, receipt.slotSeconds);
}

/** The bytes of a RECEIPT. */
export function encodeReceipt(receipt: Receipt): Uint8Array {
  return new Writer(RECEIPT_BYTES)
    .u8(VERSION)
    .u8(receipt.keyId)
    .u16(receipt.slotSeconds)
    .raw(receipt.session)
    .u32(receipt.ticks)
    .u64(receipt.slot)
    .u64(receipt.openSlot)
    .raw(receipt.claimHash)
    .raw(receipt.mac)
    .done();
}

/** The RECEIPT in these bytes; refuses what is none (`poot.malformed`). Its MAC is not checked. */
export function decodeReceipt(bytes: Uint8Array): Receipt {
  if (bytes.length !== RECEIPT_BYTES || bytes[0] !== VERSION) throw malformed("RECEIPT");
  const reader = new Reader(bytes.subarray(1));
  return {
    keyId: reader.u8(),
    slotSeconds: reader.u16(),
    session: reader.raw(16),
    ticks: reader.u32(),
    slot: readSlot(reader, "RECEIPT"),
    openSlot: readSlot(reader, "RECEIPT"),
    claimHash: reader.raw(32),
    mac: reader.raw(MAC_BYTES),
  };
}

/** One buffer and one update: this runs twice per heartbeat. */
function macOf(secret: Uint8Array, bytes: Uint8Array, parties: ReceiptParties): Uint8Array {
  const said = RECEIPT_BYTES - MAC_BYTES;
  const whole = new Uint8Array(TAGS.RECEIPT.length + said + 64);
  whole.set(TAGS.RECEIPT);
  whole.set(bytes, TAGS.RECEIPT.length);
  whole.set(parties.nodeKey, TAGS.RECEIPT.length + said);
  whole.set(parties.poolKey, TAGS.RECEIPT.length + said + 32);
  return hmacSha256(secret, whole).subarray(0, MAC_BYTES);
}
