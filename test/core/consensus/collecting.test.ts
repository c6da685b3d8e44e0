import { describe, expect, test } from "bun:test";
import type { Ballot, Block, VoteKind } from "@/core/consensus/types.ts";
import { Solo } from "./solo.ts";

function ballotOf({ hash, header }: Block, kind: VoteKind = "P"): Ballot {
  const { epoch, view, height, justifyView } = header;
  return { kind, epoch, view, block: hash, height, justifyView };
}

describe("prepare votes (§6.5)", () => {
  test("of a quorum become a certificate, once", () => {
    const solo = new Solo().boot();
    const block = solo.block(4, solo.world.certified);
    for (const at of [0, 1]) solo.hear(solo.world.vote(solo.other(at), ballotOf(block)));
    expect(solo.said).toEqual([]);
    solo.hear(solo.world.vote(solo.other(0), ballotOf(block)));
    expect(solo.said).toEqual([]);
    solo.hear(solo.world.vote(solo.other(2), ballotOf(block)));
    expect(solo.said).toContain("prepare");
    expect(solo.replica.view).toBe(5);
  });

  test("help although the view is over, but not two views later", () => {
    for (const [view, isHelped] of [
      [5, true],
      [6, false],
    ] as const) {
      const solo = new Solo().boot();
      const block = solo.block(4, solo.world.certified);
      solo.hear({ type: "tc", tc: solo.world.timeout(view) });
      for (const at of [0, 1, 2]) solo.hear(solo.world.vote(solo.other(at), ballotOf(block)));
      expect(solo.said.includes("prepare")).toBe(isHelped);
      expect(solo.said).not.toContain("commit_vote");
      expect(solo.replica.durable.lock.view).toBe(0);
    }
  });

  test.each([
    ["of a view that I do not lead", 3],
    ["of a view that is too far away", 12],
  ])("%s are dropped", (_, view) => {
    const solo = new Solo().boot();
    const block = solo.block(view, solo.world.certified);
    solo.hear(solo.world.vote(solo.other(0), ballotOf(block)));
    expect(solo.replica.votes.size).toBe(0);
  });

  test("for different blocks do not count together, and the second of a signer is evidence", () => {
    const solo = new Solo().boot();
    const block = solo.block(4, solo.world.certified);
    const another = solo.block(4, solo.world.certified, { timestampMs: 1 });
    for (const at of [0, 1]) solo.hear(solo.world.vote(solo.other(at), ballotOf(block)));
    solo.hear(solo.world.vote(solo.other(2), ballotOf(another)));
    expect(solo.said).toEqual([]);
    solo.hear(solo.world.vote(solo.other(2), ballotOf(block)));
    expect(solo.said).toEqual([]);
    expect(solo.did("evidence")).toMatchObject([{ evidence: { type: "double_vote" } }]);
  });
});

describe("commit votes (§6.5)", () => {
  test("of a quorum commit, for views down to eight back", () => {
    for (const [view, isCounted] of [
      [9, true],
      [10, false],
    ] as const) {
      const solo = new Solo().boot();
      const block = solo.block(1, solo.world.certified);
      solo.hear(solo.propose(block, solo.world.certified));
      solo.hear({ type: "tc", tc: solo.world.timeout(view) });
      for (const at of [0, 1, 2]) solo.hear(solo.world.vote(solo.other(at), ballotOf(block, "C")));
      expect(solo.did("commit")).toHaveLength(isCounted ? 1 : 0);
    }
  });

  test("go to all in a small committee and to two leaders in a large one", () => {
    const small = new Solo(16).boot();
    small.hear({ type: "prepare", cert: small.certs(1)(1) });
    expect(small.did("send").find(({ message }) => message.type === "vote")?.to).toBe("all");
    const large = new Solo(17).boot();
    large.hear({ type: "prepare", cert: large.certs(1)(1) });
    const keys = [1, 2].map((view) => large.world.signer(large.leader(view)).publicKey);
    expect(large.did("send").find(({ message }) => message.type === "vote")?.to).toEqual(keys);
  });

  test("are told to all by who collects them in a large committee", () => {
    for (const [view, isCollector] of [
      [17, true],
      [16, true],
      [15, false],
    ] as const) {
      const solo = new Solo(17).boot();
      const block = solo.block(view, solo.world.certified);
      for (let at = 0; at < 12; at++)
        solo.hear(solo.world.vote(solo.other(at), ballotOf(block, "C")));
      expect(solo.said.includes("decide")).toBe(isCollector);
    }
  });

  test("are cast by who has not voted and does not have the block (trace G)", () => {
    const solo = new Solo().boot();
    solo.hear({ type: "prepare", cert: solo.certs(3)(3) });
    expect(solo.said).toContain("commit_vote");
    expect(solo.replica.durable.lock.view).toBe(3);
  });

  test("are not cast for a view I have left (trace D)", () => {
    const solo = new Solo().boot();
    solo.hear({ type: "tc", tc: solo.world.timeout(3) });
    solo.hear({ type: "prepare", cert: solo.certs(2)(2) });
    expect(solo.said).not.toContain("commit_vote");
    expect(solo.replica.durable).toMatchObject({ lock: { view: 0 }, highCert: { view: 2 } });
  });
});

describe("evidence (section 12)", () => {
  test("of two commit votes in a view", () => {
    const solo = new Solo().boot();
    const block = solo.block(1, solo.world.certified);
    const another = solo.block(1, solo.world.certified, { timestampMs: 1 });
    solo.hear(solo.world.vote(solo.other(0), ballotOf(block, "C")));
    solo.hear(solo.world.vote(solo.other(0), ballotOf(another, "C")));
    expect(solo.did("evidence")).toMatchObject([{ evidence: { type: "double_commit_vote" } }]);
  });

  test.each([
    ["commit vote first", ["C", "P"]],
    ["prepare vote first", ["P", "C"]],
  ] as const)("of a lock that was ignored, %s", (_, order) => {
    const solo = new Solo().boot();
    const locked = solo.world.vote(
      solo.other(0),
      ballotOf(solo.block(2, solo.world.certified), "C"),
    );
    const ignoring = solo.world.vote(solo.other(0), ballotOf(solo.block(4, solo.world.certified)));
    for (const kind of order) solo.hear(kind === "C" ? locked : ignoring);
    expect(solo.did("evidence")).toMatchObject([{ evidence: { type: "lock_violation" } }]);
  });

  test("of a vote that is not the one in a certificate", () => {
    const solo = new Solo().boot();
    const block = solo.block(1, solo.world.certified);
    const another = solo.block(1, solo.world.certified, { timestampMs: 1 });
    solo.hear(solo.world.vote(solo.other(0), ballotOf(another, "C")));
    solo.hear({ type: "prepare", cert: solo.certify(block) });
    expect(solo.did("evidence")).toEqual([]);
    solo.hear({ type: "decide", cert: solo.certify(block, "C") });
    expect(solo.did("evidence")).toMatchObject([{ evidence: { type: "double_commit_vote" } }]);
  });

  test("of a lock that was ignored in a certificate", () => {
    const solo = new Solo().boot();
    solo.hear(solo.world.vote(solo.other(1), ballotOf(solo.block(2, solo.world.certified), "C")));
    solo.hear({ type: "prepare", cert: solo.certify(solo.block(3, solo.world.certified)) });
    expect(solo.did("evidence")).toMatchObject([{ evidence: { type: "lock_violation" } }]);
  });

  test("of a vote that is not the one in a later certificate of what I had certified myself", () => {
    const solo = new Solo(7).boot();
    const block = solo.block(1, solo.world.certified);
    const another = solo.block(1, solo.world.certified, { timestampMs: 1 });
    const certBy = (...others: number[]) =>
      solo.world.certify(
        block,
        "C",
        others.map((at) => solo.other(at)).sort((a, b) => a - b),
      );
    solo.hear({ type: "decide", cert: certBy(1, 2, 3, 4, 5) });
    solo.hear(solo.world.vote(solo.other(0), ballotOf(another, "C")));
    expect(solo.did("evidence")).toEqual([]);
    solo.hear({ type: "decide", cert: certBy(1, 2, 3, 4, 5) });
    expect(solo.did("evidence")).toEqual([]);
    solo.hear({ type: "decide", cert: certBy(0, 1, 2, 3, 4) });
    expect(solo.did("evidence")).toMatchObject([{ evidence: { type: "double_commit_vote" } }]);
  });

  test.each([
    ["a second commit vote", "C", 1, "C", 1, "double_commit_vote"],
    ["a commit vote above whose view it ignores the lock", "P", 3, "C", 2, "lock_violation"],
    ["a vote that ignores the lock", "C", 2, "P", 4, "lock_violation"],
  ] as const)("of %s that comes after the certificate", (_, kind, view, later, laterView, type) => {
    const solo = new Solo().boot();
    const cert = solo.certify(solo.block(view, solo.world.certified), kind);
    solo.hear(kind === "P" ? { type: "prepare", cert } : { type: "decide", cert });
    const another = solo.block(laterView, solo.world.certified, { timestampMs: 1 });
    solo.hear(solo.world.vote(solo.other(0), ballotOf(another, later)));
    expect(solo.did("evidence")).toMatchObject([{ evidence: { type } }]);
  });

  test("is not of who has not signed the certificate", () => {
    const solo = new Solo(7).boot();
    const signers = [1, 2, 3, 4, 5].map((at) => solo.other(at)).sort((a, b) => a - b);
    const cert = solo.world.certify(solo.block(1, solo.world.certified), "C", signers);
    solo.hear({ type: "decide", cert });
    const another = solo.block(1, solo.world.certified, { timestampMs: 1 });
    solo.hear(solo.world.vote(solo.other(0), ballotOf(another, "C")));
    expect(solo.did("evidence")).toEqual([]);
  });

  test("is reported once", () => {
    const solo = new Solo().boot();
    const blocks = [1, 2, 3].map((timestampMs) =>
      solo.block(1, solo.world.certified, { timestampMs }),
    );
    for (const block of blocks) solo.hear(solo.world.vote(solo.other(0), ballotOf(block, "C")));
    expect(solo.all.filter(({ type }) => type === "evidence")).toHaveLength(1);
  });

  test("of more offences than are remembered is still reported", () => {
    const solo = new Solo().boot();
    for (let view = 1; view <= 1_100; view++) {
      const ballots = [1, 2].map((timestampMs) =>
        ballotOf(solo.block(view, solo.world.certified, { timestampMs }), "C"),
      );
      solo.hear({ type: "tc", tc: solo.world.timeout(view) });
      for (const ballot of ballots) solo.hear(solo.world.vote(solo.other(0), ballot));
    }
    expect(solo.all.filter(({ type }) => type === "evidence")).toHaveLength(1_100);
    expect(solo.replica.offences.size).toBe(1_024);
  });
});

describe("an alarm", () => {
  const SILENT = ["the replica", "votes no more"].join(" ");

  test(`rings when two blocks are certified in a view, names the culprits, and ${SILENT}`, () => {
    const solo = new Solo().boot();
    const [one, other] = [1, 2].map((timestampMs) =>
      solo.block(1, solo.world.certified, { timestampMs }),
    );
    if (!one || !other) throw new Error("no blocks");
    solo.hear({ type: "prepare", cert: solo.certify(one) });
    solo.hear({ type: "prepare", cert: solo.certify(other) });
    expect(solo.did("alarm")).toMatchObject([{ alarm: "safety" }]);
    expect(solo.did("evidence")).toHaveLength(3);
    solo.hear({ type: "prepare", cert: solo.certs(4)(4) });
    solo.hear(solo.propose(solo.block(5, solo.certs(4)(4)), solo.certs(4)(4)));
    expect(solo.said).toEqual([]);
    solo.hear({ type: "decide", cert: solo.certify(one, "C") });
    expect(solo.did("commit")).toEqual([]);
  });

  test.each([
    [
      "my vote",
      (solo: Solo) => solo.world.vote(solo.me, ballotOf(solo.block(3, solo.world.certified))),
    ],
    [
      "my commit vote",
      (solo: Solo) => solo.world.vote(solo.me, ballotOf(solo.block(3, solo.world.certified), "C")),
    ],
    [
      "my proposal",
      (solo: Solo) => solo.propose(solo.block(4, solo.world.certified), solo.world.certified),
    ],
    [
      "a certificate with my vote",
      (solo: Solo) => {
        const cert = solo.world.certify(solo.block(2, solo.world.certified), "P", [0, 1, 2, 3]);
        return { type: "prepare", cert } as const;
      },
    ],
  ])("rings when somebody shows me %s and my record does not know it (§4.1)", (_, forged) => {
    const solo = new Solo().boot();
    solo.hear(forged(solo));
    expect(solo.did("alarm")).toMatchObject([{ alarm: "amnesia" }]);
    expect(solo.replica.me).toBeNull();
  });

  test("of amnesia does not stop me from following", () => {
    const solo = new Solo().boot();
    const block = solo.block(3, solo.world.certified);
    solo.hear(solo.world.vote(solo.me, ballotOf(block)));
    solo.hear(solo.propose(solo.block(1, solo.world.certified), solo.world.certified));
    expect(solo.said).toEqual([]);
    solo.hear({ type: "decide", cert: solo.certify(block, "C") });
    solo.hear({ type: "blocks", blocks: [block], cert: null });
    expect(solo.did("commit")).toHaveLength(1);
  });
});
