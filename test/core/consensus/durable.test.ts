import { describe, expect, test } from "bun:test";
import {
  type Durable,
  encodeDurable,
  genesisDurable,
  isForgotten,
  isSound,
  mayFollow,
} from "@/core/consensus/durable.ts";
import { newCommittee } from "@/core/consensus/quorum.ts";
import type { Ballot, Proposed } from "@/core/consensus/types.ts";
import { AssertionError } from "@/std/assert.ts";
import * as samples from "./samples.ts";
import { hashOf, symbolicWorld } from "./world.ts";

const { DURABLE, cert, commitCert, tc, unsigned } = samples;
const lower = { ...cert, view: 8, justifyView: 7 };
const commit = { ...unsigned, kind: "C" } as const;

describe("a durable record", () => {
  test("is sound at the beginning of an epoch, and as the samples have it", () => {
    expect(isSound(genesisDurable(symbolicWorld(4).committee))).toBe(true);
    expect(isSound(DURABLE)).toBe(true);
  });

  const unsound: readonly (readonly [string, Partial<Durable>])[] = [
    ["a lock above its highest certificate", { highCert: lower }],
    ["a commit above its highest certificate", { commitCert: { ...commitCert, view: 13 } }],
    ["a commit that is a prepare certificate", { commitCert: lower }],
    [
      "a commit vote above its lock",
      { lastCommitVotedView: 10, lastCommitVote: { ...commit, view: 10 } },
    ],
    ["a lock of another epoch", { lock: { ...cert, epoch: 6 } }],
    ["a highest certificate of another epoch", { highCert: { ...cert, epoch: 8 } }],
    ["a commit of another epoch", { commitCert: { ...samples.genesis, epoch: 6 } }],
    ["a timeout of another epoch", { highTC: { ...tc, epoch: 6 } }],
    ["a vote of another view", { lastVotedView: 8 }],
    ["a vote of no view", { lastVote: null }],
    ["a vote of another kind", { lastVote: commit }],
    ["a vote of another epoch", { lastVote: { ...unsigned, epoch: 6 } }],
    ["a commit vote of another view", { lastCommitVotedView: 8 }],
    ["a commit vote of no view", { lastCommitVote: null }],
    ["a commit vote of another kind", { lastCommitVote: unsigned }],
    ["a commit vote of another epoch", { lastCommitVote: { ...commit, epoch: 6 } }],
    ["a proposal of no view", { lastProposedView: 0 }],
    ["a view in which nothing was proposed", { lastProposal: null }],
  ];

  test.each(unsound)("with %s is none", (_, change) => {
    expect(isSound({ ...DURABLE, ...change })).toBe(false);
    expect(() => encodeDurable({ ...DURABLE, ...change })).toThrow(AssertionError);
  });

  const growth: readonly (readonly [string, Partial<Durable>])[] = [
    ["nothing new", {}],
    ["a later vote", { lastVotedView: 10, lastVote: { ...unsigned, view: 10 } }],
    ["a later commit vote", { lastCommitVotedView: 10, lastCommitVote: { ...commit, view: 10 } }],
    ["a higher lock", { lock: DURABLE.highCert }],
    ["a higher wish", { lastWishView: 14 }],
    ["a later proposal", { lastProposedView: 11, lastProposal: hashOf(9) }],
    ["a higher timeout", { highTC: { ...tc, view: 10 } }],
    [
      "a later epoch, whatever is in it",
      { epoch: 8, lastVotedView: 0, lastVote: null, lock: samples.genesis },
    ],
  ];
  test.each(growth)("may be followed by one with %s", (_, change) => {
    expect(mayFollow(DURABLE, { ...DURABLE, ...change })).toBe(true);
  });

  const shrinking: readonly (readonly [string, Partial<Durable>])[] = [
    ["an earlier epoch", { epoch: 6 }],
    ["an earlier vote", { lastVotedView: 8, lastVote: { ...unsigned, view: 8 } }],
    ["an earlier commit vote", { lastCommitVotedView: 8, lastCommitVote: { ...commit, view: 8 } }],
    ["another vote in the same view", { lastVote: { ...unsigned, block: hashOf(9) } }],
    ["the vote of another signer", { lastVote: { ...unsigned, signer: 1 } }],
    ["another commit vote in the same view", { lastCommitVote: { ...commit, block: hashOf(9) } }],
    ["a lower lock", { lock: lower }],
    ["a lower highest certificate", { highCert: { ...cert, view: 11 } }],
    ["a lower commit", { commitCert: { ...samples.genesis, view: -1 } }],
    ["a lower wish", { lastWishView: 12 }],
    ["an earlier proposal", { lastProposedView: 9 }],
    ["another proposal in the same view", { lastProposal: hashOf(9) }],
    ["a lower timeout", { highTC: { ...tc, view: 8 } }],
    ["no timeout any more", { highTC: null }],
  ];
  test.each(shrinking)("is never followed by one with %s", (_, change) => {
    expect(mayFollow(DURABLE, { ...DURABLE, ...change })).toBe(false);
  });

  test("follows the genesis of its epoch", () => {
    const { validators } = symbolicWorld(4).committee;
    const committee = newCommittee({
      epoch: 7,
      validators,
      genesis: hashOf(0x22),
      genesisHeight: 5,
    });
    expect(mayFollow(genesisDurable(committee), DURABLE)).toBe(true);
    expect(mayFollow(DURABLE, genesisDurable(committee))).toBe(false);
  });

  const signed: readonly (readonly [string, Ballot | Proposed, boolean])[] = [
    ["its last vote", samples.vote, false],
    ["a later vote", { ...samples.vote, view: 10 }, true],
    ["its last commit vote", samples.commitVote, false],
    ["a later commit vote", { ...samples.commitVote, view: 10 }, true],
    ["a vote of another epoch", { ...samples.vote, epoch: 8, view: 10 }, false],
    ["its last proposal", { ...samples.proposed, view: 10 }, false],
    ["a later proposal", { ...samples.proposed, view: 11 }, true],
    ["a certificate of its last vote", cert, false],
    ["a certificate of a later vote", DURABLE.highCert, true],
  ];
  test.each(signed)(
    "is told by what I have signed whether it is too old: %s",
    (_, said, answer) => {
      expect(isForgotten(DURABLE, said)).toBe(answer);
    },
  );

  test("forgets votes of one kind whatever it knows of the other", () => {
    const voted = { ...DURABLE, lastVotedView: 11, lastVote: { ...unsigned, view: 11 } };
    expect(isForgotten(voted, { ...samples.vote, view: 11 })).toBe(false);
    expect(isForgotten(voted, { ...samples.commitVote, view: 11 })).toBe(true);
  });
});
