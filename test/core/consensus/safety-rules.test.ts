import { describe, expect, test } from "bun:test";
import { seededRandom } from "#test/support/seeded-random.ts";
import { genesisCert } from "@/core/consensus/certificates.ts";
import {
  type Durable,
  decodeDurable,
  encodeDurable,
  genesisDurable,
} from "@/core/consensus/durable.ts";
import { findOffence } from "@/core/consensus/evidence.ts";
import { newCommittee } from "@/core/consensus/quorum.ts";
import {
  type AskedCommitVote,
  type AskedVote,
  commitVote,
  type Decision,
  observeCert,
  observeCommit,
  observeTC,
  prepareVote,
  propose,
  provesCommit,
  type SafetyContext,
  type SafetyRefusal,
  wish,
} from "@/core/consensus/safety-rules.ts";
import type { Block, Cert, Header, UnsignedVote, Vote } from "@/core/consensus/types.ts";
import { AssertionError } from "@/std/assert.ts";
import { hashOf, symbolicWorld } from "./world.ts";

/*
 * A replica in view 7. It has voted in view 6 and commit-voted in view 5, so its lock is C_5; now the
 * leader of view 7 builds on C_6. Every block is certified by the view it is of.
 */
const world = symbolicWorld(4);
const context = world.context(3);
const chain: Block[] = [];
const certs: Cert[] = [world.certified];
for (let view = 1; view <= 9; view++) {
  chain[view] = world.block(view, certAt(view - 1));
  certs[view] = world.certify(blockAt(view));
}
const elsewhere = newCommittee({ ...world.committee, epoch: 2 });

function certAt(view: number): Cert {
  const cert = certs[view];
  if (!cert) throw new Error(`no certificate of view ${view}`);
  return cert;
}

function blockAt(view: number): Block {
  const block = chain[view];
  if (!block) throw new Error(`no block of view ${view}`);
  return block;
}

function voteOf(block: Block, kind: "P" | "C"): UnsignedVote {
  const { epoch, view, height, justifyView } = block.header;
  return { type: "vote", kind, epoch, view, block: block.hash, height, justifyView, signer: 3 };
}

const durable: Durable = {
  ...genesisDurable(world.committee),
  lastVotedView: 6,
  lastVote: voteOf(blockAt(6), "P"),
  lastCommitVotedView: 5,
  lastCommitVote: voteOf(blockAt(5), "C"),
  lock: certAt(5),
  highCert: certAt(6),
  commitCert: world.certify(blockAt(4), "C"),
  lastProposedView: 4,
  lastProposal: blockAt(4).hash,
  lastWishView: 6,
};

/** Two blocks of one view: the fork an honest replica must not help. */
const rival = world.block(7, certAt(6), { timestampMs: 5 });
const forged: Cert = { ...certAt(7), block: rival.hash };
const unbacked: Cert = { ...certAt(6), sigs: certAt(6).sigs.toReversed() };

function refused(refusal: SafetyRefusal) {
  return { type: "refused", refusal } as const;
}

function granted<Enabled>(decision: Decision<Enabled>) {
  if (decision.type === "refused") throw new Error(`refused: ${decision.refusal}`);
  return decision;
}

interface VoteCase {
  readonly header?: Partial<Header>;
  readonly view?: number;
  readonly justify?: Cert;
  readonly durable?: Partial<Durable>;
  readonly context?: Partial<SafetyContext>;
}

function askVote(change: VoteCase): Decision<{ readonly vote: UnsignedVote }> {
  const justify = change.justify ?? certAt(6);
  const asked: AskedVote = {
    view: change.view ?? 7,
    header: world.block(7, justify, change.header).header,
    justify,
  };
  return prepareVote({ ...context, ...change.context }, { ...durable, ...change.durable }, asked);
}

describe("a prepare vote", () => {
  test("is for the block of the header, and is on the record with the lock it raises", () => {
    const decision = granted(askVote({}));
    const block = world.block(7, certAt(6));
    expect(decision.vote).toEqual(voteOf(block, "P"));
    expect(decision.durable).toEqual({
      ...durable,
      lastVotedView: 7,
      lastVote: decision.vote,
      lock: certAt(6),
      highCert: certAt(6),
    });
  });

  test("of a block on the lock itself keeps the lock, and the highest certificate", () => {
    const decision = granted(askVote({ justify: certAt(5) }));
    expect(decision.durable.lock).toBe(certAt(5));
    expect(decision.durable.highCert).toBe(certAt(6));
  });

  test("of a block on the lock in its other kind keeps the lock, as it is no higher", () => {
    const justify = world.certify(blockAt(5), "C");
    expect(granted(askVote({ justify })).durable.lock).toBe(certAt(5));
  });

  test("takes a commit certificate for a justify, and locks on it", () => {
    const justify = world.certify(blockAt(6), "C");
    expect(granted(askVote({ justify })).durable.lock).toBe(justify);
  });

  test("is the same one when it is asked again, also after a commit vote in its view", () => {
    const first = granted(askVote({}));
    const again = granted(askVote({ durable: first.durable }));
    expect(again.vote).toBe(first.vote);
    expect(again.durable).toEqual(first.durable);
    const committed = granted(
      commitVote(context, first.durable, {
        view: 7,
        cert: world.certify(world.block(7, certAt(6))),
      }),
    );
    expect(granted(askVote({ durable: committed.durable })).vote).toBe(first.vote);
  });

  const other = hashOf(9);
  const inView6 = { lastVotedView: 5, lastVote: voteOf(blockAt(5), "P") };
  const voted = { lastVotedView: 7, lastVote: voteOf(rival, "P") };
  const votedHigher = { lastVotedView: 8, lastVote: voteOf(blockAt(8), "P") };
  const committedIn7 = { lastCommitVotedView: 7, lastCommitVote: voteOf(rival, "C") };
  const refusals: readonly (readonly [string, SafetyRefusal, VoteCase])[] = [
    ["I have no vote in this epoch", "no_validator", { context: { me: null } }],
    ["it is of another chain", "wrong_chain", { header: { chainId: other } }],
    ["it is of another epoch", "wrong_epoch", { header: { epoch: 2 } }],
    ["its parent is not what is certified", "wrong_parent", { header: { parent: other } }],
    ["it names a lower justify", "wrong_justify_view", { header: { justifyView: 5 } }],
    ["it names a higher justify", "wrong_justify_view", { header: { justifyView: 7 } }],
    [
      "its justify is of its own view",
      "justify_not_below",
      { header: { view: 6 }, view: 6, durable: inView6 },
    ],
    ["it leaves out a height", "wrong_height", { header: { height: 8 } }],
    ["it has the height of its parent", "wrong_height", { header: { height: 6 } }],
    ["its justify is not signed by a quorum", "unverified", { justify: unbacked }],
    ["its justify is of another epoch", "unverified", { justify: { ...certAt(6), epoch: 2 } }],
    ["I am in a later view", "not_current_view", { view: 8 }],
    ["I am in an earlier view", "not_current_view", { view: 6 }],
    ["I have voted for another in its view", "already_voted", { durable: voted }],
    ["I have voted in a later view", "already_voted", { durable: votedHigher }],
    ["I have commit-voted in its view", "commit_voted", { durable: committedIn7 }],
    ["its justify is below my lock", "below_lock", { justify: certAt(4) }],
    ["its justify is the genesis, below my lock", "below_lock", { justify: certAt(0) }],
  ];

  test.each(refusals)("is refused when %s", (_, refusal, change) => {
    expect(askVote(change)).toEqual(refused(refusal));
  });
});

function askCommit(change: {
  readonly view?: number;
  readonly cert?: Cert;
  readonly durable?: Partial<Durable>;
  readonly context?: Partial<SafetyContext>;
}): Decision<{ readonly vote: UnsignedVote }> {
  const asked: AskedCommitVote = { view: change.view ?? 7, cert: change.cert ?? certAt(7) };
  return commitVote({ ...context, ...change.context }, { ...durable, ...change.durable }, asked);
}

describe("a commit vote", () => {
  test("is for what is certified, locks on it, and is on the record", () => {
    const decision = granted(askCommit({}));
    expect(decision.vote).toEqual(voteOf(blockAt(7), "C"));
    expect(decision.durable).toEqual({
      ...durable,
      lastCommitVotedView: 7,
      lastCommitVote: decision.vote,
      lock: certAt(7),
      highCert: certAt(7),
    });
  });

  test("is given for a later view than mine, and keeps a higher certificate", () => {
    const decision = granted(askCommit({ cert: certAt(8), durable: { highCert: certAt(9) } }));
    expect(decision.durable.lastCommitVotedView).toBe(8);
    expect(decision.durable.highCert).toBe(certAt(9));
  });

  test("is given in the view of my last vote, for whatever was certified there", () => {
    const voted = { lastVotedView: 7, lastVote: voteOf(rival, "P") };
    expect(granted(askCommit({ durable: voted })).vote.block).toBe(blockAt(7).hash);
  });

  const votedHigher = { lastVotedView: 8, lastVote: voteOf(blockAt(8), "P") };
  const committed = {
    lastCommitVotedView: 7,
    lastCommitVote: voteOf(blockAt(7), "C"),
    lock: certAt(7),
    highCert: certAt(7),
  };
  const refusals: readonly (readonly [string, SafetyRefusal, Parameters<typeof askCommit>[0]])[] = [
    ["I have no vote in this epoch", "no_validator", { context: { me: null } }],
    ["it is committed already", "wrong_kind", { cert: world.certify(blockAt(7), "C") }],
    ["it is of another epoch", "wrong_epoch", { cert: { ...certAt(7), epoch: 2 } }],
    ["it is not signed by a quorum", "unverified", { cert: forged }],
    ["I have left its view", "left_view", { view: 8 }],
    ["I have voted in a later view", "voted_higher", { durable: votedHigher }],
    ["I have commit-voted in its view", "commit_voted", { durable: committed }],
    [
      "it is the genesis",
      "commit_voted",
      { view: 0, cert: world.certified, durable: genesisDurable(world.committee) },
    ],
  ];

  test.each(refusals)("is refused when %s", (_, refusal, change) => {
    expect(askCommit(change)).toEqual(refused(refusal));
  });

  test.each([
    ["below", certAt(8)],
    ["at", certAt(7)],
  ])("%s the lock is our own mistake: no record leads there", (_, lock) => {
    expect(() => askCommit({ durable: { lock, highCert: lock } })).toThrow(
      "a commit vote goes above the lock",
    );
  });
});

describe("a record that breaks its promises", () => {
  test.each([
    [
      "a vote",
      () => askVote({ durable: { highCert: certAt(3), lock: certAt(5), commitCert: certAt(4) } }),
    ],
    ["a commit vote", () => askCommit({ durable: { commitCert: certAt(4) } })],
    ["a proposal", () => propose({ ...durable, lock: certAt(8) }, { view: 8, block: hashOf(9) })],
    ["a wish for what is no view", () => wish(durable, Number.NaN)],
  ])("is our own mistake, not the ground for %s", (_, ask) => {
    expect(ask).toThrow(AssertionError);
  });
});

describe("a proposal", () => {
  const later = { view: 5, block: blockAt(5).hash };

  test("is on the record, and may be sent again", () => {
    const { durable: after } = granted(propose(durable, later));
    expect(after).toEqual({ ...durable, lastProposedView: 5, lastProposal: later.block });
    expect(granted(propose(after, later)).durable).toBe(after);
  });

  test.each([
    ["another block in the same view", { view: 4, block: hashOf(9) }],
    ["an earlier view", { view: 3, block: hashOf(9) }],
    ["the same block in an earlier view", { view: 3, block: blockAt(4).hash }],
  ])("is refused for %s", (_, asked) => {
    expect(propose(durable, asked)).toEqual(refused("already_proposed"));
  });
});

describe("a wish", () => {
  test("goes up or is repeated, and never down", () => {
    expect(granted(wish(durable, 8)).durable).toEqual({ ...durable, lastWishView: 8 });
    expect(granted(wish(durable, 6)).durable).toEqual(durable);
    expect(wish(durable, 5)).toEqual(refused("wished_higher"));
  });
});

describe("a commit", () => {
  const committed = world.certify(blockAt(8), "C");

  test("is proven by a certificate of commit votes", () => {
    expect(provesCommit(context, durable, committed)).toBe(true);
  });

  test.each<[string, Cert, Partial<Durable>]>([
    ["one of prepare votes", certAt(8), {}],
    ["one that no quorum has signed", { ...committed, block: rival.hash }, {}],
    ["one of another epoch than the record's", committed, { epoch: 2 }],
  ])("is not proven by %s", (_, cert, change) => {
    expect(provesCommit(context, { ...durable, ...change }, cert)).toBe(false);
  });
});

describe("what is only observed", () => {
  test("a late certificate raises highCert and never the lock", () => {
    const after = granted(observeCert(context, durable, certAt(8))).durable;
    expect(after).toEqual({ ...durable, highCert: certAt(8) });
    expect(granted(observeCert(context, after, certAt(7))).durable).toEqual(after);
  });

  test("a commit certificate raises what is committed, and highCert when it is higher", () => {
    const committed = world.certify(blockAt(8), "C");
    const after = granted(observeCommit(context, durable, committed)).durable;
    expect(after).toEqual({ ...durable, commitCert: committed, highCert: committed });
    const lower = world.certify(blockAt(5), "C");
    expect(granted(observeCommit(context, durable, lower)).durable).toEqual({
      ...durable,
      commitCert: lower,
    });
    expect(granted(observeCommit(context, after, lower)).durable).toEqual(after);
  });

  test("a timeout certificate is kept while none is higher", () => {
    const after = granted(observeTC(context, durable, world.timeout(8))).durable;
    expect(after).toEqual({ ...durable, highTC: world.timeout(8) });
    expect(granted(observeTC(context, after, world.timeout(7))).durable).toBe(after);
    expect(granted(observeTC(context, after, world.timeout(8, [9, 8, 8]))).durable).toBe(after);
    expect(granted(observeTC(context, after, world.timeout(9))).durable.highTC?.view).toBe(9);
  });

  test.each([
    ["an unsigned certificate", observeCert(context, durable, forged), "unverified"],
    [
      "a certificate of another epoch",
      observeCert(context, durable, genesisCert(elsewhere, "P")),
      "unverified",
    ],
    ["an unsigned commit", observeCommit(context, durable, { ...forged, kind: "C" }), "unverified"],
    ["a prepare certificate as a commit", observeCommit(context, durable, certAt(7)), "wrong_kind"],
    [
      "an unsigned timeout",
      observeTC(context, durable, { ...world.timeout(8), view: 9 }),
      "unverified",
    ],
    ["a timeout of too few", observeTC(context, durable, world.timeout(8, [8, 8])), "unverified"],
  ] as const)("%s changes nothing", (_, decision, refusal) => {
    expect(decision).toEqual(refused(refusal));
  });
});

/** One of two blocks that a leader could show in a view on a certificate. */
function headerOn(justify: Cert, view: number, which: number): Header {
  const id = `${justify.view}/${view}/${which}`;
  const header = headers.get(id) ?? world.block(view, justify, { timestampMs: which }).header;
  headers.set(id, header);
  return header;
}
const headers = new Map<string, Header>();

/** Asks for anything at any time, as a replica would whose every other part is wrong. */
class ConfusedReplica {
  readonly said: UnsignedVote[] = [];
  #durable = genesisDurable(world.committee);
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  step(): void {
    const seen = this.said.at(-1)?.view ?? 0;
    const view = Math.min(9, Math.max(1, seen - 1 + this.#below(4)));
    const justify = certAt(Math.max(0, view - 1 - this.#below(3)));
    const header = headerOn(justify, view, this.#below(2));
    const cert = certAt(Math.min(9, view + this.#below(2)));
    const asks = [
      () => this.#take(prepareVote(context, this.#durable, { view, header, justify })),
      () => this.#take(commitVote(context, this.#durable, { view, cert })),
      () => this.#keep(observeCert(context, this.#durable, justify)),
      () => {
        this.#durable = decodeDurable(encodeDurable(this.#durable));
      },
    ];
    asks[Math.max(0, this.#below(6) - 2)]?.();
  }

  #below(count: number): number {
    return Math.floor(this.#random() * count);
  }

  #take(decision: Decision<{ readonly vote: UnsignedVote }>): void {
    if (decision.type === "granted") this.said.push(decision.vote);
    this.#keep(decision);
  }

  #keep(decision: Decision): void {
    if (decision.type === "granted") this.#durable = decision.durable;
  }
}

describe("a replica whose every other part is wrong", () => {
  test("says nothing that could be shown as an offence", () => {
    let votes = 0;
    for (let seed = 1; seed <= 300; seed++) {
      const replica = new ConfusedReplica(seed);
      for (let step = 0; step < 60; step++) replica.step();
      const said = replica.said.map((vote): Vote => ({ ...vote, sig: new Uint8Array(64) }));
      votes += said.length;
      for (const [at, first] of said.entries()) {
        const offence = said.slice(at + 1).find((second) => findOffence(first, second));
        expect(offence, `seed ${seed}`).toBeUndefined();
      }
    }
    expect(votes).toBeGreaterThan(1_000);
  });
});
