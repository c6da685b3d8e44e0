import { describe, expect, test } from "bun:test";
import {
  decodeEvidence,
  type Evidence,
  encodeEvidence,
  findCulprits,
  findDoubleProposal,
  findOffence,
  offenceIdOf,
  provesOffence,
} from "@/core/consensus/evidence.ts";
import { faultsOf, newCommittee } from "@/core/consensus/quorum.ts";
import type { Ballot, Block, Proposed, Vote } from "@/core/consensus/types.ts";
import { hashOf, realWorld, symbolicWorld } from "./world.ts";

const world = realWorld(4);
const { committee, scheme } = world;
const block1 = world.block(1, world.certified);
const c1 = world.certify(block1);
const block3 = world.block(3, c1);
const rival3 = world.block(3, c1, { timestampMs: 7 });
const block5 = world.block(5, c1);
const on3 = world.block(5, world.certify(block3));

function cast(block: Block, kind: "P" | "C", signer = 2, change: Partial<Ballot> = {}): Vote {
  return world.vote(signer, { ...block.header, kind, block: block.hash, ...change });
}

function proposedIn(block: Block, signer = 2, epoch = 1): Proposed {
  const said = { type: "proposed", epoch, view: block.header.view, block: block.hash } as const;
  return { ...said, signer, sig: world.signer(signer).sign(said) };
}

const OFFENCES: readonly (readonly [string, Evidence["type"], Vote, Vote])[] = [
  ["two votes in a view", "double_vote", cast(block3, "P"), cast(rival3, "P")],
  ["two commit votes in a view", "double_commit_vote", cast(block3, "C"), cast(rival3, "C")],
  [
    "two votes for a block at two heights",
    "double_vote",
    cast(block3, "P"),
    cast(block3, "P", 2, { height: 9 }),
  ],
  [
    "two votes for a block on two justifies",
    "double_vote",
    cast(block3, "P"),
    cast(block3, "P", 2, { justifyView: 2 }),
  ],
  ["a vote that ignores a commit vote", "lock_violation", cast(block3, "C"), cast(block5, "P")],
];

describe("an offence", () => {
  test.each(OFFENCES)("is found in %s, in either order, and proves itself", (_, type, a, b) => {
    for (const found of [findOffence(a, b), findOffence(b, a)]) {
      if (!found) throw new Error("nothing was found");
      expect(found.type).toBe(type as typeof found.type);
      expect(provesOffence(scheme, committee, found)).toBe(true);
      expect(decodeEvidence(encodeEvidence(found))).toEqual(found);
    }
  });

  const HONEST: readonly (readonly [string, Vote, Vote])[] = [
    ["the same vote twice", cast(block3, "P"), cast(block3, "P")],
    ["votes of two views", cast(block3, "P"), cast(block5, "P")],
    ["a vote and a commit vote of a view", cast(block3, "P"), cast(block3, "C")],
    ["a commit vote for another than was voted for", cast(block3, "P"), cast(rival3, "C")],
    ["votes of two validators", cast(block3, "P"), cast(rival3, "P", 1)],
    ["a vote above a commit vote, on it", cast(block3, "C"), cast(on3, "P")],
    ["a commit vote above a vote", cast(block3, "P"), cast(block5, "C")],
    ["a vote below a commit vote", cast(block1, "P"), cast(block3, "C")],
    ["votes of two epochs", cast(block3, "P"), cast(rival3, "P", 2, { epoch: 2 })],
    [
      "a vote above a commit vote of another epoch",
      cast(block3, "C"),
      cast(block5, "P", 2, { epoch: 2 }),
    ],
    ["a vote and a commit vote of two validators", cast(block3, "C"), cast(block5, "P", 1)],
  ];
  test.each(HONEST)("is not found in %s", (_, a, b) => {
    expect(findOffence(a, b)).toBeUndefined();
    expect(findOffence(b, a)).toBeUndefined();
    for (const type of ["double_vote", "double_commit_vote", "lock_violation"] as const) {
      expect(provesOffence(scheme, committee, { type, first: a, second: b })).toBe(false);
    }
  });

  test("of a leader is two proposals in a view", () => {
    const found = findDoubleProposal(proposedIn(block3), proposedIn(rival3));
    if (!found) throw new Error("nothing was found");
    expect(provesOffence(scheme, committee, found)).toBe(true);
    expect(decodeEvidence(encodeEvidence(found))).toEqual(found);
  });

  test.each([
    ["the same proposal twice", proposedIn(block3), proposedIn(block3)],
    ["proposals of two views", proposedIn(block3), proposedIn(block5)],
    ["proposals of two leaders", proposedIn(block3), proposedIn(rival3, 1)],
    ["proposals of two epochs", proposedIn(block3), proposedIn(rival3, 2, 2)],
  ])("of a leader is not %s", (_, first, second) => {
    expect(findDoubleProposal(first, second)).toBeUndefined();
    expect(provesOffence(scheme, committee, { type: "double_proposal", first, second })).toBe(
      false,
    );
  });
});

describe("evidence", () => {
  const [first, second] = [cast(block3, "P"), cast(rival3, "P")];
  const good: Evidence = { type: "double_vote", first, second };
  const epoch2 = newCommittee({ ...committee, epoch: 2 });

  test.each([
    ["whose first signature was not made", { ...good, first: { ...first, sig: second.sig } }],
    ["whose second signature was not made", { ...good, second: { ...second, sig: first.sig } }],
    [
      "against another signer",
      { ...good, first: { ...first, signer: 1 }, second: { ...second, signer: 1 } },
    ],
    ["of another offence", { ...good, type: "lock_violation" }],
    ["of another kind of vote", { ...good, type: "double_commit_vote" }],
    [
      "of the lock, the wrong way round",
      { type: "lock_violation", first: cast(block5, "P"), second: cast(block3, "C") },
    ],
    [
      "whose proposals nobody signed",
      {
        type: "double_proposal",
        first: proposedIn(block3),
        second: { ...proposedIn(rival3), sig: first.sig },
      },
    ],
  ] as readonly (readonly [string, Evidence])[])("%s proves nothing", (_, wrong) => {
    expect(provesOffence(scheme, committee, good)).toBe(true);
    expect(provesOffence(scheme, committee, wrong)).toBe(false);
  });

  test("is judged by the committee of its epoch only", () => {
    expect(provesOffence(scheme, epoch2, good)).toBe(false);
    const later = { ...second, epoch: 2 };
    expect(provesOffence(scheme, committee, { ...good, second: later })).toBe(false);
    expect(provesOffence(scheme, epoch2, { ...good, second: later })).toBe(false);
  });

  test("has one name however it is shown", () => {
    expect(offenceIdOf(good)).toBe("double_vote/1/2/3");
    expect(offenceIdOf({ ...good, first: second, second: first })).toBe(offenceIdOf(good));
    expect(offenceIdOf({ ...good, type: "double_commit_vote" })).not.toBe(offenceIdOf(good));
  });
});

describe("two certificates that cannot both be", () => {
  const n = 7;
  const other = symbolicWorld(n);
  const base = other.certify(other.block(1, other.certified));
  const one = other.block(3, base);
  const two = other.block(3, base, { timestampMs: 7 });

  test.each([
    [
      "of one view",
      other.certify(one, "P", [0, 1, 2, 3, 4]),
      other.certify(two, "P", [2, 3, 4, 5, 6]),
    ],
    [
      "of one view, both committed",
      other.certify(one, "C", [0, 1, 2, 3, 4]),
      other.certify(two, "C", [2, 3, 4, 5, 6]),
    ],
    [
      "of a commit, and a later block beside it",
      other.certify(one, "C", [0, 1, 2, 3, 4]),
      other.certify(other.block(4, base), "P", [2, 3, 4, 5, 6]),
    ],
  ])("name more than f culprits: %s", (_, a, b) => {
    for (const culprits of [findCulprits(a, b), findCulprits(b, a)]) {
      expect(culprits.map(({ first }) => first.signer)).toEqual([2, 3, 4]);
      expect(culprits.length).toBeGreaterThan(faultsOf(n));
      for (const found of culprits) {
        expect(provesOffence(other.scheme, other.committee, found)).toBe(true);
      }
    }
  });

  test("name nobody when both can be", () => {
    const certs = [
      base,
      other.certify(one),
      other.certify(one, "C"),
      other.certify(two),
      genesisOf(),
    ];
    expect(findCulprits(other.certify(one), other.certify(one, "P", [2, 3, 4, 5, 6]))).toEqual([]);
    expect(findCulprits(base, other.certify(one))).toEqual([]);
    for (const cert of certs) expect(findCulprits(genesisOf(), cert)).toEqual([]);
  });

  function genesisOf() {
    return { ...other.certified, block: hashOf(9) };
  }
});
