import { assert } from "@/std/assert.ts";
import { malformed } from "./message.ts";

/** Writes bytes of unknown length; small numbers take one byte (LEB128). */
export class BlobWriter {
  #bytes: Uint8Array;
  #at = 0;

  /** Room for so many bytes at first. */
  constructor(room = 4096) {
    this.#bytes = new Uint8Array(room);
  }

  /** A whole number from zero on. */
  number(value: number): this {
    assert(Number.isSafeInteger(value) && value >= 0, "a blob holds whole numbers from zero on");
    this.#reserve(8);
    let left = value;
    while (left >= 0x80) {
      this.#bytes[this.#at++] = (left % 0x80) | 0x80;
      left = Math.floor(left / 0x80);
    }
    this.#bytes[this.#at++] = left;
    return this;
  }

  /** Bytes as they are. */
  raw(bytes: Uint8Array): this {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
    return this;
  }

  /** Everything written so far. */
  done(): Uint8Array {
    return this.#bytes.slice(0, this.#at);
  }

  #reserve(length: number): void {
    if (this.#at + length <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#at + length));
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}

/** Reads what a `BlobWriter` wrote; refuses what is cut off (`poot.malformed`). */
export class BlobReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** A whole number of at most `max`. */
  number(max = Number.MAX_SAFE_INTEGER): number {
    let value = 0;
    for (let unit = 1; unit <= 2 ** 49; unit *= 0x80) {
      const byte = this.#next();
      value += (byte & 0x7f) * unit;
      if (byte < 0x80) break;
    }
    if (value > max) throw malformed("interval blob");
    return value;
  }

  /** A copy of the next bytes. */
  raw(length: number): Uint8Array {
    this.skip(length);
    return this.#bytes.slice(this.#at - length, this.#at);
  }

  /** Passes over bytes. */
  skip(length: number): void {
    if (length > this.#bytes.length - this.#at) throw malformed("interval blob");
    this.#at += length;
  }

  /** Passes over numbers. */
  skipNumbers(count: number): void {
    for (let passed = 0; passed < count; passed++) this.number();
  }

  /** Refuses what is left over. */
  end(): void {
    if (this.#at !== this.#bytes.length) throw malformed("interval blob");
  }

  #next(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw malformed("interval blob");
    return byte;
  }
}
