import { describe, expect, test } from "bun:test";
import { hashHeader, validatorsHashOf } from "@/core/consensus/digest.ts";
import { genesisDurable } from "@/core/consensus/durable.ts";
import { committeeAfter } from "@/core/consensus/epoch-proof.ts";
import { observeCert, switchEpoch } from "@/core/consensus/safety-rules.ts";
import type { EpochProof, Header } from "@/core/consensus/types.ts";
import { keyOf } from "./samples.ts";
import { hashOf, symbolicWorld } from "./world.ts";

/* Epoch 1 ends at its second block; an empty block above it was what got committed. */
const world = symbolicWorld(4);
const context = world.context();
const validators = [keyOf(0x61), keyOf(0x62), keyOf(0x63)];
const first = world.block(1, world.certified);
const final = world.block(2, world.certify(first), {
  nextValidatorsHash: validatorsHashOf(validators),
});
const closing = world.block(4, world.certify(final), { closing: final.hash });
const last = world.block(5, world.certify(closing), { closing: final.hash });
const proof: EpochProof = {
  headers: [final.header, closing.header, last.header],
  cert: world.certify(last, "C"),
  validators,
};

/** The proof with another last header, certified as it stands. */
function endingIn(change: Partial<Header>): EpochProof {
  const other = world.block(5, world.certify(closing), { closing: final.hash, ...change });
  return {
    ...proof,
    headers: [final.header, closing.header, other.header],
    cert: world.certify(other, "C"),
  };
}

/** A proof of this block alone, certified as it stands. */
function only(change: Partial<Header>, who = validators): EpochProof {
  const nextValidatorsHash = validatorsHashOf(who);
  const block = world.block(2, world.certify(first), { nextValidatorsHash, ...change });
  return { headers: [block.header], cert: world.certify(block, "C"), validators: who };
}

describe("the proof of an epoch", () => {
  test.each([
    ["committed by a block above it", proof],
    ["committed itself", { ...proof, headers: [final.header], cert: world.certify(final, "C") }],
  ])("whose final block was %s gives the next committee", (_, shown) => {
    expect(committeeAfter(context, shown)).toEqual({
      epoch: 2,
      validators,
      genesis: final.hash,
      genesisHeight: 2,
      seed: Number.parseInt(final.hash.slice(0, 8), 16),
    });
  });

  const other = world.block(9, world.certify(first));
  const refusals: readonly (readonly [string, EpochProof])[] = [
    ["it is empty", { ...proof, headers: [] }],
    ["it is of another chain", only({ chainId: hashOf(9) })],
    ["a block of it is of another chain", endingIn({ chainId: hashOf(9) })],
    ["it is of another epoch", only({ epoch: 2 })],
    ["a block of it is of another epoch", endingIn({ epoch: 2 })],
    ["its first block ends nothing", only({ nextValidatorsHash: null })],
    ["its first block is above another that ends the epoch", only({ closing: hashOf(9) })],
    ["it shows other validators", { ...proof, validators: validators.slice(1) }],
    ["it shows them in another order", { ...proof, validators: validators.toReversed() }],
    ["it shows nobody", only({}, [])],
    ["it shows somebody twice", only({}, [keyOf(1), keyOf(1)])],
    ["a block is left out", { ...proof, headers: [final.header, last.header] }],
    ["a block above does not say that it closes", endingIn({ closing: null })],
    ["a block above closes another", endingIn({ closing: first.hash })],
    ["a block above ends the epoch again", endingIn({ nextValidatorsHash: hashOf(9) })],
    ["nothing is committed", { ...proof, cert: world.certify(last) }],
    ["something else is committed", { ...proof, cert: world.certify(other, "C") }],
    ["a block below its last is committed", { ...proof, cert: world.certify(closing, "C") }],
    ["the commit is not signed by a quorum", { ...proof, cert: { ...proof.cert, view: 6 } }],
  ];

  test.each(refusals)("is refused when %s", (_, shown) => {
    expect(committeeAfter(context, shown)).toBeNull();
    expect(switchEpoch(context, genesisDurable(world.committee), shown)).toEqual({
      type: "refused",
      refusal: "unproven_epoch",
    });
  });
});

describe("the switch to the next epoch", () => {
  test("is one record, of the genesis and of nothing else", () => {
    const seen = observeCert(context, genesisDurable(world.committee), world.certify(last));
    if (seen.type === "refused") throw new Error(seen.refusal);
    const switched = switchEpoch(context, seen.durable, proof);
    if (switched.type === "refused") throw new Error(switched.refusal);
    expect(switched.committee.genesis).toBe(hashHeader(final.header));
    expect(switched.durable).toEqual(genesisDurable(switched.committee));
    expect(switched.durable.lock).toMatchObject({
      epoch: 2,
      view: 0,
      block: final.hash,
      height: 2,
    });
  });

  test("is refused to a record of another epoch", () => {
    const ahead = committeeAfter(context, proof);
    if (!ahead) throw new Error("the proof is good");
    expect(switchEpoch(context, genesisDurable(ahead), proof)).toEqual({
      type: "refused",
      refusal: "wrong_epoch",
    });
  });
});
