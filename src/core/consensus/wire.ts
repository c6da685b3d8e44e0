import { assert } from "@/std/assert.ts";
import { fromHex, toHex } from "@/std/bytes.ts";
import { Reader, Writer } from "@/std/codec.ts";
import { PoolError } from "@/std/errors.ts";
import { NUMBER_MAX } from "./limits.ts";

/**
 * Canonical bytes: a value has one encoding, and every byte string that is not the encoding of some
 * value is refused (`consensus.malformed`). All numbers are big-endian.
 */
export interface Codec<T> {
  size(value: T): number;
  write(writer: Writer, value: T): void;
  read(reader: StrictReader): T;
}

/** The bytes of a value. */
export function encode<T>(codec: Codec<T>, value: T): Uint8Array {
  const writer = new Writer(codec.size(value));
  codec.write(writer, value);
  return writer.done();
}

/** The value of these bytes; refuses bytes that are no encoding of one, or more than one. */
export function decode<T>(codec: Codec<T>, bytes: Uint8Array): T {
  const reader = new StrictReader(bytes);
  const value = codec.read(reader);
  if (reader.left !== 0) throw malformed("bytes are left over");
  return value;
}

/** The refusal of bytes that are no encoding of ours. */
export function malformed(why: string): PoolError {
  return new PoolError(
    "invalid",
    "consensus.malformed",
    `These bytes are not what the protocol describes: ${why}.`,
  );
}

/** Reads what a stranger sent: bytes that end too early are refused, not asserted. */
export class StrictReader {
  readonly #reader: Reader;

  constructor(bytes: Uint8Array) {
    this.#reader = new Reader(bytes);
  }

  /** How many bytes are left. */
  get left(): number {
    return this.#reader.left;
  }

  /** The reader below, which holds at least so many bytes. */
  holding(length: number): Reader {
    if (length > this.#reader.left) throw malformed("they end too early");
    return this.#reader;
  }
}

/** A number of 8 bits. */
export const u8: Codec<number> = {
  size: () => 1,
  write: (writer, value) => writer.u8(value),
  read: (reader) => reader.holding(1).u8(),
};

/** A number of 16 bits. */
export const u16: Codec<number> = {
  size: () => 2,
  write: (writer, value) => writer.u16(value),
  read: (reader) => reader.holding(2).u16(),
};

/** A number of 32 bits. */
export const u32: Codec<number> = {
  size: () => 4,
  write: (writer, value) => writer.u32(value),
  read: (reader) => reader.holding(4).u32(),
};

/** A view, height or time: 64 bits, of which more than 2^52 is refused (section 2). */
export const whole: Codec<number> = {
  size: () => 8,
  write(writer, value) {
    assert(isWhole(value), "a view, height or time is a whole number up to 2^52");
    writer.u64(value);
  },
  read(reader) {
    const value = reader.holding(8).u64();
    if (value > NUMBER_MAX) throw malformed("a number is too large");
    return value;
  },
};

/** Whether a number can be a view, height or time. */
export function isWhole(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= NUMBER_MAX;
}

/** Bytes of a fixed length. */
export function fixed(length: number): Codec<Uint8Array> {
  return {
    size: () => length,
    write(writer, value) {
      assert(value.length === length, `${length} bytes expected`);
      writer.raw(value);
    },
    read: (reader) => reader.holding(length).raw(length),
  };
}

/** 32 bytes that are hexadecimal text in memory: a hash or a key. */
export function hex32<T extends string>(): Codec<T> {
  const bytes = fixed(32);
  return {
    size: () => 32,
    write: (writer, value) => bytes.write(writer, bytesOf(value)),
    read: (reader) => toHex(bytes.read(reader)) as T,
  };
}

/** The 32 bytes of a hash or a key. */
export function bytesOf(text: string): Uint8Array {
  const bytes = fromHex(text);
  assert(bytes?.length === 32, "a hash has 32 bytes");
  return bytes;
}

/** Bytes of any length up to a limit, behind their length in 32 bits. */
export function blob(bytesMax: number): Codec<Uint8Array> {
  return {
    size: (value) => 4 + value.length,
    write(writer, value) {
      assert(value.length <= bytesMax, "too many bytes");
      writer.u32(value.length).raw(value);
    },
    read(reader) {
      const length = u32.read(reader);
      if (length > bytesMax) throw malformed("a field is too long");
      return reader.holding(length).raw(length);
    },
  };
}

/** One of a few words, as its place in the list. */
export function word<const T extends string>(words: readonly T[]): Codec<T> {
  return {
    size: () => 1,
    write(writer, value) {
      writer.u8(words.indexOf(value));
    },
    read(reader) {
      const found = words[u8.read(reader)];
      if (found === undefined) throw malformed("an unknown word");
      return found;
    },
  };
}

/** Yes or no, as 1 or 0. */
export const flag: Codec<boolean> = {
  size: () => 1,
  write: (writer, value) => writer.u8(value ? 1 : 0),
  read(reader) {
    const value = u8.read(reader);
    if (value > 1) throw malformed("neither yes nor no");
    return value === 1;
  },
};

/** A value that is known beforehand and takes no bytes. */
export function constant<const T>(value: T): Codec<T> {
  return { size: () => 0, write: () => {}, read: () => value };
}

/** A value behind a byte that is always the same, the version of its encoding. */
export function behind<T>(version: number, codec: Codec<T>): Codec<T> {
  return {
    size: (value) => 1 + codec.size(value),
    write: (writer, value) => codec.write(writer.u8(version), value),
    read(reader) {
      if (u8.read(reader) !== version) throw malformed("another version");
      return codec.read(reader);
    },
  };
}

/** A value or null, behind a flag. */
export function nullable<T>(codec: Codec<T>): Codec<T | null> {
  return {
    size: (value) => 1 + (value === null ? 0 : codec.size(value)),
    write(writer, value) {
      flag.write(writer, value !== null);
      if (value !== null) codec.write(writer, value);
    },
    read: (reader) => (flag.read(reader) ? codec.read(reader) : null),
  };
}

/** Values of one type, behind their count in 16 bits. */
export function list<T>(codec: Codec<T>, countMax: number): Codec<readonly T[]> {
  return {
    size: (values) => values.reduce((length, value) => length + codec.size(value), 2),
    write(writer, values) {
      assert(values.length <= countMax, "too many values");
      writer.u16(values.length);
      for (const value of values) codec.write(writer, value);
    },
    read(reader) {
      const count = u16.read(reader);
      if (count > countMax) throw malformed("a list is too long");
      return Array.from({ length: count }, () => codec.read(reader));
    },
  };
}

/** Fields one after the other, in the order in which they are written down here. */
export function record<T extends object>(
  fields: {
    readonly [Name in keyof T]-?: Codec<T[Name]>;
  },
): Codec<T> {
  const names = Object.keys(fields) as (keyof T)[];
  return {
    size: (value) => names.reduce((length, name) => length + fields[name].size(value[name]), 0),
    write(writer, value) {
      for (const name of names) fields[name].write(writer, value[name]);
    },
    read(reader) {
      const value: Partial<T> = {};
      for (const name of names) value[name] = fields[name].read(reader);
      return value as T;
    },
  };
}

/** The same values, but only those that hold: others are neither written nor read. */
export function only<T>(codec: Codec<T>, holds: (value: T) => boolean, what: string): Codec<T> {
  return {
    size: (value) => codec.size(value),
    write(writer, value) {
      assert(holds(value), what);
      codec.write(writer, value);
    },
    read(reader) {
      const value = codec.read(reader);
      if (!holds(value)) throw malformed(what);
      return value;
    },
  };
}

/** Values of several types, behind the place of their type in this table: new ones go to the end. */
export function tagged<T extends { readonly type: string }>(
  codecs: {
    readonly [Type in T["type"]]: Codec<T>;
  },
): Codec<T> {
  const type = word(Object.keys(codecs) as T["type"][]);
  return {
    size: (value) => 1 + codecs[value.type as T["type"]].size(value),
    write(writer, value) {
      type.write(writer, value.type);
      codecs[value.type as T["type"]].write(writer, value);
    },
    read: (reader) => codecs[type.read(reader)].read(reader),
  };
}
