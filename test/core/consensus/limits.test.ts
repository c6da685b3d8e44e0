import { describe, expect, test } from "bun:test";
import { block as blockCodec, newBlock, sumUp } from "@/core/consensus/block.ts";
import {
  cert as certCodec,
  epochProof,
  header,
  payload,
  publicKey,
  tc,
  tx,
} from "@/core/consensus/codec.ts";
import { decodeMessage, encodeMessage } from "@/core/consensus/message-codec.ts";
import { quorumOf } from "@/core/consensus/quorum.ts";
import type { Payload } from "@/core/consensus/types.ts";
import { type Codec, decode, encode, list } from "@/core/consensus/wire.ts";
import { AssertionError } from "@/std/assert.ts";
import { concat } from "@/std/bytes.ts";
import { Writer } from "@/std/codec.ts";
import * as samples from "./samples.ts";
import { hashOf, symbolicWorld } from "./world.ts";

const MALFORMED = expect.objectContaining({ code: "consensus.malformed" });
const MIB = 1 << 20;

function blockOf(content: Payload) {
  return newBlock({ ...samples.header, ...sumUp(content) }, content);
}

/** Transactions that make a block of exactly so many bytes: full ones, and one that fills up. */
function filling(bytes: number): Payload {
  const full = new Uint8Array(64 << 10);
  const room = bytes - header.size(samples.header) - 4;
  const count = Math.floor(room / (full.length + 4));
  const rest = new Uint8Array(room - count * (full.length + 4) - 4);
  return { inline: [...Array.from({ length: count }, () => full), rest], batches: [] };
}

/** A list that says it is longer than it may be. */
function counted(before: Uint8Array, count: number, each: Uint8Array): Uint8Array {
  const many = Array.from({ length: count }, () => each);
  return concat(before, new Writer(2).u16(count).done(), ...many);
}

describe("sizes", () => {
  test("a block of 1 MiB passes, and one byte more does not", () => {
    const largest = encode(blockCodec, blockOf(filling(MIB)));
    expect(largest.length).toBe(MIB);
    expect(decode(blockCodec, largest)).toEqual(blockOf(filling(MIB)));
    const { header: head, payload: content } = blockOf(filling(MIB + 1));
    const longer = concat(encode(header, head), encode(payload, content));
    expect(longer.length).toBe(MIB + 1);
    expect(() => decode(blockCodec, longer)).toThrow("a block is too large");
    expect(() => encode(blockCodec, blockOf(filling(MIB + 1)))).toThrow(AssertionError);
  });

  test("a block has up to 5,000 transactions", () => {
    const empty = new Uint8Array(4);
    const none = new Uint8Array(2);
    expect(decode(payload, concat(counted(none.slice(2), 5_000, empty), none)).inline.length).toBe(
      5_000,
    );
    expect(() => decode(payload, concat(counted(none.slice(2), 5_001, empty), none))).toThrow(
      MALFORMED,
    );
  });

  test("a transaction has up to 64 KiB", () => {
    const of = (length: number) => concat(new Writer(4).u32(length).done(), new Uint8Array(length));
    expect(decode(tx, of(64 << 10)).length).toBe(64 << 10);
    expect(() => decode(tx, of((64 << 10) + 1))).toThrow(MALFORMED);
  });

  test("a header is below 1 KiB, and about 220 bytes", () => {
    expect(encode(header, samples.header).length).toBe(217);
    const longest = { ...samples.finalHeader, closing: hashOf(7) };
    expect(encode(header, longest).length).toBe(281);
  });

  test("a message has up to 1.25 MiB, which every proposal keeps", () => {
    const most = symbolicWorld(256);
    const proposal = {
      type: "proposal",
      block: blockOf(filling(MIB)),
      justify: most.certify(most.block(1, most.certified)),
      commit: most.certify(most.block(1, most.certified), "C"),
      entry: most.timeout(2),
      sig: samples.sigOf(1),
    } as const;
    const bytes = encodeMessage(proposal);
    expect(bytes.length).toBeLessThanOrEqual(1.25 * MIB);
    expect(decodeMessage(bytes)).toEqual(proposal);
    expect(() => decodeMessage(new Uint8Array(1.25 * MIB + 1))).toThrow(MALFORMED);
  });

  test("a certificate is at most 64 n + 128 bytes, for every n", () => {
    for (const n of [1, 4, 7, 16, 31, 100, 256]) {
      const signers = Array.from({ length: n }, (_, at) => at);
      const { cert, smallest } = certsOf(n, signers);
      expect(encode(certCodec, cert).length).toBeLessThanOrEqual(64 * n + 128);
      expect(encode(certCodec, smallest).length).toBe(62 + Math.ceil(n / 8) + 64 * quorumOf(n));
    }
  });

  test.each([
    ["wishes", tc, counted(new Uint8Array(12), 257, new Uint8Array(74))],
    [
      "validators",
      list(publicKey, 256) as Codec<unknown>,
      counted(new Uint8Array(0), 257, new Uint8Array(32)),
    ],
    [
      "headers that close an epoch",
      epochProof,
      counted(new Uint8Array(0), 4_001, encode(header, samples.header)),
    ],
  ] as readonly (readonly [string, Codec<unknown>, Uint8Array])[])(
    "too many %s are refused before they are read",
    (_, of, bytes) => {
      expect(() => decode(of, bytes)).toThrow("a list is too long");
    },
  );

  test.each([
    [
      "a batch of more than 256 KiB",
      concat(
        Uint8Array.of(11),
        new Writer(2).u16(5).done(),
        ...Array.from({ length: 5 }, () =>
          concat(new Writer(4).u32(60_000).done(), new Uint8Array(60_000)),
        ),
      ),
    ],
    [
      "a chunk of more than 1 MiB",
      concat(
        Uint8Array.of(17),
        new Uint8Array(10),
        new Writer(4).u32(MIB + 1).done(),
        new Uint8Array(MIB + 1),
      ),
    ],
    [
      "more than 1,024 ids",
      concat(Uint8Array.of(13), counted(new Uint8Array(0), 1_025, new Uint8Array(32))),
    ],
    ["more than 64 epochs", concat(Uint8Array.of(19), new Writer(2).u16(65).done())],
    ["more than 1,024 blocks", concat(Uint8Array.of(9), new Writer(2).u16(1_025).done())],
  ])("%s are refused", (_, bytes) => {
    expect(() => decodeMessage(bytes)).toThrow(MALFORMED);
  });
});

function certsOf(n: number, signers: readonly number[]) {
  const world = symbolicWorld(n);
  const block = world.block(1, world.certified);
  return { cert: world.certify(block, "P", signers), smallest: world.certify(block) };
}

test.each([
  [4, 255],
  [7, 383],
  [16, 768],
  [100, 4_363],
])("sizes of the README: a vote is 128 bytes, a certificate of %d validators %d", (n, bytes) => {
  const world = symbolicWorld(n);
  const cert = world.certify(world.block(1, world.certified));
  expect(encode(certCodec, cert).length).toBe(bytes);
  expect(encodeMessage(world.vote(0, cert)).length).toBe(128);
});
