import { describe, expect, test } from "bun:test";
import { Cluster } from "#test/support/replica-cluster.ts";
import { Solo } from "./solo.ts";

describe("a view (§6.1, §6.2)", () => {
  test.each([
    [
      "a prepare certificate",
      (solo: Solo) => solo.hear({ type: "prepare", cert: solo.certs(6)(6) }),
    ],
    [
      "a commit certificate",
      (solo: Solo) => {
        const { blocks } = solo.chain(6);
        const [sixth] = blocks.slice(5);
        if (sixth) solo.hear({ type: "decide", cert: solo.certify(sixth, "C") });
      },
    ],
    ["a timeout certificate", (solo: Solo) => solo.hear({ type: "tc", tc: solo.world.timeout(7) })],
    [
      "the certificate in a wish",
      (solo: Solo) => solo.hear(solo.wish(0, 2, { highCert: solo.certs(6)(6) })),
    ],
    [
      "the timeout certificate in a wish",
      (solo: Solo) => solo.hear(solo.wish(0, 2, { highTC: solo.world.timeout(7) })),
    ],
    [
      "the certificate in a NewView",
      (solo: Solo) => solo.hear(solo.newView(0, 2, solo.certs(6)(6))),
    ],
    [
      "the certificate that comes with blocks",
      (solo: Solo) => solo.hear({ type: "blocks", blocks: [], cert: solo.certs(6)(6) }),
    ],
  ])("is entered by %s", (_, play) => {
    const solo = new Solo().boot();
    play(solo);
    expect(solo.replica.view).toBe(7);
  });

  test.each([
    [
      "a proposal",
      (solo: Solo) =>
        solo.hear(solo.propose(solo.block(5, solo.world.certified), solo.world.certified)),
    ],
    [
      "a vote",
      (solo: Solo) => {
        const block = solo.block(5, solo.world.certified);
        solo.hear(solo.world.vote(0, { kind: "P", block: block.hash, ...pick(block.header) }));
      },
    ],
    ["a NewView", (solo: Solo) => solo.hear(solo.newView(0, 7, solo.world.certified))],
    ["a status", (solo: Solo) => solo.hear(solo.status({ view: 7, highCertView: 6 }))],
    ["one wish", (solo: Solo) => solo.hear(solo.wish(0, 7))],
  ])("is not entered because of %s with a high number", (_, play) => {
    const solo = new Solo().boot();
    play(solo);
    expect(solo.replica.view).toBe(1);
  });

  test("that is not a sync view is not entered by a timeout certificate", () => {
    const solo = new Solo(4, { syncPeriod: 2 }).boot();
    solo.hear({ type: "tc", tc: solo.world.timeout(4) });
    expect(solo.replica.view).toBe(1);
    solo.hear({ type: "tc", tc: solo.world.timeout(5) });
    expect(solo.replica.view).toBe(5);
  });

  test("is entered with a NewView to its leader, but for the leader", () => {
    const solo = new Solo().boot();
    solo.hear({ type: "prepare", cert: solo.certs(1)(1) });
    expect(solo.said).toContain("new_view");
    const mine = solo.viewOf(solo.me, 2);
    solo.hear({ type: "tc", tc: solo.world.timeout(mine) });
    expect(solo.said).toEqual(["tc"]);
  });

  test("is entered without a NewView because of its leader's own proposal", () => {
    const solo = new Solo().boot();
    const { certs, blocks } = solo.chain(2);
    const [first] = certs;
    const [, second] = blocks;
    if (!first || !second) throw new Error("the chain is too short");
    solo.hear(solo.propose(second, first));
    expect(solo.replica.view).toBe(2);
    expect(solo.said).not.toContain("new_view");
  });
});

describe("a timeout certificate (§6.2, §7.3)", () => {
  test.each([
    ["to all in a small committee", 16, "all"],
    ["to the leaders of its span in a large one", 17, 6],
  ])("goes on %s", (_, n, to) => {
    const solo = new Solo(n).boot();
    const view = solo.viewOf(solo.me, n) + 1;
    solo.hear({ type: "tc", tc: solo.world.timeout(view) });
    const [sent] = solo.did("send");
    expect(sent?.message.type).toBe("tc");
    expect(sent?.to === "all" ? "all" : sent?.to.length).toBe(to);
  });

  test("goes from the leaders of its span to all", () => {
    const solo = new Solo(17).boot();
    solo.hear({ type: "tc", tc: solo.world.timeout(solo.viewOf(solo.me, 17)) });
    expect(solo.did("send")[0]?.to).toBe("all");
  });

  test("goes on once", () => {
    const solo = new Solo().boot();
    solo.hear({ type: "tc", tc: solo.world.timeout(7) });
    solo.hear({ type: "tc", tc: solo.world.timeout(7) }, 1);
    expect(solo.said).not.toContain("tc");
  });

  test("is not passed on by an observer", () => {
    const solo = new Solo(4, { role: "observer" }).boot();
    solo.hear({ type: "tc", tc: solo.world.timeout(7) });
    expect(solo.replica.view).toBe(7);
    expect(solo.said).toEqual([]);
  });

  test("from the leader of my view is answered with a NewView, once", () => {
    const solo = new Solo().boot();
    const view = solo.viewOf(0, 4);
    solo.hear({ type: "tc", tc: solo.world.timeout(view) }, 1);
    solo.hear({ type: "tc", tc: solo.world.timeout(view) }, 0);
    expect(solo.said).toEqual(["new_view"]);
    solo.hear({ type: "tc", tc: solo.world.timeout(view) }, 0);
    expect(solo.said).toEqual([]);
  });
});

test("with spans of f + 1 a view in a span ends by its timer, and its place in the span (§7.1)", () => {
  const cluster = new Cluster(4, { syncPeriod: 2 }).start();
  cluster.passes = ({ from, to }) => from === to;
  cluster.submit(Uint8Array.of(1));
  const { replica } = cluster.host(0);
  cluster.pass(1_000);
  expect([replica.view, replica.enteredBy]).toEqual([2, "timer"]);
  cluster.pass(999);
  expect(cluster.host(0).replica.durable.lastWishView).toBe(0);
  cluster.pass(1);
  expect(cluster.host(0).replica.durable.lastWishView).toBe(3);
});

function pick({
  epoch,
  view,
  height,
  justifyView,
}: {
  epoch: number;
  view: number;
  height: number;
  justifyView: number;
}) {
  return { epoch, view, height, justifyView };
}
