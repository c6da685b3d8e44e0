import { Reader, Writer } from "@/std/codec.ts";
import { ACK_BYTES } from "./ack.ts";
import { CLAIM_BYTES } from "./claim.ts";
import { malformed } from "./message.ts";
import type { NodeMemory } from "./node-session.ts";
import { RECEIPT_BYTES } from "./receipt.ts";

const VERSION = 1;
const HAS_LAST = 1;
const HAS_ACK = 2;

/** The bytes in which a node keeps its memory over a restart; at most 486. */
export function encodeNodeMemory({ last, ack }: NodeMemory): Uint8Array {
  const writer = new Writer(lengthOf(last !== undefined, ack !== undefined));
  writer.u8(VERSION).u8((last ? HAS_LAST : 0) | (ack ? HAS_ACK : 0));
  if (last) writer.raw(last.claim).raw(last.receipt);
  if (ack) writer.raw(ack);
  return writer.done();
}

/** The memory in these bytes; refuses what is none (`poot.malformed`). */
export function decodeNodeMemory(bytes: Uint8Array): NodeMemory {
  const parts = bytes[1] ?? 0;
  const hasLast = (parts & HAS_LAST) !== 0;
  const hasAck = (parts & HAS_ACK) !== 0;
  if (bytes[0] !== VERSION || bytes.length !== lengthOf(hasLast, hasAck)) {
    throw malformed("node memory");
  }
  const reader = new Reader(bytes.subarray(2));
  return {
    last: hasLast
      ? { claim: reader.raw(CLAIM_BYTES), receipt: reader.raw(RECEIPT_BYTES) }
      : undefined,
    ack: hasAck ? reader.raw(ACK_BYTES) : undefined,
  };
}

function lengthOf(hasLast: boolean, hasAck: boolean): number {
  return 2 + (hasLast ? CLAIM_BYTES + RECEIPT_BYTES : 0) + (hasAck ? ACK_BYTES : 0);
}
