import { describe, expect, test } from "bun:test";
import { Cluster } from "#test/support/replica-cluster.ts";
import { type Block, NO_HASH } from "@/core/consensus/types.ts";
import { ONE_TX, Solo } from "./solo.ts";

const ready = { type: "payload_ready", payload: ONE_TX, evidenceRoot: NO_HASH } as const;

describe("a restart (§8.2)", () => {
  test.each([
    [
      "the highest certificate",
      (solo: Solo) => solo.hear({ type: "prepare", cert: solo.certs(5)(5) }),
      6,
    ],
    [
      "the highest timeout",
      (solo: Solo) => solo.hear({ type: "tc", tc: solo.world.timeout(7) }),
      7,
    ],
    [
      "the last vote",
      (solo: Solo) =>
        solo.hear(solo.propose(solo.block(1, solo.world.certified), solo.world.certified)),
      1,
    ],
  ])("goes on in the view of %s", (_, play, view) => {
    const solo = new Solo().boot();
    play(solo);
    solo.boot({ durable: solo.replica.durable });
    expect(solo.replica).toMatchObject({ view, enteredBy: "boot" });
  });

  test("says again what it has said, then where it is", () => {
    const solo = new Solo().boot();
    solo.hear(solo.propose(solo.block(1, solo.world.certified), solo.world.certified));
    const [vote] = solo.sent("vote");
    solo.boot({ durable: solo.replica.durable });
    expect(solo.said).toEqual(["vote", "new_view", "status"]);
    expect(solo.sent("vote")).toEqual(vote ? [vote] : []);
    expect(solo.did("send").every(({ after }) => after === null)).toBe(true);
  });

  test("of a leader sends the stored proposal again, never another one", () => {
    const solo = new Solo().boot();
    solo.work();
    solo.hear({ type: "tc", tc: solo.world.timeout(4) });
    solo.fire("leader_wait");
    solo.give({ ...ready, view: 4 });
    const [proposal] = solo.sent("proposal");
    if (!proposal) throw new Error("nothing was proposed");
    solo.boot({ durable: solo.replica.durable, blocks: [proposal.block] });
    expect(solo.sent("proposal")).toEqual([proposal]);
    expect(solo.said).toContain("tc");
    solo.work();
    solo.fire("resend");
    expect(solo.sent("proposal")).toEqual([proposal]);
    expect(solo.did("build_payload")).toEqual([]);
  });

  test.each([
    ["whose block was lost", false, 4],
    ["that has left its view", true, 5],
  ])("of a leader %s is silent", (_, hasBlock, view) => {
    const solo = new Solo().boot();
    solo.work();
    solo.hear({ type: "tc", tc: solo.world.timeout(4) });
    solo.fire("leader_wait");
    solo.give({ ...ready, view: 4 });
    const [proposal] = solo.sent("proposal");
    if (!proposal) throw new Error("nothing was proposed");
    if (view === 5) solo.hear({ type: "tc", tc: solo.world.timeout(5) });
    solo.boot({ durable: solo.replica.durable, blocks: hasBlock ? [proposal.block] : [] });
    expect(solo.said).not.toContain("proposal");
  });

  test("of a leader shows the timeout certificate that it entered by, and waits again", () => {
    const solo = new Solo().boot();
    solo.hear({ type: "tc", tc: solo.world.timeout(4) });
    solo.boot({ durable: solo.replica.durable });
    solo.work();
    expect(solo.said).toEqual(["tc"]);
    expect(solo.replica.timers.has("leader_wait")).toBe(true);
  });

  test("commits what its record covers and its chain does not", () => {
    const solo = new Solo().boot();
    const block = solo.block(1, solo.world.certified, {}, ONE_TX);
    solo.hear(solo.propose(block, solo.world.certified));
    solo.hear({ type: "decide", cert: solo.certify(block, "C") });
    solo.boot({ durable: solo.replica.durable, blocks: [block] });
    expect(solo.did("commit")).toMatchObject([{ blocks: [block] }]);
    expect(solo.did("store_block")).toEqual([]);
  });

  test("goes on with a commit that had to wait for blocks", () => {
    const solo = new Solo().boot();
    const { blocks } = solo.chain(2);
    const cert = solo.certify(blocks[1] as Block, "C");
    solo.hear({ type: "decide", cert });
    solo.boot({ durable: solo.replica.durable, blocks: blocks.slice(1) });
    expect(solo.replica.uncommitted).toEqual(cert);
    expect(solo.did("fetch")).toMatchObject([{ hash: blocks[0]?.hash }]);
    solo.hear({ type: "blocks", blocks: blocks.slice(0, 1), cert: null });
    expect(solo.did("commit")).toMatchObject([{ blocks }]);
  });

  test("without a record makes an observer that writes none (§4.1)", () => {
    const solo = new Solo().boot({ durable: null });
    const block = solo.block(1, solo.world.certified);
    solo.hear(solo.propose(block, solo.world.certified));
    solo.hear({ type: "prepare", cert: solo.certify(block) });
    solo.hear({ type: "decide", cert: solo.certify(block, "C") });
    expect(solo.did("commit")).toHaveLength(1);
    expect(solo.all.filter(({ type }) => type === "persist")).toEqual([]);
    expect(solo.said).toEqual([]);
  });
});

describe("an observer (§8.4)", () => {
  test("follows, and says nothing but where it is", () => {
    const cluster = new Cluster(5, {}, 4).start();
    for (let at = 0; at < 5; at++) cluster.submit(Uint8Array.of(at));
    cluster.advance(20_000);
    const { chain, effects } = cluster.host(4);
    expect(chain.length).toBe(6);
    const said = effects.flatMap((one) => (one.type === "send" ? one.message.type : []));
    expect(new Set(said)).toEqual(new Set(["status"]));
  });
});

describe("committees of every size (section 1)", () => {
  test.each([1, 2, 3, 4, 5, 7, 16, 17, 34])("%d replicas commit, then rest", (n) => {
    const cluster = new Cluster(n).start();
    for (let at = 0; at < 4; at++) cluster.submit(Uint8Array.of(at));
    cluster.advance(5_000);
    for (const { chain, replica, timers } of cluster.hosts) {
      expect(chain.length).toBe(5);
      expect(replica.status).toBe("idle");
      expect([...timers.keys()]).toEqual(["status"]);
    }
  });

  test("a hundred replicas commit", () => {
    const cluster = new Cluster(100, { syncPeriod: 34 }).start();
    cluster.submit(Uint8Array.of(1));
    expect(new Set(cluster.hosts.map(({ chain }) => chain.length))).toEqual(new Set([2]));
  });

  test.each([
    [4, 1],
    [4, 2],
    [7, 3],
    [34, 12],
  ])("%d replicas with spans of %d go on without a dead one", (n, syncPeriod) => {
    const cluster = new Cluster(n, { syncPeriod }).start();
    cluster.passes = ({ from, to }) => from !== 1 && to !== 1;
    for (let at = 0; at < 3; at++) cluster.submit(Uint8Array.of(at)).advance(20_000);
    const alive = cluster.hosts.filter((_, at) => at !== 1);
    for (const { chain, replica } of alive) {
      expect(chain.flatMap(({ payload }) => payload.inline)).toHaveLength(3);
      expect(replica.status).toBe("idle");
    }
  });
});
