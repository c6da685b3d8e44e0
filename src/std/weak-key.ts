import { fromHex } from "./bytes.ts";

/** The y coordinates of the points of order 1, 2, 4 and 8, with the sign bit cleared. */
const SMALL_ORDER = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
].map((text) => fromHex(text) ?? new Uint8Array(32));

/**
 * Whether a public key of 32 bytes is one nobody should hold: of small order, so that one signature
 * fits many messages, or not in canonical form (RFC 8032, section 5.1.3: y must be below the prime).
 */
export function isWeakKey(publicKey: Uint8Array): boolean {
  return isBeyondPrime(publicKey) || SMALL_ORDER.some((point) => hasSameY(point, publicKey));
}

function isBeyondPrime(key: Uint8Array): boolean {
  if ((key[0] ?? 0) < 0xed || ((key[31] ?? 0) & 0x7f) !== 0x7f) return false;
  return key.subarray(1, 31).every((byte) => byte === 0xff);
}

function hasSameY(point: Uint8Array, key: Uint8Array): boolean {
  return point.every((byte, at) => byte === ((key[at] ?? 0) & (at === 31 ? 0x7f : 0xff)));
}
