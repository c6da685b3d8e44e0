import type { Random } from "@/ports/random.ts";
import { concat, sameBytes, toHex, utf8 } from "@/std/bytes.ts";
import { Reader, Writer } from "@/std/codec.ts";
import { hmacSha256 } from "@/std/crypto.ts";

const LIFE_MS = 60_000;
const RANDOM_BYTES = 16;
const MAC_BYTES = 16;
const NONCE_BYTES = 8 + RANDOM_BYTES + MAC_BYTES;
/** Answers remembered so that none counts twice; more good answers a minute are refused. */
const USED_MAX = 10_000;

/**
 * Nonces that nodes sign: expiry u64 | random 16 | MAC 16. Strangers cost no memory, for a nonce
 * proves itself; only one that a node has answered is remembered until it expires.
 */
export class Challenges {
  readonly #random: Random;
  readonly #secret: Uint8Array;
  readonly #used = new Map<string, number>();

  constructor(random: Random) {
    this.#random = random;
    this.#secret = random.bytes(32);
  }

  issue(node: string, nowMs: number): { readonly nonce: Uint8Array; readonly expiresAtMs: number } {
    const expiresAtMs = nowMs + LIFE_MS;
    const said = concat(new Writer(8).u64(expiresAtMs).done(), this.#random.bytes(RANDOM_BYTES));
    return { nonce: concat(said, this.#macOf(said, node)), expiresAtMs };
  }

  /** When a nonce we gave out for a node expires; undefined when it is not ours or too old. */
  expiryOf(node: string, nonce: Uint8Array, nowMs: number): number | undefined {
    if (nonce.length !== NONCE_BYTES) return undefined;
    const said = nonce.subarray(0, NONCE_BYTES - MAC_BYTES);
    if (!sameBytes(this.#macOf(said, node), nonce.subarray(-MAC_BYTES))) return undefined;
    const expiresAtMs = new Reader(said).u64();
    return nowMs < expiresAtMs ? expiresAtMs : undefined;
  }

  /** Uses a nonce up; false when it was used before. */
  use(nonce: Uint8Array, nowMs: number): boolean {
    const key = toHex(nonce);
    if (this.#used.size >= USED_MAX) this.#forget(nowMs);
    if (this.#used.has(key) || this.#used.size >= USED_MAX) return false;
    this.#used.set(key, nowMs + LIFE_MS);
    return true;
  }

  #forget(nowMs: number): void {
    for (const [key, untilMs] of this.#used) if (untilMs <= nowMs) this.#used.delete(key);
  }

  #macOf(said: Uint8Array, node: string): Uint8Array {
    return hmacSha256(this.#secret, utf8("gp-challenge-v1"), said, utf8(node)).subarray(
      0,
      MAC_BYTES,
    );
  }
}
