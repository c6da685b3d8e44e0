import { describe, expect, test } from "bun:test";
import { combineVotes, votesOf } from "@/core/consensus/certificates.ts";
import { digestOf } from "@/core/consensus/digest.ts";
import { Ed25519Scheme, type Verify } from "@/core/consensus/ed25519.ts";
import type { Outgoing } from "@/core/consensus/messages.ts";
import { newCommittee, quorumOf } from "@/core/consensus/quorum.ts";
import { isFromLeader, proposedBy, type Signed, seal } from "@/core/consensus/signatures.ts";
import type { Cert, TC, Vote } from "@/core/consensus/types.ts";
import { AssertionError } from "@/std/assert.ts";
import { verifySignature } from "@/std/crypto.ts";
import * as samples from "./samples.ts";
import { CHAIN, ed25519Signers, hashOf, realWorld, symbolicWorld, World } from "./world.ts";

const SCHEMES = [
  ["Ed25519", realWorld],
  ["symbolic", symbolicWorld],
] as const;

function flipped(sig: Uint8Array, at = 3): Uint8Array {
  const copy = sig.slice();
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

function replaced<T>(list: readonly T[], at: number, by: (value: T) => T): readonly T[] {
  return list.map((value, place) => (place === at ? by(value) : value));
}

describe.each(SCHEMES)("signatures: %s", (_, worldOf) => {
  const world = worldOf(4);
  const { committee, scheme } = world;
  const block = world.block(1, world.certified);
  const vote = world.vote(2, { ...block.header, kind: "P", block: block.hash });
  const cert = world.certify(block);
  const tc = world.timeout(5, [5, 7, 6]);
  const nextEpoch = newCommittee({ ...committee, epoch: 2 });

  test("a vote holds", () => {
    expect(scheme.verify(committee, vote)).toBe(true);
  });

  const wrongVotes: readonly (readonly [string, Signed])[] = [
    ["of another kind", { ...vote, kind: "C" }],
    ["of another view", { ...vote, view: 2 }],
    ["of another epoch", { ...vote, epoch: 2 }],
    ["for another block", { ...vote, block: hashOf(9) }],
    ["of another height", { ...vote, height: 2 }],
    ["of another signer", { ...vote, signer: 1 }],
    ["of an index nobody has", { ...vote, signer: 4 }],
    ["of a negative index", { ...vote, signer: -1 }],
    ["of half an index", { ...vote, signer: 0.5 }],
    ["with a cut signature", { ...vote, sig: vote.sig.slice(0, 63) }],
    ["with a longer signature", { ...vote, sig: Uint8Array.of(...vote.sig, 0) }],
    ["without a signature", { ...vote, sig: new Uint8Array() }],
    ["with a changed signature", { ...vote, sig: flipped(vote.sig) }],
    ["with its end changed", { ...vote, sig: flipped(vote.sig, 63) }],
  ];

  test.each(wrongVotes)("a vote %s does not hold", (_name, wrong) => {
    expect(scheme.verify(committee, wrong)).toBe(false);
  });

  test("a vote with another justify does not hold", () => {
    const block2 = world.block(3, cert);
    const other = world.vote(2, { ...block2.header, kind: "P", block: block2.hash });
    expect(scheme.verify(committee, other)).toBe(true);
    expect(scheme.verify(committee, { ...other, justifyView: 2 })).toBe(false);
  });

  test("a signature is for one kind of statement: wish, proposal, state and vote do not mix", () => {
    const root = block.hash;
    const statements = [
      { type: "wish", epoch: 1, wishView: 1 },
      { type: "proposed", epoch: 1, view: 1, block: root },
      { type: "state_vote", epoch: 1, height: 1, root },
      { ...vote, type: "vote" },
    ] as const;
    const sigs = statements.map((statement) => world.signer(2).sign(statement));
    statements.forEach((statement, said) => {
      sigs.forEach((sig, at) => {
        const holds = scheme.verify(committee, { ...statement, signer: 2, sig });
        expect(holds).toBe(said === at);
      });
    });
    const changed = [
      { ...statements[0], wishView: 2 },
      { ...statements[1], block: hashOf(9) },
      { ...statements[1], view: 2 },
      { ...statements[2], root: hashOf(9) },
      { ...statements[2], height: 2 },
    ] as const;
    for (const statement of changed) {
      for (const sig of sigs) {
        expect(scheme.verify(committee, { ...statement, signer: 2, sig })).toBe(false);
      }
    }
  });

  test("signing again gives the same bytes", () => {
    expect(world.vote(2, vote).sig).toEqual(vote.sig);
  });

  test("a certificate holds, more than once, and so does a copy of it", () => {
    expect(scheme.verifyCert(committee, cert)).toBe(true);
    expect(scheme.verifyCert(committee, cert)).toBe(true);
    expect(
      scheme.verifyCert(committee, { ...cert, sigs: cert.sigs.map((sig) => sig.slice()) }),
    ).toBe(true);
    expect(scheme.verifyCert(committee, world.certify(block, "P", [0, 1, 2, 3]))).toBe(true);
  });

  test("the genesis holds without signatures, in its epoch only", () => {
    expect(scheme.verifyCert(committee, world.certified)).toBe(true);
    expect(scheme.verifyCert(nextEpoch, world.certified)).toBe(false);
  });

  const [first = new Uint8Array(), second = new Uint8Array(), third = new Uint8Array()] = cert.sigs;
  const few = { ...cert, bitmap: Uint8Array.of(0b0011), sigs: [first, second] };
  const wrongCerts: readonly (readonly [string, Cert])[] = [
    ["of too few", few],
    ["of one who counts twice", { ...few, sigs: [first, second, second] }],
    ["of one who counts for two", { ...cert, sigs: [first, second, second] }],
    ["of an index nobody has", { ...cert, bitmap: Uint8Array.of(0b10011) }],
    ["of others than who signed", { ...cert, bitmap: Uint8Array.of(0b1011) }],
    ["in another order", { ...cert, sigs: [second, first, third] }],
    ["with a signature too few", { ...cert, sigs: [first, second] }],
    ["with a signature too many", { ...cert, sigs: [first, second, third, third] }],
    ["with a wider bitmap", { ...cert, bitmap: Uint8Array.of(0b0111, 0) }],
    ["with a cut signature", { ...cert, sigs: replaced(cert.sigs, 1, (sig) => sig.slice(1)) }],
    ["with a changed signature", { ...cert, sigs: replaced(cert.sigs, 2, flipped) }],
    ["of another kind", { ...cert, kind: "C" }],
    ["of another epoch", { ...cert, epoch: 2 }],
    ["for another block", { ...cert, block: hashOf(9) }],
    ["of another view", { ...cert, view: 2 }],
    ["of another height", { ...cert, height: 2 }],
    ["of the height of the genesis", { ...cert, height: 0 }],
    ["of another justify", { ...cert, view: 2, justifyView: 1 }],
    ["that justifies itself", { ...cert, justifyView: 1 }],
    ["without anything", { ...cert, bitmap: new Uint8Array(), sigs: [] }],
    ["of a signed genesis", { ...cert, view: 0, block: committee.genesis, height: 0 }],
    ["of another genesis", { ...world.certified, block: hashOf(9) }],
    ["of a genesis of another height", { ...world.certified, height: 1 }],
    ["of a genesis that is justified", { ...world.certified, justifyView: 1 }],
  ];

  test.each(wrongCerts)("a certificate %s does not hold", (_name, wrong) => {
    expect(scheme.verifyCert(committee, wrong)).toBe(false);
    // Not the second time either.
    expect(scheme.verifyCert(committee, wrong)).toBe(false);
  });

  test("a certificate does not hold for another committee", () => {
    expect(scheme.verifyCert(nextEpoch, cert)).toBe(false);
    const others = newCommittee({ ...committee, validators: committee.validators.toReversed() });
    const elsewhere = { ...others, genesis: hashOf(9) };
    expect(scheme.verifyCert(elsewhere, cert)).toBe(false);
  });

  test("a timeout certificate of mixed wishes holds", () => {
    expect(scheme.verifyTC(committee, tc)).toBe(true);
    expect(scheme.verifyTC(committee, tc)).toBe(true);
    expect(scheme.verifyTC(committee, { ...tc, view: 4 })).toBe(true);
  });

  const wrongTCs: readonly (readonly [string, TC])[] = [
    ["of too few", { ...tc, entries: tc.entries.slice(1) }],
    ["of a wish below it", { ...tc, view: 6 }],
    ["of another epoch", { ...tc, epoch: 2 }],
    ["of view 0", { ...tc, view: 0 }],
    [
      "of a wish nobody signed",
      { ...tc, entries: replaced(tc.entries, 0, (one) => ({ ...one, wishView: 6 })) },
    ],
    [
      "of one who counts twice",
      { ...tc, entries: replaced(tc.entries, 1, () => ({ ...tc.entries[0] }) as never) },
    ],
    ["out of order", { ...tc, entries: tc.entries.toReversed() }],
    [
      "of an index nobody has",
      { ...tc, entries: replaced(tc.entries, 2, (one) => ({ ...one, signer: 4 })) },
    ],
    [
      "of another signer",
      { ...tc, entries: replaced(tc.entries, 2, (one) => ({ ...one, signer: 3 })) },
    ],
    [
      "with a cut signature",
      { ...tc, entries: replaced(tc.entries, 2, (one) => ({ ...one, sig: one.sig.slice(1) })) },
    ],
    [
      "with a changed signature",
      { ...tc, entries: replaced(tc.entries, 2, (one) => ({ ...one, sig: flipped(one.sig) })) },
    ],
  ];

  test.each(wrongTCs)("a timeout certificate %s does not hold", (_name, wrong) => {
    expect(scheme.verifyTC(committee, wrong)).toBe(false);
  });

  test("a certificate gives back the votes it was made of, each holding on its own", () => {
    const votes = votesOf(cert);
    expect(votes.map(({ signer }) => signer)).toEqual([0, 1, 2]);
    expect(votes.every((cast) => scheme.verify(committee, cast))).toBe(true);
    expect(scheme.combine(committee, votes.toReversed())).toEqual(cert);
  });

  const combined: readonly (readonly [string, () => readonly Vote[]])[] = [
    ["nothing", () => []],
    ["too few votes", () => votesOf(cert).slice(1)],
    ["a vote twice", () => [...votesOf(cert).slice(1), ...votesOf(cert).slice(2)]],
    ["votes that differ", () => [...votesOf(cert).slice(1), { ...vote, signer: 3, height: 7 }]],
  ];
  test.each(combined)("%s make no certificate", (_name, votes) => {
    expect(() => scheme.combine(committee, votes())).toThrow(AssertionError);
    expect(() => combineVotes(committee, votes())).toThrow(AssertionError);
  });

  test("a proposal is from its leader, or from nobody", () => {
    const unsigned = { type: "proposal", block, justify: cert, commit: null, entry: null } as const;
    const leader = block.header.proposer;
    const proposal = seal(unsigned, world.signer(leader));
    if (proposal.type !== "proposal") throw new Error("a proposal is sealed as one");
    expect(isFromLeader(scheme, committee, proposal)).toBe(true);
    expect(proposedBy(proposal).signer).toBe(leader);
    const other = (leader + 1) % 4;
    const stolen = { ...proposal, block: world.block(1, world.certified, { proposer: other }) };
    const sealed = seal({ ...unsigned, block: stolen.block }, world.signer(other));
    expect(isFromLeader(scheme, committee, sealed as typeof proposal)).toBe(false);
    expect(isFromLeader(scheme, committee, { ...proposal, block: world.block(5, cert) })).toBe(
      false,
    );
  });

  test("a vote, a wish and a state vote are sealed by their signer, the rest stays as it is", () => {
    const { sig: _sig, ...unsigned } = vote;
    expect(seal(unsigned, world.signer(2))).toEqual(vote);
    const wish = { type: "wish", epoch: 1, wishView: 6, commitView: 0, signer: 1 } as const;
    const full = { ...wish, highCert: cert, highTC: tc };
    expect(scheme.verify(committee, seal(full, world.signer(1)) as Signed)).toBe(true);
    const { sig: _other, ...state } = { ...samples.stateVote, epoch: 1 };
    const status = { ...samples.MESSAGES["status"], type: "status", stateVote: state } as Outgoing;
    const sealed = seal(status, world.signer(1));
    if (sealed.type !== "status" || !sealed.stateVote) throw new Error("a state vote was sealed");
    expect(scheme.verify(committee, sealed.stateVote)).toBe(true);
    const silent = { ...status, stateVote: null } as Outgoing;
    expect(seal(silent, world.signer(1))).toEqual(silent as never);
    expect(seal({ type: "prepare", cert }, world.signer(1))).toEqual({ type: "prepare", cert });
  });

  test.each([1, 2, 3, 7, 16])("a quorum of %d certifies, and one vote less does not", (n) => {
    const other = worldOf(n);
    const top = other.block(1, other.certified);
    const enough = other.certify(top);
    expect(enough.sigs.length).toBe(quorumOf(n));
    expect(other.scheme.verifyCert(other.committee, enough)).toBe(true);
    const signers = enough.sigs.length - 1;
    const bitmap = enough.bitmap.map((byte, at) =>
      at === signers >> 3 ? byte & ~(1 << (signers & 7)) : byte,
    );
    const less = { ...enough, bitmap, sigs: enough.sigs.slice(0, -1) };
    expect(other.scheme.verifyCert(other.committee, less)).toBe(false);
  });
});

describe("Ed25519", () => {
  /** A world that counts how often a signature is checked. */
  function countingWorld(rememberedMax?: number) {
    const count = { checks: 0 };
    const verify: Verify = (...signed) => {
      count.checks++;
      return verifySignature(...signed);
    };
    const options = rememberedMax === undefined ? { verify } : { verify, rememberedMax };
    return { world: new World(new Ed25519Scheme(CHAIN, options), ed25519Signers(4)), count };
  }

  test("does not check a certificate twice, whichever copy of it returns", () => {
    const { world, count } = countingWorld();
    const cert = world.certify(world.block(1, world.certified));
    const tc = world.timeout(5);
    for (let time = 0; time < 3; time++) {
      world.scheme.verifyCert(world.committee, structuredClone(cert));
      world.scheme.verifyTC(world.committee, structuredClone(tc));
    }
    expect(count.checks).toBe(3 + 3);
  });

  test("checks what did not hold again, and stops at the first signature that does not", () => {
    const { world, count } = countingWorld();
    const cert = world.certify(world.block(1, world.certified));
    const wrong = { ...cert, sigs: replaced(cert.sigs, 1, flipped) };
    expect(world.scheme.verifyCert(world.committee, wrong)).toBe(false);
    expect(world.scheme.verifyCert(world.committee, wrong)).toBe(false);
    expect(count.checks).toBe(1 + 1 + 1); // The first one held, and is remembered.
  });

  test("does not check a vote again that returns in a certificate", () => {
    const { world, count } = countingWorld();
    const block = world.block(1, world.certified);
    const ballot = { ...block.header, kind: "C", block: block.hash } as const;
    for (const signer of [0, 1, 2, 3])
      expect(world.scheme.verify(world.committee, world.vote(signer, ballot))).toBe(true);
    expect(count.checks).toBe(4);
    for (const quorum of [
      [0, 1, 2],
      [0, 2, 3],
    ])
      expect(world.scheme.verifyCert(world.committee, world.certify(block, "C", quorum))).toBe(
        true,
      );
    expect(count.checks).toBe(4);
  });

  test("does not take a remembered signature for another vote, or from another", () => {
    const { world } = countingWorld();
    const block = world.block(1, world.certified);
    const vote = world.vote(1, { ...block.header, kind: "P", block: block.hash });
    expect(world.scheme.verify(world.committee, vote)).toBe(true);
    for (const change of [{ kind: "C" }, { view: 2 }, { signer: 2 }, { sig: flipped(vote.sig) }])
      expect(world.scheme.verify(world.committee, { ...vote, ...change } as Vote)).toBe(false);
  });

  test("does not take another signature of a remembered certificate on trust", () => {
    const { world } = countingWorld();
    const cert = world.certify(world.block(1, world.certified));
    expect(world.scheme.verifyCert(world.committee, cert)).toBe(true);
    for (const at of [0, 1, 2]) {
      const wrong = { ...cert, sigs: replaced(cert.sigs, at, flipped) };
      expect(world.scheme.verifyCert(world.committee, wrong)).toBe(false);
    }
  });

  test("remembers so many certificates and forgets the oldest", () => {
    const { world, count } = countingWorld(2);
    const certs = [1, 2, 3].map((view) => world.certify(world.block(view, world.certified)));
    const check = (at: number) => {
      const before = count.checks;
      const cert = certs[at];
      expect(cert && world.scheme.verifyCert(world.committee, cert)).toBe(true);
      return count.checks - before;
    };
    expect([check(0), check(1), check(2)]).toEqual([3, 3, 3]);
    expect([check(1), check(2)]).toEqual([0, 0]);
    expect(check(0)).toBe(3);
  });

  test("signs for one chain only", () => {
    const elsewhere = ed25519Signers(4, hashOf(0xc5));
    const world = new World(new Ed25519Scheme(CHAIN), elsewhere);
    const { header, hash } = world.block(1, world.certified);
    const vote = world.vote(0, { ...header, kind: "P", block: hash });
    expect(world.scheme.verify(world.committee, vote)).toBe(false);
    expect(new Ed25519Scheme(hashOf(0xc5)).verify(world.committee, vote)).toBe(true);
  });

  test("a digest without its domain is not a vote", () => {
    const world = realWorld(4);
    const { header, hash } = world.block(1, world.certified);
    const said = { ...header, type: "vote", kind: "P", block: hash } as const;
    const proposal = { type: "proposed", epoch: 1, view: 1, block: hash } as const;
    expect(digestOf(CHAIN, said)).not.toEqual(digestOf(CHAIN, proposal));
  });
});

describe("symbolic signatures", () => {
  test("cannot be made without a signer: every number not handed out holds for nothing", () => {
    const world = symbolicWorld(4);
    const { header, hash } = world.block(1, world.certified);
    const vote = world.vote(0, { ...header, kind: "P", block: hash });
    for (let number = 0; number < 300; number++) {
      const sig = new Uint8Array(64);
      sig.set([number & 0xff, number >> 8]);
      const forged = { ...vote, signer: 1, sig };
      expect(world.scheme.verify(world.committee, forged)).toBe(false);
    }
  });

  test("are counted, and repeated statements take no more of them", () => {
    const world = symbolicWorld(4);
    const cert = world.certify(world.block(1, world.certified));
    world.certify(world.block(1, world.certified));
    expect(cert.sigs.length).toBe(3);
    expect((world.scheme as unknown as { count: number }).count).toBe(3);
  });
});
