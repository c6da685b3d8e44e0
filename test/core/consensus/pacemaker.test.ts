import { describe, expect, test } from "bun:test";
import { Cluster } from "#test/support/replica-cluster.ts";
import { isWellFormedTC } from "@/core/consensus/certificates.ts";
import { ONE_TX, Solo } from "./solo.ts";

describe("a view timer (§7.2, §7.4)", () => {
  test("runs only while there is work", () => {
    const solo = new Solo().boot();
    expect(solo.replica.timers.has("view")).toBe(false);
    solo.work();
    expect(solo.did("set_timer")).toMatchObject([
      { timer: "view", ms: 1_000 },
      { timer: "resend", ms: 200 },
    ]);
    solo.work(false);
    expect(solo.did("cancel_timer").map(({ timer }) => timer)).toEqual(["view", "resend"]);
  });

  test("ends with a wish, written before it is sent, and again until the view is left", () => {
    const solo = new Solo().boot();
    solo.work();
    solo.fire("view");
    const [persist] = solo.did("persist");
    expect(persist?.durable.lastWishView).toBe(2);
    expect(solo.did("send")).toMatchObject([{ to: "all", after: persist?.token ?? -1 }]);
    expect(solo.replica.timers.has("view")).toBe(false);
    solo.fire("resend"); // It was set before the wish and is put off once.
    const pauses = Array.from({ length: 7 }, () => {
      solo.fire("resend");
      expect(solo.said).toContain("wish");
      expect(solo.did("persist")).toEqual([]);
      return solo.did("set_timer").find(({ timer }) => timer === "resend")?.ms;
    });
    expect(pauses).toEqual([400, 800, 1_000, 1_000, 1_000, 1_000, 1_000]);
    solo.hear({ type: "tc", tc: solo.world.timeout(2) });
    expect(solo.replica.timers.get("resend")?.dueAt).toBe(solo.now + 200);
  });

  test("grows by half after two failed views, up to its limit", () => {
    const solo = new Solo(4, { timeoutMsMax: 3_000 }).boot();
    solo.work();
    const timeouts = Array.from({ length: 7 }, (_, at) => {
      solo.hear({ type: "tc", tc: solo.world.timeout(at + 2) });
      return Math.round((solo.replica.timers.get("view")?.dueAt ?? 0) - solo.now);
    });
    expect(timeouts).toEqual([1_000, 1_000, 1_500, 2_250, 3_000, 3_000, 3_000]);
  });

  test("gives what a proposal holds to the mempool (§7.4)", () => {
    const solo = new Solo().boot();
    solo.hear(solo.propose(solo.block(1, solo.world.certified, {}, ONE_TX), solo.world.certified));
    expect(solo.replica.status).toBe("active");
    solo.fire("view");
    expect(solo.did("readmit")).toHaveLength(1);
  });
});

describe("wishes (§7.3)", () => {
  test("of f + 1 are joined, of f are not", () => {
    const solo = new Solo().boot();
    solo.hear(solo.wish(solo.other(0), 5));
    expect(solo.said).toEqual([]);
    solo.hear(solo.wish(solo.other(1), 7));
    expect(solo.sent("wish")).toMatchObject([{ wishView: 5 }]);
    expect(solo.replica.status).toBe("active");
  });

  test("for different views make a certificate for the lowest of a quorum", () => {
    const solo = new Solo().boot();
    solo.hear(solo.wish(solo.other(0), 5));
    solo.hear(solo.wish(solo.other(1), 9));
    solo.hear(solo.wish(solo.other(2), 7));
    expect(solo.replica.view).toBe(5);
    const [sent] = solo.sent("tc");
    if (!sent) throw new Error("no certificate was sent");
    expect(sent.tc.entries.map(({ wishView }) => wishView).sort()).toEqual([5, 7, 9]);
    expect(isWellFormedTC(solo.world.committee, sent.tc)).toBe(true);
  });

  test("count once for each signer, its highest", () => {
    const solo = new Solo().boot();
    for (const view of [5, 9, 7]) solo.hear(solo.wish(solo.other(0), view));
    expect(solo.replica.view).toBe(1);
    expect([...solo.replica.wishes.values()]).toMatchObject([{ wishView: 9 }]);
  });

  test("for a view that is not synchronised are dropped", () => {
    const solo = new Solo(4, { syncPeriod: 2 }).boot();
    solo.hear(solo.wish(solo.other(0), 4));
    expect(solo.replica.wishes.size).toBe(0);
  });

  test("are never taken back", () => {
    const solo = new Solo().boot();
    for (const at of [0, 1]) solo.hear(solo.wish(solo.other(at), 9));
    solo.work();
    solo.fire("view");
    expect(solo.sent("wish")).toMatchObject([{ wishView: 9 }]);
  });

  test("of a large committee go to the leaders of the span that is wished for", () => {
    const solo = new Solo(34, { syncPeriod: 12 }).boot();
    solo.work();
    for (let view = 1; view < 12; view++) solo.fire("view");
    expect(solo.replica.view).toBe(12);
    solo.fire("view");
    const [send] = solo.did("send").filter(({ message }) => message.type === "wish");
    const keys = Array.from(
      { length: 12 },
      (_, at) => solo.world.signer(solo.leader(13 + at)).publicKey,
    );
    expect(send?.to).toEqual(keys);
  });

  test("are not made by an observer", () => {
    const solo = new Solo(4, { role: "observer" }).boot();
    for (const at of [0, 1]) solo.hear(solo.wish(solo.other(at), 9));
    expect(solo.said).toEqual([]);
  });
});

describe("waking up (§7.4, §5.2)", () => {
  test("tells a leader that may not know enough where I am", () => {
    const solo = new Solo().boot();
    solo.hear({ type: "tc", tc: solo.world.timeout(2) });
    solo.work();
    expect(solo.said).toEqual(["new_view"]);
  });

  test("says nothing when the leader can know that it may propose", () => {
    const solo = new Solo().boot();
    solo.work();
    expect(solo.said).toEqual([]);
  });
});

describe("a replica without progress (§5.2)", () => {
  test("says everything again", () => {
    const solo = new Solo().boot();
    const block = solo.block(1, solo.world.certified, {}, ONE_TX);
    solo.hear(solo.propose(block, solo.world.certified));
    solo.fire("resend");
    expect(solo.said).toEqual(["vote", "new_view"]);
    expect(solo.did("gossip")).toHaveLength(1);
    solo.hear({ type: "prepare", cert: solo.certify(block) });
    solo.hear({ type: "tc", tc: solo.world.timeout(3) });
    solo.fire("resend");
    expect(solo.said).toEqual(["commit_vote", "prepare", "tc", "new_view"]);
  });

  test("sends a highest certificate of commit votes as what it is", () => {
    const solo = new Solo().boot();
    solo.hear({ type: "decide", cert: solo.certify(solo.block(1, solo.world.certified), "C") });
    solo.fire("resend");
    expect(solo.said).toContain("decide");
  });
});

describe("a rescue (§7.3)", () => {
  /** A replica in view 6 by timeout, with C_3 and a committed block 1. */
  function ahead(): Solo {
    const solo = new Solo().boot();
    const { blocks, certs } = solo.chain(3);
    const [first] = blocks;
    if (!first || !certs[2]) throw new Error("no chain");
    solo.hear(solo.propose(first, solo.world.certified));
    solo.hear({ type: "decide", cert: solo.certify(first, "C") });
    solo.hear({ type: "prepare", cert: certs[2] });
    solo.hear({ type: "tc", tc: solo.world.timeout(6) });
    return solo;
  }

  test.each([
    ["lacks everything", { view: 1, commitView: 0 }, ["decide", "prepare", "tc"]],
    ["lacks the commit", { view: 6, commitView: 0 }, ["decide"]],
    ["lacks the timeout", { view: 5, commitView: 1 }, ["tc"]],
    ["lacks nothing", { view: 6, commitView: 1 }, []],
  ])("of a peer that %s", (_, where, expected) => {
    const solo = ahead();
    solo.hear(solo.status(where));
    expect(solo.said).toEqual(expected);
  });

  test("follows a wish and a NewView too", () => {
    const wished = ahead();
    wished.hear(wished.wish(wished.other(0), 3));
    expect(wished.said).toEqual(["decide", "prepare", "tc"]);
    const greeted = ahead();
    greeted.hear(greeted.newView(greeted.other(0), 3, greeted.world.certified));
    expect(greeted.said).toEqual(["decide", "prepare", "tc"]);
  });

  test("is for each peer once in Δ", () => {
    const solo = ahead();
    solo.hear(solo.status({ view: 5, commitView: 1 }));
    solo.hear(solo.status({ view: 5, commitView: 1 }));
    expect(solo.said).toEqual([]);
    solo.hear(solo.status({ view: 5, commitView: 1 }), solo.other(1));
    expect(solo.said).toEqual(["tc"]);
    solo.now += 100;
    solo.hear(solo.status({ view: 5, commitView: 1 }));
    expect(solo.said).toEqual(["tc"]);
  });

  test("is asked for by telling who is ahead where I am", () => {
    const solo = new Solo().boot();
    for (const ahead of [{ view: 9 }, { commitView: 9 }, { committedHeight: 9 }]) {
      solo.now += 1_000;
      solo.hear(solo.status(ahead));
      expect(solo.said).toEqual(["status"]);
    }
    solo.hear(solo.status({ view: 9 }));
    expect(solo.said).toEqual([]);
  });

  test("is not for myself", () => {
    const solo = ahead();
    solo.hear(solo.status({ view: 1 }), solo.me);
    expect(solo.said).toEqual([]);
  });
});

test("nobody stays behind when the commit votes of an idle network were lost to one", () => {
  const cluster = new Cluster(4).start();
  cluster.passes = ({ to, message }) => to !== 3 || message.type !== "vote";
  cluster.submit(Uint8Array.of(1));
  expect(cluster.hosts.map(({ replica }) => replica.status).slice(0, 3)).toEqual(
    Array(3).fill("idle"),
  );
  cluster.passes = () => true;
  cluster.advance(20_000);
  expect(cluster.hosts.map(({ chain }) => chain.length)).toEqual([2, 2, 2, 2]);
  expect(cluster.hosts.map(({ timers }) => [...timers.keys()])).toEqual(Array(4).fill(["status"]));
});

describe("a commit in a view that was given more time than most (§7.4)", () => {
  test.each([1, 2])("leaves the view the usual time, with spans of %d", (syncPeriod) => {
    const solo = new Solo(4, { syncPeriod }).boot();
    const block = solo.block(1, solo.world.certified);
    solo.hear(solo.propose(block, solo.world.certified));
    solo.work();
    for (let view = 3; view <= 15; view += 2)
      solo.hear({ type: "tc", tc: solo.world.timeout(view) });
    const { timeoutMs } = solo.config;
    solo.now += 3 * timeoutMs;
    solo.hear({ type: "decide", cert: solo.certify(block, "C") });
    expect(solo.did("commit")).toHaveLength(1);
    expect(solo.replica).toMatchObject({ view: 15, fails: 0 });
    expect(solo.replica.timers.get("view")?.dueAt).toBe(solo.now + timeoutMs);
  });
});
