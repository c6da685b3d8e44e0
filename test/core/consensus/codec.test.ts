import { describe, expect, test } from "bun:test";
import { block as blockCodec } from "@/core/consensus/block.ts";
import * as codec from "@/core/consensus/codec.ts";
import { decodeDurable, encodeDurable } from "@/core/consensus/durable.ts";
import { decodeEvidence, encodeEvidence } from "@/core/consensus/evidence.ts";
import { decodeMessage, encodeMessage } from "@/core/consensus/message-codec.ts";
import type { Cert, TC } from "@/core/consensus/types.ts";
import { type Codec, decode, encode } from "@/core/consensus/wire.ts";
import { AssertionError } from "@/std/assert.ts";
import { concat, fromHex, toHex } from "@/std/bytes.ts";
import { ENCODED_MESSAGES, VALUES } from "./golden.ts";
import * as samples from "./samples.ts";

const MALFORMED = expect.objectContaining({ code: "consensus.malformed" });

interface Case {
  readonly name: string;
  readonly golden: string;
  readonly value: unknown;
  readonly encoded: () => Uint8Array;
  readonly decoded: (bytes: Uint8Array) => unknown;
}

function valueCase<T>(name: string, of: Codec<T>, value: T): Case {
  return {
    name,
    golden: VALUES[name] ?? "none",
    value,
    encoded: () => encode(of, value),
    decoded: (bytes) => decode(of, bytes),
  };
}

const CASES: readonly Case[] = [
  valueCase("header", codec.header, samples.header),
  valueCase("epoch-final header", codec.header, samples.finalHeader),
  valueCase("closing header", codec.header, samples.closingHeader),
  valueCase("payload", codec.payload, samples.payload),
  valueCase("block", blockCodec, samples.block),
  valueCase("certificate", codec.cert, samples.cert),
  valueCase("wide certificate", codec.cert, samples.wideCert),
  valueCase("genesis certificate", codec.cert, samples.genesis),
  valueCase("timeout certificate", codec.tc, samples.tc),
  valueCase("vote", codec.vote, samples.vote),
  valueCase("unsigned vote", codec.unsignedVote, samples.unsigned),
  valueCase("state vote", codec.stateVote, samples.stateVote),
  valueCase("proposed", codec.proposed, samples.proposed),
  valueCase("epoch proof", codec.epochProof, samples.proof),
  {
    name: "durable",
    golden: VALUES["durable"] ?? "none",
    value: samples.DURABLE,
    encoded: () => encodeDurable(samples.DURABLE),
    decoded: decodeDurable,
  },
  ...Object.entries(samples.EVIDENCE).map(([name, value]) => ({
    name,
    golden: VALUES[name] ?? "none",
    value,
    encoded: () => encodeEvidence(value),
    decoded: decodeEvidence,
  })),
  ...Object.entries(samples.MESSAGES).map(([name, value]) => ({
    name: `message: ${name}`,
    golden: ENCODED_MESSAGES[name] ?? "none",
    value,
    encoded: () => encodeMessage(value),
    decoded: decodeMessage,
  })),
];

describe("an encoding", () => {
  test.each(CASES)("$name has its golden bytes", ({ encoded, golden }) => {
    expect(toHex(encoded())).toBe(golden);
  });

  test.each(CASES)("$name is read back as it was", ({ golden, value, decoded }) => {
    expect(decoded(bytes(golden))).toEqual(value);
  });

  test.each(CASES)("$name is refused when it is cut anywhere", ({ golden, decoded }) => {
    const whole = bytes(golden);
    for (let length = 0; length < whole.length; length++) {
      expect(() => decoded(whole.slice(0, length))).toThrow(MALFORMED);
    }
  });

  test.each(CASES)("$name is refused when something follows", ({ golden, decoded }) => {
    expect(() => decoded(concat(bytes(golden), Uint8Array.of(0)))).toThrow(MALFORMED);
  });

  test.each(CASES)("$name changed in a bit is refused or is another value", (row) => {
    const whole = bytes(row.golden);
    for (let at = 0; at < whole.length; at++) {
      for (const flip of [0x01, 0x80]) {
        const other = changed(whole, at, flip);
        const read = tryRead(row.decoded, other);
        if (read !== undefined) expect(read).not.toEqual(row.value);
      }
    }
  });
});

/** Where bytes can be wrong although they are as long as they should be. */
const REFUSED: readonly (readonly [string, Codec<unknown>, Uint8Array])[] = [
  ["a header of version 0", codec.header, changedIn("header", 0, 0x01)],
  ["a header of version 2", codec.header, changedIn("header", 0, 0x03)],
  ["a header whose null is neither there nor not", codec.header, changedIn("header", -1, 0x02)],
  ["a header of a view above 2^52", codec.header, changedIn("header", 37, 0xff)],
  ["a ballot of kind 2", codec.cert, changedIn("certificate", 0, 0x02)],
  ["a certificate with a bit too many", codec.cert, changedIn("certificate", 62, 0x04)],
  ["a certificate with a bit too few", codec.cert, changedIn("certificate", 62, 0x01)],
  ["a certificate without a bit", codec.cert, changedIn("certificate", 62, 0x0b).slice(0, 63)],
  ["a certificate whose justify is its own view", codec.cert, changedIn("certificate", 60, 0x01)],
  [
    "a certificate with 33 bytes of bitmap",
    codec.cert,
    concat(
      bytes(VALUES["certificate"]).slice(0, 61),
      Uint8Array.of(33, 1),
      new Uint8Array(32 + 64),
    ),
  ],
  ["a signed certificate of view 0", codec.cert, zeroed("certificate", 5, 13, 53, 61)],
  ["an unsigned certificate of view 1", codec.cert, changedIn("genesis certificate", 12, 0x01)],
  ["a genesis that is justified", codec.cert, changedIn("genesis certificate", 60, 0x01)],
  ["a vote whose justify is its own view", codec.vote, changedIn("vote", 60, 0x01)],
  ["a vote of view 0", codec.vote, zeroed("vote", 5, 13, 53, 61)],
  ["an unsigned vote of view 0", codec.unsignedVote, zeroed("unsigned vote", 5, 13, 53, 61)],
  ["a timeout of view 0", codec.tc, changedIn("timeout certificate", 11, 0x09)],
  ["a timeout without a wish", codec.tc, zeroed("timeout certificate", 12, 14).slice(0, 14)],
  ["a wish below its timeout", codec.tc, changedIn("timeout certificate", 23, 0x01)],
  ["two wishes of one signer", codec.tc, changedIn("timeout certificate", 89, 0x02)],
  ["wishes out of order", codec.tc, changedIn("timeout certificate", 15, 0x07)],
];

describe("strict decoding", () => {
  test.each(REFUSED)("refuses %s", (_, of, wrong) => {
    expect(() => decode(of, wrong)).toThrow(MALFORMED);
  });

  test("refuses a record of another version, and one that breaks its promises", () => {
    const whole = bytes(VALUES["durable"]);
    expect(() => decodeDurable(changed(whole, 0, 0x03))).toThrow(MALFORMED);
    // A lock above the highest certificate.
    expect(() => decodeDurable(changed(whole, 5 + 7, 0x01))).toThrow(MALFORMED);
  });

  test("refuses evidence that shows nothing", () => {
    const whole = bytes(VALUES["double vote"]);
    const same = concat(whole.slice(0, 1 + 127), whole.slice(1, 1 + 127));
    expect(() => decodeEvidence(same)).toThrow(MALFORMED);
    expect(() => decodeEvidence(changed(whole, 0, 0x03))).toThrow(MALFORMED);
    expect(() => decodeEvidence(changed(whole, 0, 0x05))).toThrow(MALFORMED);
  });

  test("refuses a Prepare of commit votes and a Decide of prepare votes", () => {
    expect(() => decodeMessage(changed(bytes(ENCODED_MESSAGES["prepare"]), 1, 0x01))).toThrow(
      MALFORMED,
    );
    expect(() => decodeMessage(changed(bytes(ENCODED_MESSAGES["decide"]), 1, 0x01))).toThrow(
      MALFORMED,
    );
  });

  test("refuses a message of an unknown type", () => {
    expect(() => decodeMessage(Uint8Array.of(20))).toThrow(MALFORMED);
  });
});

describe("an encoder", () => {
  const broken: readonly (readonly [string, () => Uint8Array])[] = [
    [
      "a certificate with fewer signatures than bits",
      () => encode(codec.cert, { ...samples.cert, sigs: samples.cert.sigs.slice(1) }),
    ],
    [
      "a signature of 63 bytes",
      () => encode(codec.vote, { ...samples.vote, sig: new Uint8Array(63) }),
    ],
    ["a hash of 31 bytes", () => encode(codec.hash, samples.header.parent.slice(2) as never)],
    ["a hash that is no hexadecimal text", () => encode(codec.hash, "block 7" as never)],
    ["half a view", () => encode(codec.header, { ...samples.header, view: 1.5 })],
    ["a view below 0", () => encode(codec.header, { ...samples.header, view: -1 })],
    ["a view above 2^52", () => encode(codec.header, { ...samples.header, view: 2 ** 52 + 1 })],
    ["a word it does not know", () => encode(codec.cert, { ...samples.cert, kind: "X" } as never)],
    ["wishes out of order", () => encode(codec.tc, reversed(samples.tc))],
    ["a transaction that is too long", () => encode(codec.tx, new Uint8Array((64 << 10) + 1))],
    ["signatures of 63 and 65 bytes", () => encode(codec.cert, uneven(samples.cert))],
    [
      "5,001 transactions",
      () => encode(codec.payload, { inline: new Array(5_001).fill(new Uint8Array()), batches: [] }),
    ],
    ["a bitmap that is too long", () => encode(codec.cert, tooWide(samples.cert))],
  ];

  test.each(broken)("does not write %s", (_, write) => {
    expect(write).toThrow(AssertionError);
  });
});

function reversed(tc: TC): TC {
  return { ...tc, entries: tc.entries.toReversed() };
}

function tooWide(cert: Cert): Cert {
  return { ...cert, bitmap: concat(cert.bitmap, new Uint8Array(32)) };
}

function uneven(cert: Cert): Cert {
  return { ...cert, sigs: [new Uint8Array(63), new Uint8Array(65), new Uint8Array(64)] };
}

function bytes(hex = "none"): Uint8Array {
  const found = fromHex(hex);
  if (!found) throw new Error("there is no golden vector of this name");
  return found;
}

function changed(whole: Uint8Array, at: number, flip: number): Uint8Array {
  const copy = whole.slice();
  const place = at < 0 ? whole.length + at : at;
  copy[place] = (copy[place] ?? 0) ^ flip;
  return copy;
}

function changedIn(name: string, at: number, flip: number): Uint8Array {
  return changed(bytes(VALUES[name]), at, flip);
}

/** The golden bytes with zeros in these ranges. */
function zeroed(name: string, ...ranges: readonly number[]): Uint8Array {
  const copy = bytes(VALUES[name]);
  for (let at = 0; at < ranges.length; at += 2) copy.fill(0, ranges[at], ranges[at + 1]);
  return copy;
}

function tryRead(read: (bytes: Uint8Array) => unknown, from: Uint8Array): unknown {
  try {
    return read(from);
  } catch (error) {
    expect(error).toEqual(MALFORMED);
    return undefined;
  }
}
