import { assert } from "./assert.ts";

// Bytes are set and read one by one: a DataView would give every short message an ArrayBuffer of its
// own for as long as it lives, which costs more memory than the message.

const UNIT32 = 2 ** 32;

/** Writes fixed-size big-endian messages: every field in order, and the length is checked at the end. */
export class Writer {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(length: number) {
    this.#bytes = new Uint8Array(length);
  }

  /** An unsigned integer of 8 bits. */
  u8(value: number): this {
    assert(value >= 0 && value <= 0xff, "u8 out of range");
    return this.#put(value, 1);
  }

  /** An unsigned integer of 16 bits. */
  u16(value: number): this {
    assert(value >= 0 && value <= 0xffff, "u16 out of range");
    return this.#put(value, 2);
  }

  /** An unsigned integer of 32 bits. */
  u32(value: number): this {
    assert(value >= 0 && value <= 0xffffffff, "u32 out of range");
    return this.#put(value, 4);
  }

  /** An unsigned integer of 64 bits that fits a safe integer, or a bigint. */
  u64(value: number | bigint): this {
    if (typeof value === "number" && value >= 0 && value <= Number.MAX_SAFE_INTEGER) {
      this.#put(Math.floor(value / UNIT32), 4);
      return this.#put(value >>> 0, 4);
    }
    const whole = BigInt.asUintN(64, BigInt(value));
    this.#put(Number(whole >> 32n), 4);
    return this.#put(Number(whole & 0xffffffffn), 4);
  }

  /** Bytes as they are. */
  raw(bytes: Uint8Array): this {
    this.#bytes.set(bytes, this.#advance(bytes.length));
    return this;
  }

  /** ASCII text as it is. */
  ascii(text: string): this {
    return this.raw(new TextEncoder().encode(text));
  }

  /** The finished message; every byte must have been written. */
  done(): Uint8Array {
    assert(this.#at === this.#bytes.length, "message not filled");
    return this.#bytes;
  }

  #put(value: number, length: number): this {
    let at = this.#advance(length) + length;
    let left = value;
    for (let count = 0; count < length; count++) {
      this.#bytes[--at] = left & 0xff;
      left >>>= 8;
    }
    return this;
  }

  #advance(length: number): number {
    const at = this.#at;
    this.#at += length;
    assert(this.#at <= this.#bytes.length, "message overfilled");
    return at;
  }
}

/** Reads fixed-size big-endian messages. The caller has checked the length before the first read. */
export class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  u8(): number {
    return this.#take(1);
  }

  u16(): number {
    return this.#take(2);
  }

  u32(): number {
    return this.#take(4);
  }

  /** 64 bits as a number; beyond 2^53 it becomes Number.MAX_SAFE_INTEGER, which no honest field holds. */
  u64(): number {
    const value = this.#take(4) * UNIT32 + this.#take(4);
    return Math.min(value, Number.MAX_SAFE_INTEGER);
  }

  /** 64 bits as a bigint. */
  big64(): bigint {
    return (BigInt(this.#take(4)) << 32n) | BigInt(this.#take(4));
  }

  /** A copy of the next bytes. */
  raw(length: number): Uint8Array {
    const at = this.#advance(length);
    return this.#bytes.slice(at, at + length);
  }

  /** How many bytes are left. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  #take(length: number): number {
    const at = this.#advance(length);
    let value = 0;
    for (let place = at; place < at + length; place++) {
      value = value * 0x100 + (this.#bytes[place] ?? 0);
    }
    return value;
  }

  #advance(length: number): number {
    const at = this.#at;
    this.#at += length;
    assert(this.#at <= this.#bytes.length, "message too short");
    return at;
  }
}
