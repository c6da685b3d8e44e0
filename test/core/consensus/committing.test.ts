import { describe, expect, test } from "bun:test";
import type { Block, Payload } from "@/core/consensus/types.ts";
import { ONE_TX, Solo } from "./solo.ts";
import { hashOf } from "./world.ts";

/** A replica that has voted for a chain of blocks, none of which is committed. */
function prepared(length: number, payload?: Payload) {
  const solo = new Solo().boot();
  const { blocks, certs } = solo.chain(length, payload);
  for (const [at, block] of blocks.entries())
    solo.hear(solo.propose(block, certs[at - 1] ?? solo.world.certified));
  return { solo, blocks, certs, block: (view: number) => blockAt(blocks, view) };
}

function blockAt(blocks: readonly Block[], view: number): Block {
  const block = blocks[view - 1];
  if (!block) throw new Error(`there is no block ${view}`);
  return block;
}

describe("a commit (§6.6)", () => {
  test("is of the certified block and all below, oldest first, with the record before it", () => {
    const { solo, blocks, block } = prepared(3);
    solo.hear({ type: "decide", cert: solo.certify(block(3), "C") });
    const [first, second] = solo.effects;
    expect(first).toMatchObject({
      type: "persist",
      lazy: false,
      durable: { commitCert: { view: 3 } },
    });
    expect(second).toMatchObject({ type: "commit", blocks });
    expect(solo.replica.blocks.size).toBe(0);
  });

  test("does not happen on a certificate that slipped past who should have verified it", () => {
    const { solo, block } = prepared(2);
    const cert = solo.certify(block(2), "C");
    const forged = { ...cert, sigs: cert.sigs.toReversed() };
    const from = solo.world.signer(solo.other(0)).publicKey;
    solo.give({ type: "message", from, message: { type: "decide", cert: forged } });
    expect(solo.did("commit")).toEqual([]);
    expect(solo.replica.committed.header.height).toBe(0);
    solo.hear({ type: "decide", cert });
    expect(solo.did("commit")).toHaveLength(1);
  });

  test("happens once per height, whatever comes again", () => {
    const { solo, block } = prepared(3);
    solo.hear({ type: "decide", cert: solo.certify(block(2), "C") });
    for (const view of [1, 2]) {
      solo.hear({ type: "decide", cert: solo.certify(block(view), "C") });
      expect(solo.effects).toEqual([]);
    }
    solo.hear({ type: "decide", cert: solo.certify(block(3), "C") });
    expect(solo.did("commit")).toMatchObject([{ blocks: [block(3)] }]);
  });

  test("waits for missing blocks, the newest certificate counts", () => {
    const solo = new Solo().boot();
    const { blocks } = solo.chain(3);
    solo.hear({ type: "decide", cert: solo.certify(blockAt(blocks, 3), "C") });
    solo.hear({ type: "decide", cert: solo.certify(blockAt(blocks, 2), "C") });
    expect(solo.did("commit")).toEqual([]);
    expect(solo.replica.uncommitted?.view).toBe(3);
    solo.hear({ type: "blocks", blocks: [...blocks].reverse(), cert: null });
    expect(solo.did("commit")).toMatchObject([{ blocks }]);
    expect(solo.replica.status).toBe("idle");
  });

  test("of another block at a committed height is an alarm", () => {
    const { solo, block } = prepared(2);
    solo.hear({ type: "decide", cert: solo.certify(block(2), "C") });
    const aside = solo.block(3, solo.world.certified);
    solo.hear({ type: "decide", cert: solo.certify(aside, "C") });
    expect(solo.did("alarm")).toMatchObject([{ alarm: "fork" }]);
  });

  test("of a block beside the committed one is an alarm", () => {
    const { solo, block } = prepared(1);
    const aside = solo.block(2, solo.world.certified);
    const above = solo.block(3, solo.certify(aside));
    solo.hear({ type: "decide", cert: solo.certify(block(1), "C") });
    solo.hear({ type: "decide", cert: solo.certify(above, "C") });
    solo.hear({ type: "blocks", blocks: [above], cert: null });
    expect(solo.did("alarm")).toMatchObject([{ alarm: "fork" }]);
    solo.hear({ type: "blocks", blocks: [aside], cert: null });
    expect(solo.all.filter(({ type }) => type === "commit")).toHaveLength(1);
  });

  test("of two branches is an alarm when both are here", () => {
    const { solo, block } = prepared(1);
    const aside = solo.block(2, solo.world.certified);
    const above = solo.block(3, solo.certify(aside));
    solo.hear({ type: "prepare", cert: solo.certify(above) });
    solo.hear({ type: "blocks", blocks: [above, aside], cert: null });
    solo.hear({ type: "decide", cert: solo.certify(above, "C") });
    expect(solo.did("commit")).toMatchObject([{ blocks: [aside, above] }]);
    solo.hear({ type: "decide", cert: solo.certify(block(1), "C") });
    expect(solo.did("alarm")).toMatchObject([{ alarm: "fork" }]);
    solo.hear({ type: "decide", cert: solo.certify(solo.block(4, solo.certify(above)), "C") });
    expect(solo.effects.filter(({ type }) => type === "commit")).toEqual([]);
  });

  test("gives the transactions of abandoned branches back (§7.4)", () => {
    const { solo, block } = prepared(1, ONE_TX);
    const other = solo.block(2, solo.world.certified);
    solo.hear({ type: "prepare", cert: solo.certify(other) });
    solo.hear({ type: "blocks", blocks: [other], cert: null });
    solo.hear({ type: "decide", cert: solo.certify(other, "C") });
    expect(solo.did("readmit")).toMatchObject([{ block: block(1) }]);
    expect(solo.replica.blocks.size).toBe(0);
  });

  test("keeps what extends it", () => {
    const { solo, block } = prepared(3);
    solo.hear({ type: "decide", cert: solo.certify(block(1), "C") });
    expect([...solo.replica.blocks.keys()]).toEqual([block(2).hash, block(3).hash]);
  });

  test("raises the commit certificate of a record that is older than the chain (§8.2)", () => {
    const solo = new Solo();
    const block = solo.block(1, solo.world.certified);
    solo.boot({ committed: block.header });
    expect(solo.replica.durable.commitCert.view).toBe(0);
    solo.hear({ type: "decide", cert: solo.certify(block, "C") });
    expect(solo.replica.durable.commitCert.view).toBe(1);
    expect(solo.did("commit")).toEqual([]);
  });
});

describe("a sync (§8.1)", () => {
  test("asks who has signed, another one first each time, and pauses longer each time", () => {
    const solo = new Solo().boot();
    const { blocks } = solo.chain(1);
    solo.hear({ type: "prepare", cert: solo.certify(blockAt(blocks, 1)) });
    const firsts = [solo.did("fetch")[0]?.from[0]];
    const pauses = [solo.replica.timers.get("fetch")?.dueAt ?? 0];
    for (let again = 0; again < 2; again++) {
      solo.fire("fetch");
      firsts.push(solo.did("fetch")[0]?.from[0]);
      pauses.push((solo.replica.timers.get("fetch")?.dueAt ?? 0) - solo.now);
    }
    expect(new Set(firsts).size).toBe(3);
    expect(firsts).not.toContain(solo.config.me);
    expect(pauses.slice(1)).toEqual([400, 800]);
  });

  test("asks the proposer first for the parent of its block", () => {
    const solo = new Solo().boot();
    const first = solo.block(1, solo.world.certified);
    const cert = solo.world.certify(
      first,
      "P",
      [solo.other(0), solo.other(1), solo.other(2)].sort(),
    );
    const second = solo.block(2, cert);
    solo.hear(solo.propose(second, cert));
    const leader = solo.world.signer(second.header.proposer).publicKey;
    expect(solo.did("fetch")[0]?.from).toContain(leader);
  });

  test.each([
    ["that nobody has asked for", (solo: Solo) => [solo.block(1, solo.world.certified)]],
    ["none", () => []],
  ])("takes no blocks: %s", (_, blocks) => {
    const solo = new Solo().boot();
    solo.hear({ type: "blocks", blocks: blocks(solo), cert: null });
    expect(solo.effects).toEqual([]);
  });

  test("takes blocks as far as each is the parent of the one before, with its payload", () => {
    const solo = new Solo().boot();
    const { blocks } = solo.chain(3, ONE_TX);
    const [first, second, third] = blocks;
    if (!first || !second || !third) throw new Error("no chain");
    solo.hear({ type: "prepare", cert: solo.certify(third) });
    const hollow = { ...second, payload: { inline: [], batches: [] } };
    solo.hear({ type: "blocks", blocks: [third, hollow, first], cert: null });
    expect(solo.did("store_block")).toMatchObject([{ block: third }]);
    expect(solo.did("fetch")).toMatchObject([{ hash: second.hash }]);
    solo.hear({ type: "blocks", blocks: [second, third], cert: null });
    expect(solo.did("store_block")).toMatchObject([{ block: second }]);
  });

  test("goes no lower than the committed block", () => {
    const { solo, blocks, block } = prepared(2);
    solo.hear({ type: "decide", cert: solo.certify(block(2), "C") });
    const fourth = solo.block(4, solo.certify(block(2)));
    solo.hear({ type: "prepare", cert: solo.certify(fourth) });
    solo.hear({ type: "blocks", blocks: [fourth, block(2), ...blocks], cert: null });
    expect(solo.did("store_block")).toMatchObject([{ block: fourth }]);
  });

  test("keeps only headers of what does not fit into memory, and commits from below (L9)", () => {
    const length = 40;
    const payload = { inline: [new Uint8Array(1_000)], batches: [] };
    const solo = new Solo(4, { orphanBytesMax: 10_000 }).boot();
    const { blocks } = solo.chain(length, payload);
    const asked = blockAt(blocks, length);
    let bytes = 0;
    solo.hear({ type: "decide", cert: solo.certify(asked, "C") });
    for (let round = 0; round < 200 && solo.replica.uncommitted; round++) {
      const [fetch] = [...solo.replica.fetching.keys()];
      const top = blocks.findIndex(({ hash }) => hash === fetch);
      const answer = blocks.slice(Math.max(0, top - 2), top + 1).reverse();
      solo.hear({ type: "blocks", blocks: answer, cert: null });
      bytes = Math.max(bytes, solo.replica.blockBytes);
    }
    expect(solo.replica.committed.header.height).toBe(length);
    expect(bytes).toBeLessThanOrEqual(10_000);
    const heights = solo.all.flatMap((effect) =>
      effect.type === "commit" ? effect.blocks.map(({ header }) => header.height) : [],
    );
    expect(heights).toEqual(Array.from({ length }, (_, at) => at + 1));
    expect(solo.replica.links.size).toBe(0);
  });

  test("makes a replica that is far behind follow only, until it is close (§8.5)", () => {
    const solo = new Solo(4, { lagMax: 10, lagOver: 4 }).boot();
    const { blocks, certs } = solo.chain(11);
    solo.work();
    solo.hear({ type: "decide", cert: solo.certify(blockAt(blocks, 11), "C") });
    expect(solo.replica.isCatchingUp).toBe(true);
    solo.hear({
      type: "prepare",
      cert: solo.certify(solo.block(12, certs[10] ?? solo.world.certified)),
    });
    expect(solo.said).toContain("commit_vote");
    solo.hear({ type: "blocks", blocks: blocks.toReversed(), cert: null });
    expect(solo.replica.isCatchingUp).toBe(false);
    expect(solo.did("trace")).toMatchObject([{ what: "caught up" }]);
  });
});

describe("memory has a bound (L9)", () => {
  test("for blocks that nothing leads to: 4n, the newest", () => {
    const solo = new Solo().boot();
    for (let view = 1; view <= 60; view++) {
      solo.hear({ type: "tc", tc: solo.world.timeout(view) });
      if (solo.leader(view) === solo.me) continue;
      const block = solo.block(view, solo.world.certified, { timestampMs: solo.now }, ONE_TX);
      solo.hear(solo.propose(block, solo.world.certified));
    }
    expect(solo.replica.blocks.size).toBeLessThanOrEqual(33);
    expect(solo.all.some(({ type }) => type === "readmit")).toBe(true);
    const views = [...solo.replica.blocks.values()].map(({ block }) => block.header.view);
    expect(views).toContain(59);
  });

  test("for everything, under a flood", () => {
    const solo = new Solo().boot();
    const { certified } = solo.world;
    const sizes: number[] = [];
    for (let view = 1; view <= 200; view++) {
      solo.now += 1;
      for (const at of [0, 1, 2]) {
        const signer = solo.other(at);
        const block = solo.block(view + 4, certified, { timestampMs: at });
        const { header, hash } = block;
        for (const kind of ["P", "C"] as const)
          solo.hear(solo.world.vote(signer, { ...header, kind, block: hash }));
        solo.hear(solo.wish(signer, view * 1_000 + at), signer);
        solo.hear(solo.newView(signer, view + 4, certified), signer);
        solo.hear(solo.status({ view: view + 2 ** 40 }), signer);
      }
      solo.hear({ type: "tc", tc: solo.world.timeout(Math.max(view, solo.replica.view + 1)) });
      sizes.push(memoryOf(solo));
    }
    expect(Math.max(...sizes.slice(100))).toBeLessThanOrEqual(
      Math.max(...sizes.slice(0, 100)) + 20,
    );
  });

  test("for answers remembered and executions remembered", () => {
    const solo = new Solo().boot();
    for (let peer = 0; peer < 1_200; peer++) {
      const from = peer.toString(16).padStart(64, "0") as typeof solo.config.me;
      solo.give({ type: "message", from, message: solo.status({ epoch: 2 }) });
    }
    expect(solo.replica.answered.size).toBe(1_024);
    for (let height = 1; height <= 5_000; height++)
      solo.give({ type: "executed", height, root: hashOf(1), pendingValidators: null });
    expect(solo.replica.executions.size).toBe(4_096);
    solo.give({ type: "executed", height: 1, root: hashOf(2), pendingValidators: null });
    expect(solo.replica.executed.height).toBe(5_000);
  });
});

function memoryOf({ replica }: Solo): number {
  const { votes, commitVotes, certs, proposals, wishes, newViews, blocks, links, answered } =
    replica;
  const nested = [votes, commitVotes, newViews].flatMap((map) => [...map.values()]);
  const maps = [certs, proposals, wishes, blocks, links, answered, ...nested];
  return maps.reduce((size, map) => size + map.size, 0);
}
