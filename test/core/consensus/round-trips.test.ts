import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { newBlock } from "@/core/consensus/block.ts";
import { bitmapOf, signersOf } from "@/core/consensus/certificates.ts";
import { decodeMessage, encodeMessage } from "@/core/consensus/message-codec.ts";
import type { Message } from "@/core/consensus/messages.ts";
import type { Block, Cert, Hash, Header, TC, Vote } from "@/core/consensus/types.ts";
import { toHex } from "@/std/bytes.ts";

const RUNS = { numRuns: 100, seed: 20_260 };

const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => toHex(bytes) as Hash);
const sig = fc.uint8Array({ minLength: 64, maxLength: 64 });
const u16 = fc.nat(0xffff);
const u32 = fc.nat(0xffffffff);
const whole = fc.oneof(
  fc.nat(9),
  fc.maxSafeNat().map((value) => value % (2 ** 52 + 1)),
);
const view = whole.map((value) => Math.max(value, 1));

const header: fc.Arbitrary<Header> = fc.record({
  ver: fc.constant(1 as const),
  chainId: hash,
  epoch: u32,
  view: whole,
  height: whole,
  parent: hash,
  justifyView: whole,
  proposer: u16,
  timestampMs: whole,
  payloadRoot: hash,
  payloadBytes: u32,
  txCount: u32,
  execHeight: whole,
  execRoot: hash,
  evidenceRoot: hash,
  nextValidatorsHash: fc.option(hash),
  closing: fc.option(hash),
});
const payload = fc.record({
  inline: fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 5 }),
  batches: fc.array(hash, { maxLength: 3 }),
});
const block: fc.Arbitrary<Block> = fc
  .tuple(header, payload)
  .map(([head, content]) => newBlock(head, content));
const ballot = fc
  .record({
    epoch: u32,
    view,
    block: hash,
    height: whole,
    below: fc.double({ min: 0, max: 0.99, noNaN: true }),
  })
  .map(({ below, ...said }) => ({ ...said, justifyView: Math.floor(said.view * below) }));
const signers = fc.uniqueArray(fc.nat(99), { minLength: 1, maxLength: 12 });
const certOf = (kind: "P" | "C"): fc.Arbitrary<Cert> =>
  fc
    .tuple(ballot, signers, fc.array(sig, { minLength: 12, maxLength: 12 }))
    .map(([said, who, sigs]) => ({
      kind,
      ...said,
      bitmap: bitmapOf(who, 100),
      sigs: sigs.slice(0, who.length),
    }));
const cert = fc.constantFrom("P" as const, "C" as const).chain(certOf);
const tc: fc.Arbitrary<TC> = fc
  .tuple(u32, fc.integer({ min: 1, max: 1_000_000 }), signers, fc.nat(1_000), sig)
  .map(([epoch, at, who, above, one]) => ({
    epoch,
    view: at,
    entries: who
      .toSorted((a, b) => a - b)
      .map((signer) => ({ signer, wishView: at + above, sig: one })),
  }));
const vote: fc.Arbitrary<Vote> = fc
  .tuple(fc.constantFrom("P" as const, "C" as const), ballot, u16, sig)
  .map(([kind, said, signer, one]) => ({ type: "vote", kind, ...said, signer, sig: one }));

const message: fc.Arbitrary<Message> = fc.oneof(
  vote,
  fc.record({ type: fc.constant("prepare" as const), cert: certOf("P") }),
  fc.record({ type: fc.constant("decide" as const), cert: certOf("C") }),
  fc.record({ type: fc.constant("tc" as const), tc }),
  fc.record({
    type: fc.constant("proposal" as const),
    block,
    justify: cert,
    commit: fc.option(cert),
    entry: fc.option(tc),
    sig,
  }),
  fc.record({
    type: fc.constant("new_view" as const),
    epoch: u32,
    view: whole,
    highCert: cert,
    highHeader: fc.option(header),
    commit: cert,
    entry: fc.option(tc),
    signer: u16,
  }),
  fc.record({
    type: fc.constant("blocks" as const),
    blocks: fc.array(block, { maxLength: 3 }),
    cert: fc.option(cert),
  }),
);

describe("messages of any content", () => {
  test("are read back as they were written", () => {
    fc.assert(
      fc.property(message, (value) => {
        expect(decodeMessage(encodeMessage(value))).toEqual(value);
      }),
      RUNS,
    );
  });

  test("have one encoding: what is read is written as the same bytes, the rest is refused", () => {
    const touched = fc.tuple(message, fc.nat(), fc.nat(255)).map(([value, at, byte]) => {
      const bytes = encodeMessage(value);
      bytes[at % Math.min(bytes.length, 400)] = byte;
      return bytes;
    });
    fc.assert(
      fc.property(fc.oneof(touched, fc.uint8Array({ maxLength: 300 })), (bytes) => {
        try {
          expect(toHex(encodeMessage(decodeMessage(bytes)))).toBe(toHex(bytes));
        } catch (error) {
          expect(error).toMatchObject({ code: "consensus.malformed" });
        }
      }),
      { ...RUNS, numRuns: 1_000 },
    );
  });

  test("a bitmap names who it was made of", () => {
    fc.assert(
      fc.property(signers, (who) => {
        expect(signersOf(bitmapOf(who, 100))).toEqual(who.toSorted((a, b) => a - b));
      }),
      RUNS,
    );
  });
});
