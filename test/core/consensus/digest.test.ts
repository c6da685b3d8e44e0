import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  EMPTY_PAYLOAD,
  genesisBlock,
  hasItsPayload,
  newBlock,
  sumUp,
} from "@/core/consensus/block.ts";
import {
  digestOf,
  hashHeader,
  payloadRootOf,
  type Statement,
  txIdOf,
  validatorsHashOf,
} from "@/core/consensus/digest.ts";
import { type Hash, type Header, NO_HASH, type Payload } from "@/core/consensus/types.ts";
import { toHex } from "@/std/bytes.ts";
import { DIGESTS } from "./golden.ts";
import * as samples from "./samples.ts";
import { CHAIN, ed25519Signers, hashOf } from "./world.ts";

const { payload, vote } = samples;
const one: Payload = { inline: payload.inline.slice(0, 1), batches: [] };
const three: Payload = { inline: payload.inline, batches: [] };
const signed = (statement: Statement) => toHex(digestOf(CHAIN, statement));

describe("a digest", () => {
  test.each([
    ["block", hashHeader(samples.header)],
    ["epoch-final block", hashHeader(samples.finalHeader)],
    ["prepare vote", signed(vote)],
    ["commit vote", signed(samples.commitVote)],
    ["wish", signed({ type: "wish", epoch: 7, wishView: 10 })],
    ["proposal", signed(samples.proposed)],
    ["state vote", signed(samples.stateVote)],
    ["validators", validatorsHashOf([samples.keyOf(0x61), samples.keyOf(0x62)])],
    ["transaction", txIdOf(Uint8Array.of(0xaa, 0xbb))],
    ["empty payload", payloadRootOf(EMPTY_PAYLOAD)],
    ["one transaction", payloadRootOf(one)],
    ["payload of three", payloadRootOf(three)],
    ["payload of four", payloadRootOf(payload)],
    ["signature of the prepare vote", toHex(ed25519Signers(1)[0]?.sign(vote) ?? new Uint8Array())],
  ])("of a %s has its golden bytes", (name, digest) => {
    expect(digest).toBe(DIGESTS[name] as Hash);
  });

  test("is another one when any field of a ballot is another", () => {
    const others: readonly Statement[] = [
      vote,
      { ...vote, kind: "C" },
      { ...vote, epoch: 8 },
      { ...vote, view: 10 },
      { ...vote, block: hashOf(0x2b) },
      { ...vote, height: 12 },
      { ...vote, justifyView: 7 },
    ];
    expect(new Set(others.map(signed)).size).toBe(others.length);
    expect(toHex(digestOf(hashOf(0xc5), vote))).not.toBe(signed(vote));
  });

  test("does not look at who signs, nor at what a message holds besides", () => {
    expect(signed({ ...vote, signer: 1 } as Statement)).toBe(signed(vote));
  });
});

/** Another value for each field of a header. */
const CHANGES: Readonly<Record<Exclude<keyof Header, "ver">, Partial<Header>>> = {
  chainId: { chainId: hashOf(9) },
  epoch: { epoch: 8 },
  view: { view: 10 },
  height: { height: 12 },
  parent: { parent: hashOf(9) },
  justifyView: { justifyView: 7 },
  proposer: { proposer: 3 },
  timestampMs: { timestampMs: 5 },
  payloadRoot: { payloadRoot: hashOf(9) },
  payloadBytes: { payloadBytes: 1 },
  txCount: { txCount: 9 },
  execHeight: { execHeight: 9 },
  execRoot: { execRoot: hashOf(9) },
  evidenceRoot: { evidenceRoot: hashOf(9) },
  nextValidatorsHash: { nextValidatorsHash: hashOf(9) },
  closing: { closing: hashOf(9) },
};

describe("a block", () => {
  test.each(Object.entries(CHANGES))("with another %s has another hash", (_, change) => {
    expect(hashHeader({ ...samples.header, ...change })).not.toBe(hashHeader(samples.header));
  });

  test("that names the next validators is not the one that closes on the same hash", () => {
    const next = { ...samples.header, nextValidatorsHash: hashOf(9) };
    const closing = { ...samples.header, closing: hashOf(9) };
    expect(hashHeader(next)).not.toBe(hashHeader(closing));
  });

  test.each([
    ["another transaction", { ...payload, inline: [Uint8Array.of(1), ...payload.inline.slice(1)] }],
    ["the same in another order", { ...payload, inline: payload.inline.toReversed() }],
    ["one transaction less", { ...payload, inline: payload.inline.slice(1) }],
    [
      "a batch in the place of a transaction",
      { inline: payload.inline.slice(1), batches: [hashOf(6), hashOf(6)] },
    ],
    ["nothing", EMPTY_PAYLOAD],
  ])("does not have the payload it says it has: %s", (_, other) => {
    expect(hasItsPayload(samples.block)).toBe(true);
    expect(hasItsPayload(newBlock(samples.header, other))).toBe(false);
    const sum = sumUp(other);
    for (const name of ["payloadRoot", "payloadBytes", "txCount"] as const) {
      const lying = { ...samples.header, ...sum, [name]: samples.header[name] };
      const isSame = sum[name] === samples.header[name];
      expect(hasItsPayload(newBlock(lying, other))).toBe(isSame);
    }
  });

  test("commits to its payload whatever it is", () => {
    const payloads = fc.record({
      inline: fc.array(fc.uint8Array({ maxLength: 3 }), { maxLength: 9 }),
      batches: fc.array(fc.nat(255).map(hashOf), { maxLength: 3 }),
    });
    fc.assert(
      fc.property(payloads, payloads, (a, b) => {
        const isSame =
          JSON.stringify([a.inline.map(toHex), a.batches]) ===
          JSON.stringify([b.inline.map(toHex), b.batches]);
        expect(payloadRootOf(a) === payloadRootOf(b)).toBe(isSame);
      }),
      { numRuns: 300, seed: 7 },
    );
  });

  test("at the beginning names its validators, and stands on nothing", () => {
    const validators = [samples.keyOf(1), samples.keyOf(2)];
    const { header, hash } = genesisBlock({
      chainId: CHAIN,
      validators,
      timestampMs: 5,
      execRoot: hashOf(3),
    });
    expect(header).toMatchObject({ epoch: 0, view: 0, height: 0, parent: NO_HASH, closing: null });
    expect(header.nextValidatorsHash).toBe(validatorsHashOf(validators));
    expect(hash).toBe(hashHeader(header));
  });
});
