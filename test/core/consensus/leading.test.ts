import { describe, expect, test } from "bun:test";
import { EMPTY_PAYLOAD } from "@/core/consensus/block.ts";
import type { Config } from "@/core/consensus/config.ts";
import { type Cert, NO_HASH } from "@/core/consensus/types.ts";
import { ONE_TX, Solo } from "./solo.ts";

/** A replica that leads view 2 or a later one and has entered it by timeout, with work. */
function timedOut(changed: Partial<Config> = {}): { solo: Solo; view: number } {
  const solo = new Solo(4, changed).boot();
  const view = solo.viewOf(solo.me, 1);
  solo.work();
  solo.hear({ type: "tc", tc: solo.world.timeout(view) });
  return { solo, view };
}

/** A replica that leads the view after a certified chain whose bodies it has. */
function leading(changed: Partial<Config> = {}, work = true) {
  const solo = new Solo(4, changed).boot();
  const view = solo.viewOf(solo.me, 1);
  const { blocks, certs } = solo.chain(view - 1);
  if (work) solo.work();
  for (const [at, block] of blocks.entries()) {
    const justify = certs[at - 1] ?? solo.world.certified;
    solo.hear(solo.propose(block, justify));
  }
  const high = certs.at(-1) ?? solo.world.certified;
  solo.hear({ type: "prepare", cert: high });
  return { solo, view, high, blocks, certs };
}

const ready = { type: "payload_ready", payload: ONE_TX, evidenceRoot: NO_HASH } as const;

describe("a leader (§6.3)", () => {
  test("with the certificate of the view before asks for a payload at once and proposes it", () => {
    const { solo, view, high } = leading();
    expect(solo.did("build_payload")).toMatchObject([{ view, parent: high.block }]);
    solo.give({ ...ready, view });
    const [store, persist, send] = solo.effects;
    expect([store?.type, persist?.type]).toEqual(["store_block", "persist"]);
    const token = persist?.type === "persist" ? persist.token : null;
    expect(send).toMatchObject({ type: "send", to: "all", after: token });
    expect(solo.sent("proposal")).toMatchObject([{ justify: high, entry: null }]);
  });

  test("proposes once in a view", () => {
    const { solo, view } = leading();
    solo.give({ ...ready, view });
    solo.give({ ...ready, view });
    solo.work();
    expect(solo.said).toEqual([]);
  });

  test("takes no payload for another view", () => {
    const { solo, view } = leading();
    solo.give({ ...ready, view: view + 4 });
    expect(solo.said).toEqual([]);
  });

  test("without that certificate waits for P_pc + Δ, and shows what brought it here", () => {
    const { solo, view } = timedOut();
    expect(solo.did("build_payload")).toEqual([]);
    expect(solo.replica.timers.get("leader_wait")?.dueAt).toBe(solo.now + 200);
    solo.fire("leader_wait");
    expect(solo.did("build_payload")).toMatchObject([{ view }]);
    solo.give({ ...ready, view });
    expect(solo.sent("proposal")).toMatchObject([{ entry: { view } }]);
  });

  test("of a large committee waits for 3Δ", () => {
    const { solo } = timedOut({ commitFanoutMax: 3 });
    expect(solo.replica.timers.get("leader_wait")?.dueAt).toBe(solo.now + 300);
  });

  test("waits no longer when everybody has said what it knows, and no less", () => {
    const { solo, view } = timedOut();
    for (const signer of [solo.other(0), solo.other(1)])
      solo.hear(solo.newView(signer, view, solo.world.certified), signer);
    expect(solo.did("build_payload")).toEqual([]);
    solo.hear(solo.newView(solo.other(2), view, solo.world.certified), solo.other(2));
    expect(solo.did("build_payload")).toMatchObject([{ view }]);
  });

  test("hears a NewView only from its signer", () => {
    const { solo, view } = timedOut();
    for (const at of [0, 1, 2]) solo.hear(solo.newView(solo.other(at), view, solo.world.certified));
    expect(solo.did("build_payload")).toEqual([]);
  });

  test("waits no longer when the certificate of the view before comes", () => {
    const { solo, view } = timedOut();
    const cert = solo.certify(solo.block(view - 1, solo.world.certified, {}, ONE_TX));
    const { header } = solo.block(view - 1, solo.world.certified, {}, ONE_TX);
    solo.hear(solo.newView(solo.other(0), view, cert, header));
    expect(solo.did("fetch")).toMatchObject([{ hash: cert.block }]);
    expect(solo.replica.lead?.stage).toBe("fetching");
  });

  test("without the body of the parent proposes an empty block on its header after Δ", () => {
    const { solo, view } = timedOut();
    const parent = solo.block(view - 1, solo.world.certified, { execHeight: 0 }, ONE_TX);
    solo.hear(solo.newView(solo.other(0), view, solo.certify(parent), parent.header));
    expect(solo.replica.timers.get("leader_wait")?.dueAt).toBe(solo.now + 100);
    solo.fire("leader_wait");
    const [proposal] = solo.sent("proposal");
    expect(proposal?.block.payload).toEqual(EMPTY_PAYLOAD);
    expect(proposal?.block.header).toMatchObject({ parent: parent.hash, execHeight: 0 });
  });

  test("without even the header of the parent says nothing", () => {
    const { solo, view } = timedOut();
    const parent = solo.block(view - 1, solo.world.certified, {}, ONE_TX);
    solo.hear(solo.newView(solo.other(0), view, solo.certify(parent)));
    expect(solo.said).not.toContain("proposal");
    expect(solo.did("fetch")).toMatchObject([{ hash: parent.hash }]);
  });

  test("takes the body of the parent when it comes in time", () => {
    const { solo, view } = timedOut();
    const parent = solo.block(view - 1, solo.world.certified, {}, ONE_TX);
    solo.hear(solo.newView(solo.other(0), view, solo.certify(parent), parent.header));
    solo.hear({ type: "blocks", blocks: [parent], cert: null });
    expect(solo.did("build_payload")).toMatchObject([{ view, parent: parent.hash }]);
  });

  test("begins again when a higher certificate comes while the payload is built", () => {
    const { solo, view } = timedOut();
    solo.fire("leader_wait");
    const { blocks, certs } = solo.chain(1);
    const [parent] = blocks;
    const [cert] = certs;
    if (!parent || !cert) throw new Error("no chain");
    solo.hear({ type: "prepare", cert });
    solo.hear({ type: "blocks", blocks: [parent], cert: null });
    expect(solo.did("build_payload")).toMatchObject([{ parent: parent.hash }]);
    solo.give({ ...ready, view });
    expect(solo.sent("proposal")).toMatchObject([{ justify: cert }]);
  });

  test("forgets a payload whose parent is no longer the highest", () => {
    const { solo, view } = timedOut();
    solo.fire("leader_wait");
    const { certs } = solo.chain(1);
    solo.hear({ type: "prepare", cert: certs[0] as Cert });
    solo.give({ ...ready, view });
    expect(solo.said).not.toContain("proposal");
  });

  test("has nothing to say when there is no payload, until there is work again", () => {
    const { solo, view } = leading();
    solo.give({ ...ready, view, payload: null });
    expect(solo.said).toEqual([]);
    solo.give({ type: "clock_health", ok: true });
    expect(solo.did("build_payload")).toEqual([]);
    solo.work();
    expect(solo.did("build_payload")).toMatchObject([{ view }]);
  });

  test("waits for the block before to grow old", () => {
    const { solo } = leading({ blockIntervalMsMin: 500 });
    expect(solo.did("build_payload")).toEqual([]);
    solo.fire("block_interval");
    expect(solo.did("build_payload")).toHaveLength(1);
  });

  test("proposes an empty block, and not too soon, while the application is far behind (§10.4)", () => {
    const { solo } = leading({ unexecutedMax: 0 });
    expect(solo.did("build_payload")).toEqual([]);
    solo.fire("block_interval");
    expect(solo.sent("proposal")).toMatchObject([{ block: { payload: EMPTY_PAYLOAD } }]);
  });

  test.each([
    [1, 100],
    [2, 200],
    [3, 300],
    [4, 300],
  ])(
    "after %d proposals without a quorum lets blocks grow %d ms old, if τ0 allows (§8.5)",
    (fails, ms) => {
      const solo = new Solo().boot();
      let view = solo.viewOf(solo.me, 1);
      solo.work();
      for (let failed = 0; failed < fails; failed++, view += 4) {
        solo.hear({ type: "tc", tc: solo.world.timeout(view) });
        solo.fire("leader_wait");
        solo.give({ ...ready, view });
        solo.hear({ type: "tc", tc: solo.world.timeout(view + 1) });
      }
      const justify = solo.world.certified;
      const block = solo.block(view - 1, justify, { timestampMs: solo.now });
      solo.hear({ type: "tc", tc: solo.world.timeout(view - 1) });
      solo.hear(solo.propose(block, justify));
      solo.hear({ type: "prepare", cert: solo.certify(block) });
      expect(solo.replica.timers.get("block_interval")?.dueAt).toBe(solo.now + ms);
    },
  );

  test("proposes a heartbeat when it has been idle for as long as it is told to", () => {
    const solo = new Solo(4, { idleMsMax: 60_000 }).boot();
    solo.hear({ type: "tc", tc: solo.world.timeout(solo.viewOf(solo.me, 1)) });
    expect(solo.replica.status).toBe("idle");
    solo.fire("idle_block");
    expect(solo.replica.status).toBe("active");
    solo.fire("leader_wait");
    expect(solo.sent("proposal")).toMatchObject([{ block: { payload: EMPTY_PAYLOAD } }]);
  });
});

describe("the tail (§7.4)", () => {
  test("is given 2Δ for its commit votes, then one empty block", () => {
    const { solo } = leading({}, false);
    expect(solo.said).not.toContain("proposal");
    solo.fire("commit_grace");
    expect(solo.sent("proposal")).toMatchObject([{ block: { payload: EMPTY_PAYLOAD } }]);
  });

  test("is left alone when it is committed in that time", () => {
    const { solo, blocks } = leading({}, false);
    const last = blocks.at(-1);
    if (!last) throw new Error("no chain");
    solo.hear({ type: "decide", cert: solo.certify(last, "C") });
    expect(solo.replica.status).toBe("idle");
    expect([...solo.replica.timers.keys()]).toEqual(["status"]);
  });
});
