import { assert } from "./assert.ts";

/** Writes fixed-size big-endian messages: every field in order, and the length is checked at the end. */
export class Writer {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(length: number) {
    this.#bytes = new Uint8Array(length);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** An unsigned integer of 8 bits. */
  u8(value: number): this {
    assert(value >= 0 && value <= 0xff, "u8 out of range");
    this.#view.setUint8(this.#advance(1), value);
    return this;
  }

  /** An unsigned integer of 16 bits. */
  u16(value: number): this {
    assert(value >= 0 && value <= 0xffff, "u16 out of range");
    this.#view.setUint16(this.#advance(2), value);
    return this;
  }

  /** An unsigned integer of 32 bits. */
  u32(value: number): this {
    assert(value >= 0 && value <= 0xffffffff, "u32 out of range");
    this.#view.setUint32(this.#advance(4), value);
    return this;
  }

  /** An unsigned integer of 64 bits that fits a safe integer, or a bigint. */
  u64(value: number | bigint): this {
    this.#view.setBigUint64(this.#advance(8), BigInt(value));
    return this;
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
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#advance(2));
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4));
  }

  /** 64 bits as a number; beyond 2^53 it becomes Number.MAX_SAFE_INTEGER, which no honest field holds. */
  u64(): number {
    const value = this.#view.getBigUint64(this.#advance(8));
    return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(value);
  }

  /** 64 bits as a bigint. */
  big64(): bigint {
    return this.#view.getBigUint64(this.#advance(8));
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

  #advance(length: number): number {
    const at = this.#at;
    this.#at += length;
    assert(this.#at <= this.#bytes.length, "message too short");
    return at;
  }
}
