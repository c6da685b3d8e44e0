import { describe, expect, test } from "bun:test";
import { EMPTY_PAYLOAD, newBlock } from "@/core/consensus/block.ts";
import type { Proposal } from "@/core/consensus/messages.ts";
import type { Header, Payload } from "@/core/consensus/types.ts";
import { ONE_TX, Solo } from "./solo.ts";
import { hashOf } from "./world.ts";

/** A replica in view 1, and a proposal for it. */
function offered(changed: Partial<Header> = {}, payload?: Payload): Solo {
  const solo = new Solo().boot();
  const justify = solo.world.certified;
  solo.hear(solo.propose(solo.block(1, justify, changed, payload), justify));
  return solo;
}

const T = 1_700_000_000_000;

describe("a proposal (§6.4)", () => {
  test("gets a vote to its leader, when block and record are on disk", () => {
    const solo = offered({}, ONE_TX);
    const [store, persist, send] = solo.effects;
    expect([store?.type, persist?.type, send?.type]).toEqual(["store_block", "persist", "send"]);
    const key = solo.world.signer(solo.leader(1)).publicKey;
    const token = persist?.type === "persist" ? persist.token : -1;
    expect(send).toMatchObject({ to: [key], after: token, message: { type: "vote", kind: "P" } });
  });

  test.each<[string, Partial<Header>]>([
    ["of another chain (V9)", { chainId: hashOf(9) }],
    ["that is not its payload's (V9)", { txCount: 1 }],
    ["that is too large (V9)", { payloadBytes: (1 << 20) + 1 }],
    ["with too many transactions (V9)", { txCount: 5_001 }],
    ["that is no later than its parent (§10.5)", { timestampMs: T }],
    ["with a set nobody wants (§10.3)", { nextValidatorsHash: hashOf(9) }],
    ["that closes what is not ending (§10.3)", { closing: hashOf(9) }],
    ["with another root than its parent's (§10.4)", { execRoot: hashOf(9) }],
    ["of another height (V2)", { height: 5 }],
    ["with another justify view (V2)", { justifyView: 1 }],
    ["on another parent than its justify's (V2)", { parent: hashOf(9) }],
  ])("of a block %s gets none, ever", (_, changed) => {
    const solo = offered(changed);
    expect(solo.said).toEqual([]);
    solo.now += 100_000;
    solo.give({ type: "executed", height: 1, root: hashOf(9), pendingValidators: null });
    expect(solo.said).toEqual([]);
  });

  test.each<[string, (solo: Solo, proposal: Proposal) => Proposal]>([
    [
      "another payload",
      (_, proposal) => ({ ...proposal, block: { ...proposal.block, payload: EMPTY_PAYLOAD } }),
    ],
    ["another justify", (solo, proposal) => ({ ...proposal, justify: solo.certs(1)(1) })],
  ])("whose copy with %s came first gets its vote all the same", (_, spoil) => {
    const solo = new Solo().boot();
    solo.hear({ type: "tc", tc: solo.world.timeout(2) });
    const { certified } = solo.world;
    const block = solo.block(2, certified, {}, ONE_TX);
    const proposal = solo.propose(block, certified) as Proposal;
    const spoilt = spoil(solo, proposal);
    solo.hear(spoilt);
    expect(solo.said).not.toContain("vote");
    expect(solo.replica.view).toBe(2);
    solo.hear(proposal);
    expect(solo.sent("vote")).toMatchObject([{ view: 2, block: block.hash }]);
    expect(solo.did("store_block")).toMatchObject([{ block }]);
    expect(solo.did("evidence")).toEqual([]);
    solo.hear(spoilt);
    expect(solo.replica.proposals.get(2)?.first).toBe(proposal);
  });

  test("whose copy with another payload came first is not stored with it when it is certified", () => {
    const solo = new Solo().boot();
    const { certified } = solo.world;
    const block = solo.block(1, certified, {}, ONE_TX);
    const proposal = solo.propose(block, certified) as Proposal;
    solo.hear({ ...proposal, block: { ...block, payload: EMPTY_PAYLOAD } });
    solo.hear({ type: "prepare", cert: solo.certify(block) });
    expect(solo.did("store_block")).toEqual([]);
    expect(solo.did("fetch")).toMatchObject([{ hash: block.hash }]);
    solo.hear(proposal);
    expect(solo.did("store_block")).toMatchObject([{ block }]);
  });

  test("from somebody who does not lead is dropped (V1)", () => {
    const solo = new Solo().boot();
    const justify = solo.world.certified;
    const block = solo.block(1, justify, { proposer: solo.other(1) });
    const message = solo.propose(block, justify);
    const from = solo.world.signer(solo.other(1)).publicKey;
    solo.give({ type: "message", from, message });
    expect(solo.said).toEqual([]);
    expect(solo.replica.proposals.size).toBe(0);
  });

  test("of a later view waits for it, but not of one too far away (V4)", () => {
    const solo = new Solo().boot();
    const { certified } = solo.world;
    solo.hear(solo.propose(solo.block(9, certified), certified));
    solo.hear(solo.propose(solo.block(10, certified), certified));
    expect([...solo.replica.proposals.keys()]).toEqual([9]);
    solo.hear({ type: "tc", tc: solo.world.timeout(9) });
    expect(solo.said).toContain("vote");
  });

  test("of a view I have left is dropped (V4)", () => {
    const solo = new Solo().boot();
    solo.hear({ type: "tc", tc: solo.world.timeout(3) });
    solo.hear(solo.propose(solo.block(2, solo.world.certified), solo.world.certified));
    expect(solo.said).toEqual([]);
  });

  test("of a view I have left brings its body, when it was certified (V4)", () => {
    const solo = new Solo().boot();
    const block = solo.block(1, solo.world.certified);
    solo.hear({ type: "prepare", cert: solo.certify(block) });
    expect(solo.did("fetch")).toMatchObject([{ hash: block.hash }]);
    solo.hear(solo.propose(block, solo.world.certified));
    expect(solo.did("store_block")).toHaveLength(1);
  });

  test("that came before its time brings its body when it is certified", () => {
    const solo = new Solo().boot();
    const block = solo.block(3, solo.world.certified);
    solo.hear(solo.propose(block, solo.world.certified));
    solo.hear({ type: "prepare", cert: solo.certify(block) });
    expect(solo.did("store_block")).toMatchObject([{ block }]);
    expect(solo.did("fetch")).toEqual([]);
  });

  test("is the only one of its view: another is evidence (V5)", () => {
    const solo = offered();
    const another = solo.block(1, solo.world.certified, { timestampMs: T + 50 });
    solo.hear(solo.propose(another, solo.world.certified));
    expect(solo.said).toEqual([]);
    expect(solo.did("evidence")).toMatchObject([{ evidence: { type: "double_proposal" } }]);
    solo.hear(solo.propose(another, solo.world.certified));
    expect(solo.did("evidence")).toEqual([]);
  });

  test("of a view I have left gets no vote, but another one is evidence", () => {
    const solo = new Solo().boot();
    solo.hear({ type: "tc", tc: solo.world.timeout(3) });
    for (const timestampMs of [T, T + 50])
      solo.hear(
        solo.propose(solo.block(1, solo.world.certified, { timestampMs }), solo.world.certified),
      );
    expect(solo.did("evidence")).toMatchObject([{ evidence: { type: "double_proposal" } }]);
    expect(solo.all.filter(({ type }) => type === "persist")).toHaveLength(1);
    expect(solo.replica.durable.lastVotedView).toBe(0);
  });

  test("that comes again asks for my vote again (V6)", () => {
    const solo = offered();
    const [first] = solo.sent("vote");
    solo.hear(solo.propose(solo.block(1, solo.world.certified), solo.world.certified));
    expect(solo.sent("vote")).toEqual(first ? [first] : []);
    expect(solo.did("persist")).toEqual([]);
  });

  test("below my lock gets none (V7)", () => {
    const solo = new Solo().boot();
    solo.hear({ type: "prepare", cert: solo.certs(1)(1) });
    solo.hear(solo.propose(solo.block(2, solo.world.certified), solo.world.certified));
    expect(solo.did("trace")).toMatchObject([{ what: "below_lock" }]);
    expect(solo.said).toEqual([]);
  });

  test("gets its vote when its ancestors have come (V8)", () => {
    const solo = new Solo().boot();
    const { blocks, certs } = solo.chain(3);
    const [first, second, third] = blocks;
    if (!first || !second || !third || !certs[1]) throw new Error("the chain is too short");
    solo.hear(solo.propose(third, certs[1]));
    expect(solo.did("fetch")).toMatchObject([{ hash: second.hash, untilHeight: 0 }]);
    solo.hear({ type: "blocks", blocks: [second], cert: null });
    expect(solo.did("fetch")).toMatchObject([{ hash: first.hash }]);
    solo.hear({ type: "blocks", blocks: [first], cert: null });
    expect(solo.said).toEqual(["vote"]);
  });

  test.each([
    ["at the committed height", 1],
    ["below it", 2],
  ])("beside the committed block, %s, gets none (V8)", (_, committed) => {
    const solo = new Solo().boot();
    const { blocks, certs } = solo.chain(committed);
    for (const [at, block] of blocks.entries())
      solo.hear(solo.propose(block, certs[at - 1] ?? solo.world.certified));
    const last = blocks.at(-1);
    if (!last) throw new Error("no chain");
    const aside = solo.block(committed + 1, solo.world.certified);
    const cert = solo.certify(aside);
    solo.hear({ type: "decide", cert: solo.certify(last, "C") });
    const entry = solo.world.timeout(committed + 2);
    solo.hear(solo.propose(solo.block(committed + 2, cert), cert, entry));
    expect(solo.said).not.toContain("vote");
  });

  test("of a block beside the committed one, with its body, gets none (V8)", () => {
    const solo = new Solo().boot();
    const [block] = solo.chain(1).blocks;
    if (!block) throw new Error("no chain");
    const aside = solo.block(2, solo.world.certified);
    const cert = solo.certify(aside);
    solo.hear(solo.propose(block, solo.world.certified));
    solo.hear({ type: "prepare", cert });
    solo.hear({ type: "decide", cert: solo.certify(block, "C") });
    solo.hear({ type: "blocks", blocks: [aside], cert: null });
    const grand = solo.block(3, cert);
    solo.hear(solo.propose(grand, cert));
    expect(solo.said).not.toContain("vote");
  });

  test("with batches gets its vote when the disk has them (V10)", () => {
    const solo = offered({}, { inline: [], batches: [hashOf(3)] });
    expect(solo.said).toEqual([]);
    const [store] = solo.did("store_block");
    if (!store) throw new Error("it is not stored");
    solo.give({ type: "block_stored", hash: hashOf(9) });
    expect(solo.said).toEqual([]);
    solo.give({ type: "block_stored", hash: store.block.hash });
    expect(solo.said).toEqual(["vote"]);
  });

  test("gets none from an observer", () => {
    const solo = new Solo(4, { role: "observer" }).boot();
    solo.hear(solo.propose(solo.block(1, solo.world.certified), solo.world.certified));
    expect(solo.effects).toEqual([]);
  });
});

describe("the time of a block (§10.5)", () => {
  test.each([
    ["now", T + 100, true],
    ["as far ahead as may be", T + 100 + 2_100, true],
    ["a minute ago", T + 1, true],
  ])("%s is fine", (_, timestampMs, isFine) => {
    expect(offered({ timestampMs }).said.includes("vote")).toBe(isFine);
  });

  test("too far ahead holds the vote until it is not", () => {
    const solo = offered({ timestampMs: T + 100 + 2_600 }, ONE_TX);
    expect(solo.said).toEqual([]);
    expect(solo.replica.timers.get("held_proposal")?.dueAt).toBe(solo.now + 500);
    solo.fire("held_proposal");
    expect(solo.said).toEqual(["vote"]);
  });

  test("in a thousand years sets no timer that no clock can hold", () => {
    const solo = offered({ timestampMs: T + 1_000 * 365 * 86_400_000 }, ONE_TX);
    const { timeoutMsMax } = solo.config;
    for (let round = 0; round < 3; round++) {
      const [set] = solo.did("set_timer").filter(({ timer }) => timer === "held_proposal");
      expect(set?.ms).toBe(timeoutMsMax);
      solo.fire("held_proposal");
    }
    expect(solo.said).toEqual([]);
  });

  test.each([
    ["long ago is refused", { timestampMs: T + 5 }, true, false],
    ["long ago is taken by who has no clock", { timestampMs: T + 5 }, false, true],
    ["far ahead is taken by who has no clock", { timestampMs: T + 999_999_999 }, false, true],
    ["after the year 9999 is refused by all", { timestampMs: 2 ** 52 }, false, false],
    ["right after the parent always passes", { timestampMs: T + 1 }, true, true],
  ])("%s", (_, changed, isHealthy, isFine) => {
    const solo = new Solo().boot();
    solo.give({ type: "clock_health", ok: isHealthy });
    solo.now += 120_000;
    const justify = solo.world.certified;
    solo.hear(solo.propose(solo.block(1, justify, changed), justify));
    expect(solo.said.includes("vote")).toBe(isFine);
  });
});

describe("the executed height of a block (§10.4)", () => {
  /** A replica that has committed block 1, and the proposal of a block 3 that names height 1. */
  function naming(execRoot = hashOf(0xaa), execHeight = 1): Solo {
    const solo = new Solo().boot();
    const { blocks, certs } = solo.chain(2);
    const [first, second] = blocks;
    if (!first || !second || !certs[0] || !certs[1]) throw new Error("the chain is too short");
    solo.hear(solo.propose(first, solo.world.certified));
    solo.hear(solo.propose(second, certs[0], null, solo.certify(first, "C")));
    solo.hear(solo.propose(solo.block(3, certs[1], { execHeight, execRoot }), certs[1]));
    return solo;
  }

  test("is voted for when it is mine", () => {
    const solo = naming();
    expect(solo.said).not.toContain("vote");
    solo.give({ type: "executed", height: 1, root: hashOf(0xaa), pendingValidators: null });
    expect(solo.said).toEqual(["vote"]);
  });

  test("is refused with another root", () => {
    const solo = naming();
    solo.give({ type: "executed", height: 1, root: hashOf(0xab), pendingValidators: null });
    expect(solo.said).toEqual([]);
    expect(solo.replica.halted).toBeNull();
  });

  test.each([
    ["is voted for when it was mine before a restart", hashOf(0xaa), true],
    ["is refused with another root than mine was then", hashOf(0xab), false],
  ])("%s", (_, execRoot, isFine) => {
    const solo = new Solo();
    const { blocks, certs } = solo.chain(2);
    const [, second] = blocks;
    if (!second || !certs[1]) throw new Error("the chain is too short");
    const executionAt = (height: number) => ({
      height,
      root: hashOf(0xa9 + height),
      pendingValidators: null,
    });
    const executedBefore = [executionAt(0), executionAt(1)];
    solo.boot({ committed: second.header, executed: executionAt(2), executedBefore });
    solo.hear(solo.propose(solo.block(3, certs[1], { execHeight: 1, execRoot }), certs[1]));
    expect(solo.said.includes("vote")).toBe(isFine);
    expect(solo.replica.executed.height).toBe(2);
  });

  test("waits while it is above what I have committed", () => {
    const solo = naming(hashOf(0xaa), 2);
    solo.give({ type: "executed", height: 2, root: hashOf(0xaa), pendingValidators: null });
    expect(solo.said).toEqual([]);
  });

  test("is refused below the parent's", () => {
    const solo = new Solo().boot();
    solo.give({ type: "executed", height: 0, root: hashOf(1), pendingValidators: null });
    const first = solo.block(1, solo.world.certified, { execHeight: 4 });
    const cert = solo.certify(first);
    solo.hear({ type: "prepare", cert });
    solo.hear({ type: "blocks", blocks: [first], cert: null });
    solo.hear(solo.propose(solo.block(2, cert, { execHeight: 3 }), cert));
    expect(solo.did("trace")).toHaveLength(1);
  });

  test("that a quorum has certified with another root than mine stops me", () => {
    const solo = naming();
    const { replica } = solo;
    const header = replica.proposals.get(3)?.first.block;
    if (!header) throw new Error("there is no proposal");
    solo.hear({ type: "prepare", cert: solo.certify(newBlock(header.header, header.payload)) });
    solo.give({ type: "executed", height: 1, root: hashOf(0xab), pendingValidators: null });
    expect(solo.did("alarm")).toMatchObject([{ alarm: "divergence" }]);
    solo.hear(solo.propose(solo.block(4, solo.certify(header)), solo.certify(header)));
    expect(solo.said).toEqual([]);
  });
});
