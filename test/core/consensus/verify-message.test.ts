import { describe, expect, test } from "bun:test";
import type { Message, Proposal } from "@/core/consensus/messages.ts";
import { seal } from "@/core/consensus/signatures.ts";
import type { Cert, TC } from "@/core/consensus/types.ts";
import { isVerified } from "@/core/consensus/verify-message.ts";
import * as samples from "./samples.ts";
import { hashOf, symbolicWorld } from "./world.ts";

const world = symbolicWorld(4);
const { committee, scheme } = world;
const block1 = world.block(1, world.certified);
const c1 = world.certify(block1);
const block2 = world.block(2, c1);
const commit = world.certify(block1, "C");
const tc = world.timeout(2);
const badCert: Cert = { ...c1, block: block2.hash };
const badCommit: Cert = { ...commit, block: block2.hash };
const badTC: TC = { ...tc, view: 3 };

const leader = world.signer(block2.header.proposer);
const proposal = seal(
  { type: "proposal", block: block2, justify: c1, commit, entry: tc },
  leader,
) as Proposal;
const newView = {
  type: "new_view",
  epoch: 1,
  view: 2,
  highCert: c1,
  highHeader: block1.header,
  commit,
  entry: tc,
  signer: 1,
} as const;
const wish = seal(
  { type: "wish", epoch: 1, wishView: 3, commitView: 1, highCert: c1, highTC: tc, signer: 1 },
  world.signer(1),
) as Extract<Message, { type: "wish" }>;
const vote = world.vote(1, c1);
const { sig: _, ...state } = { ...samples.stateVote, epoch: 1 };
const status = seal(
  { ...samples.MESSAGES["status"], stateVote: state } as never,
  world.signer(1),
) as Extract<Message, { type: "status" }>;
const meta = { ...samples.MESSAGES["snapshot meta"], commitCert: commit } as Message;

const GOOD: readonly (readonly [string, Message])[] = [
  ["a proposal", proposal],
  ["a proposal without more", { ...proposal, commit: null, entry: null }],
  ["a vote", vote],
  ["a commit vote", world.vote(1, commit)],
  ["a Prepare", { type: "prepare", cert: c1 }],
  ["a Decide", { type: "decide", cert: commit }],
  ["a NewView", newView],
  [
    "a NewView at the beginning",
    { ...newView, highCert: world.certified, highHeader: world.genesis.header, entry: null },
  ],
  ["a wish", wish],
  ["a wish without more", { ...wish, highTC: null }],
  ["a timeout certificate", { type: "tc", tc }],
  ["a status", { ...status, stateVote: null }],
  ["a status with a state vote", status],
  ["blocks", { type: "blocks", blocks: [block1], cert: commit }],
  ["blocks without a certificate", { type: "blocks", blocks: [block1], cert: null }],
  ["a snapshot", meta],
  ["a request", { type: "get_blocks", from: block1.hash, untilHeight: 0, bytesMax: 1 }],
];

const BAD: readonly (readonly [string, Message])[] = [
  ["a proposal nobody signed", { ...proposal, sig: vote.sig }],
  ["a proposal on a false certificate", { ...proposal, justify: badCert }],
  ["a proposal with a false commit", { ...proposal, commit: badCommit }],
  ["a proposal with a prepare certificate for a commit", { ...proposal, commit: c1 }],
  ["a proposal with a false timeout", { ...proposal, entry: badTC }],
  ["a vote of another", { ...vote, signer: 2 }],
  ["a false Prepare", { type: "prepare", cert: badCert }],
  ["a false Decide", { type: "decide", cert: badCommit }],
  ["a NewView of another epoch", { ...newView, epoch: 2 }],
  [
    "a NewView with a false certificate",
    { ...newView, highCert: badCert, highHeader: block2.header },
  ],
  ["a NewView with another header", { ...newView, highHeader: block2.header }],
  ["a NewView with a false commit", { ...newView, commit: badCommit }],
  ["a NewView with a prepare certificate for a commit", { ...newView, commit: c1 }],
  ["a NewView with a false timeout", { ...newView, entry: badTC }],
  ["a wish for another view", { ...wish, wishView: 4 }],
  ["a wish with a false certificate", { ...wish, highCert: badCert }],
  ["a wish with a false timeout", { ...wish, highTC: badTC }],
  ["a false timeout", { type: "tc", tc: badTC }],
  [
    "a status with a false state vote",
    { ...status, stateVote: status.stateVote && { ...status.stateVote, root: hashOf(9) } },
  ],
  ["blocks with a false certificate", { type: "blocks", blocks: [block1], cert: badCommit }],
  ["a snapshot with a false certificate", { ...meta, commitCert: badCommit } as Message],
];

describe("before a message reaches the replica", () => {
  test.each(GOOD)("%s passes", (_name, message) => {
    expect(isVerified(scheme, committee, message)).toBe(true);
  });

  test.each(BAD)("%s is stopped", (_name, message) => {
    expect(isVerified(scheme, committee, message)).toBe(false);
  });
});
