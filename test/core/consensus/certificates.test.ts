import { describe, expect, test } from "bun:test";
import {
  bitmapOf,
  compareRank,
  genesisCert,
  hasSigned,
  higherOf,
  isSameBallot,
  isWellFormed,
  isWellFormedTC,
} from "@/core/consensus/certificates.ts";
import { newCommittee } from "@/core/consensus/quorum.ts";
import * as samples from "./samples.ts";
import { symbolicWorld } from "./world.ts";

describe("a rank", () => {
  test.each([
    ["a later view", { epoch: 1, view: 3 }, { epoch: 1, view: 2 }, 1],
    ["an earlier view", { epoch: 1, view: 2 }, { epoch: 1, view: 3 }, -1],
    ["the same view", { epoch: 1, view: 2 }, { epoch: 1, view: 2 }, 0],
    ["a later epoch, whatever the view", { epoch: 2, view: 0 }, { epoch: 1, view: 9 }, 1],
    ["an earlier epoch, whatever the view", { epoch: 1, view: 9 }, { epoch: 2, view: 0 }, -1],
  ])("compares %s", (_, a, b, sign) => {
    expect(Math.sign(compareRank(a, b))).toBe(sign);
  });

  test("of two certificates the higher is taken, and the one we have when they are equal", () => {
    const { cert } = samples;
    const same = { ...cert, kind: "C" } as const;
    const later = { ...cert, view: 10 };
    expect(higherOf(cert, same)).toBe(cert);
    expect(higherOf(cert, later)).toBe(later);
    expect(higherOf(later, cert)).toBe(later);
  });
});

describe("a certificate", () => {
  test("says who signed it, in the order of the bits", () => {
    const cert = { ...samples.cert, bitmap: bitmapOf([0, 7, 8, 12], 13) };
    expect(cert.bitmap).toEqual(Uint8Array.of(0x81, 0x11));
    const signers = Array.from({ length: 30 }, (_, at) => at).filter((at) => hasSigned(cert, at));
    expect(signers).toEqual([0, 7, 8, 12]);
  });

  test("of the genesis has no signer, and ranks below all others of its epoch", () => {
    const { committee } = symbolicWorld(4);
    const genesis = genesisCert(committee, "C");
    expect(genesis).toMatchObject({ view: 0, epoch: 1, height: 0, block: committee.genesis });
    expect(hasSigned(genesis, 0)).toBe(false);
    expect(compareRank(genesis, { epoch: 1, view: 1 })).toBeLessThan(0);
  });
});

/* The shape alone: whether it is signed is another question, and these must not need an answer. */
describe("the shape of a certificate", () => {
  const world = symbolicWorld(9);
  const { committee } = world;
  const cert = { ...world.certify(world.block(3, world.certified)), height: 1 };
  const last = { ...cert, bitmap: Uint8Array.of(0b00011111, 1) };
  const sig = new Uint8Array(64);
  const lifted = newCommittee({ ...committee, genesisHeight: 5 });

  test.each([
    ["of a quorum", committee, cert],
    ["that has the last of the validators in it", committee, last],
    ["just above the genesis", lifted, { ...cert, height: 6 }],
    ["of the genesis", committee, world.certified],
  ])("%s is that of one", (_, of, good) => {
    expect(isWellFormed(of, good)).toBe(true);
  });

  test.each([
    ["of another epoch", committee, { ...cert, epoch: 2 }],
    ["at the height of the genesis", lifted, { ...cert, height: 5 }],
    ["justified in its own view", committee, { ...cert, justifyView: 3 }],
    ["with an index too high", committee, { ...cert, bitmap: Uint8Array.of(0b00011111, 2) }],
    ["with a bitmap too short", committee, { ...cert, bitmap: cert.bitmap.slice(0, 1) }],
    ["with a bitmap too long", committee, { ...cert, bitmap: Uint8Array.of(...cert.bitmap, 0) }],
    ["without bits", committee, { ...cert, bitmap: new Uint8Array(2), sigs: [] }],
    ["with a signature too few", committee, { ...cert, sigs: cert.sigs.slice(1) }],
    [
      "below a quorum",
      committee,
      { ...cert, bitmap: Uint8Array.of(31, 0), sigs: cert.sigs.slice(1) },
    ],
    ["with a short signature", committee, { ...cert, sigs: [...cert.sigs.slice(1), sig.slice(1)] }],
    ["of a genesis with signatures", committee, { ...world.certified, sigs: [sig] }],
    ["of a genesis with bits", committee, { ...world.certified, bitmap: Uint8Array.of(1, 0) }],
  ])("%s is none", (_, of, wrong) => {
    expect(isWellFormed(of, wrong)).toBe(false);
  });

  const tc = world.timeout(5);
  const lastEntry = { signer: 8, wishView: 5, sig };

  test("of a timeout has a quorum of wishes, by those who are there", () => {
    expect(isWellFormedTC(committee, tc)).toBe(true);
    expect(isWellFormedTC(committee, { ...tc, entries: [...tc.entries, lastEntry] })).toBe(true);
    const wrongs = [
      { ...tc, epoch: 2 },
      { ...tc, view: 0 },
      { ...tc, view: 6 },
      { ...tc, entries: tc.entries.slice(1) },
      { ...tc, entries: tc.entries.toReversed() },
      { ...tc, entries: [...tc.entries, { ...lastEntry, signer: 9 }] },
      { ...tc, entries: [...tc.entries, { ...lastEntry, signer: 5 }] },
      { ...tc, entries: [...tc.entries, { ...lastEntry, sig: sig.slice(1) }] },
      { ...tc, entries: [{ ...lastEntry, signer: -1 }, ...tc.entries] },
    ];
    for (const wrong of wrongs) expect(isWellFormedTC(committee, wrong)).toBe(false);
  });
});

describe("ballots", () => {
  const { vote } = samples;
  test.each([
    ["the kind", { ...vote, kind: "C" as const }],
    ["the epoch", { ...vote, epoch: 8 }],
    ["the view", { ...vote, view: 10 }],
    [
      "the block",
      { ...vote, block: samples.commitCert.block.replace("2", "3") as typeof vote.block },
    ],
    ["the height", { ...vote, height: 12 }],
    ["the justify", { ...vote, justifyView: 7 }],
  ])("differ by %s", (_, other) => {
    expect(isSameBallot(vote, other)).toBe(false);
    expect(isSameBallot(vote, { ...vote })).toBe(true);
  });
});
