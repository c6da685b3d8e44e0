import { utf8 } from "@/std/bytes.ts";
import { Reader } from "@/std/codec.ts";
import { PoolError } from "@/std/errors.ts";
import { SLOT_MAX, type Slot } from "./slot.ts";

/** The eight letters with which everything signed or MAC'd begins. */
export const TAGS = {
  OPEN: utf8("PoOT1OPN"),
  CLAIM: utf8("PoOT1CLM"),
  RECEIPT: utf8("PoOT1RCP"),
  ACK: utf8("PoOT1ACK"),
} as const;

/** What a hash field holds when there is nothing to name. */
export const NO_HASH: Uint8Array = new Uint8Array(32);

/** The refusal of bytes that are no message of ours. */
export function malformed(what: string): PoolError {
  return new PoolError(
    "invalid",
    "poot.malformed",
    `These bytes are not a valid ${what}; send what the protocol describes, unchanged.`,
  );
}

/** A reader behind the tag of a message; refuses another length and another tag. */
export function readTagged(bytes: Uint8Array, length: number, name: keyof typeof TAGS): Reader {
  if (bytes.length !== length) throw malformed(name);
  const tag = TAGS[name];
  for (let at = 0; at < tag.length; at++) if (bytes[at] !== tag[at]) throw malformed(name);
  return new Reader(bytes.subarray(tag.length));
}

/** A slot of a message; refuses one no clock can show. */
export function readSlot(reader: Reader, name: string): Slot {
  const slot = reader.u64();
  if (slot > SLOT_MAX) throw malformed(name);
  return slot;
}
