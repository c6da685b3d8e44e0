import { describe, expect, test } from "bun:test";
import { nodeIdOf } from "@/core/ids.ts";
import { decodeAck, verifyAck } from "@/core/poot/ack.ts";
import { CLAIM_MAINTENANCE } from "@/core/poot/claim.ts";
import type { ClosedNode, CloseNode } from "@/core/poot/closing.ts";
import { closeInterval } from "@/core/poot/interval.ts";
import { encodeIntervalBlob } from "@/core/poot/interval-blob.ts";
import { creditOf, newNodeMarks, sessionMarksOf } from "@/core/poot/marks.ts";
import type { Membership } from "@/core/poot/membership.ts";
import { newPresence } from "@/core/poot/presence.ts";
import { countStates } from "@/core/poot/slot-state.ts";
import { newSlotWindow, noteHeard, type SlotWindow } from "@/core/poot/slot-window.ts";
import { sha256 } from "@/std/crypto.ts";
import {
  ask,
  at,
  closeNodeOf,
  closing,
  first,
  keyOf,
  live,
  NODE,
  next,
  openOf,
  POOL,
  receiptOf,
  rowOf,
  S,
  T,
} from "./world.ts";

const LETTERS = { up: "U", down: "D", unobserved: "?", planned: "P" } as const;

/** Closes one node alone. */
function closed(node: CloseNode, change = {}, firstSlot = S): ClosedNode {
  const result = closeInterval(closing(firstSlot, change), [node]).nodes[0];
  if (!result) throw new Error("nothing was closed");
  return result;
}

/** The node as it stands for its next close. */
function after(before: CloseNode, result: ClosedNode, change: Partial<CloseNode> = {}): CloseNode {
  return { ...before, marks: result.marks, sessions: result.sessions, ...change };
}

function lettersOf(node: ClosedNode): string {
  return (node.slots?.states ?? []).map((state) => LETTERS[state]).join("");
}

/** A window in which the slots with a letter were heard; `m` announces maintenance. */
function windowOf(letters: string, from = S): SlotWindow {
  const window = newSlotWindow(32);
  [...letters].forEach((letter, shift) => {
    if (letter !== ".") noteHeard(window, from + shift, letter === "m");
  });
  return window;
}

describe("the credit of a row", () => {
  const session = new Uint8Array(16);
  test.each([
    ["an honest node earns every slot", { slot: 19, ticks: 10 }, { credited: 0, seen: 9 }, 9, 10],
    [
      "a rolled-back receipt earns nothing",
      { slot: 30, ticks: 4 },
      { credited: 10, seen: 19 },
      19,
      0,
    ],
    ["the same ticks earn nothing", { slot: 30, ticks: 10 }, { credited: 10, seen: 19 }, 19, 0],
    [
      "a second session is no savings bank",
      { slot: 30, ticks: 21 },
      { credited: 0, seen: 9 },
      29,
      1,
    ],
    [
      "more ticks than slots earn the slots",
      { slot: 19, ticks: 500 },
      { credited: 0, seen: 9 },
      9,
      10,
    ],
    ["nor is it one later", { slot: 40, ticks: 21 }, { credited: 0, seen: 9 }, 29, 1],
    ["skipped slots earn nothing", { slot: 19, ticks: 4 }, { credited: 0, seen: 9 }, 9, 4],
    [
      "a row before the last paid slot earns nothing",
      { slot: 19, ticks: 8 },
      { credited: 0, seen: 9 },
      25,
      0,
    ],
    [
      "slots before the session cost it nothing",
      { slot: 19, ticks: 5 },
      { credited: 0, seen: 14 },
      9,
      5,
    ],
  ])("%s", (_, row, marks, lastSlot, ticks) => {
    const whole = { ...rowOf(1, row.slot, 10), ...row };
    expect(creditOf(whole, { ...marks, session }, lastSlot)).toBe(ticks);
  });
});

test("a session that was never paid is seen up to the slot before its start", () => {
  expect(sessionMarksOf(rowOf(3, S + 5, S + 2), [])).toMatchObject({ credited: 0, seen: S + 1 });
});

describe("a close", () => {
  test("pays every slot a heartbeat was accepted in, with claim and ACK", () => {
    const table = newPresence(S, 10);
    live(table, S, S + 9);
    const node = closeNodeOf(table, { weightPermille: 1500, healthPermille: 990 });
    const result = closed(node);
    expect(result.rows.length).toBe(1);
    expect(result.rows[0]).toMatchObject({
      ticks: 10,
      fromSlot: S,
      toSlot: S + 9,
      weightPermille: 1500,
      healthPermille: 990,
    });
    expect(result.marks).toMatchObject({ lastSlot: S + 9, creditTotal: 10, firstOpenSlot: S });
    expect(result.opens.length).toBe(1);
    expect(lettersOf(result)).toBe("UUUUUUUUUU");
    expect(result.recovered).toBe(0);
    const row = result.rows[0];
    const ack = decodeAck(row?.ack ?? new Uint8Array());
    expect(verifyAck(ack, POOL.publicKey)).toBe(true);
    expect(ack).toMatchObject({ ticks: 10, creditTotal: 10, slot: S + 9 });
    expect(ack.claimHash).toEqual(sha256(row?.claim ?? new Uint8Array()));
    expect(ack.nodeKey).toEqual(NODE.publicKey);
  });

  test("done twice pays once", () => {
    const table = newPresence(S, 10);
    live(table, S, S + 9);
    const node = closeNodeOf(table);
    const again = closed(after(node, closed(node)));
    expect(again.rows).toEqual([]);
    expect(again.marks.creditTotal).toBe(10);
  });

  test("lost before its commit changes nothing of the next one", () => {
    const table = newPresence(S, 10);
    live(table, S, S + 9);
    const node = closeNodeOf(table);
    expect(closed(node)).toEqual(closed(node));
  });

  test("goes on where the last one ended, and pays a late heartbeat once", () => {
    const table = newPresence(S, 10);
    const receipt = live(table, S, S + 11);
    const node = closeNodeOf(table);
    const one = closed(node);
    expect(one.rows[0]).toMatchObject({ ticks: 12, toSlot: S + 11 });
    ask(table, at(S + 12), next(receipt, S + 12));
    const two = closed(after(closeNodeOf(table), one), {}, S + 10);
    expect(two.rows[0]).toMatchObject({ ticks: 1, fromSlot: S + 12, toSlot: S + 12 });
    expect(lettersOf(two)).toBe("UUUDDDDDDD");
    expect(two.recovered).toBe(0);
    expect(two.opens.length).toBe(1);
  });

  test("settles a row that earns nothing, with its ACK and without ticks", () => {
    const marks = { ...newNodeMarks(S), lastSlot: S + 9, creditTotal: 10 };
    const result = closed(closeNodeOf(newPresence(S, 10), { marks, rows: [rowOf(3, S + 5, S)] }));
    expect(result.rows[0]).toMatchObject({ ticks: 0, fromSlot: S + 5, toSlot: S + 5 });
    expect(decodeAck(result.rows[0]?.ack ?? new Uint8Array())).toMatchObject({
      ticks: 3,
      creditTotal: 10,
    });
    expect(result.sessions[0]).toMatchObject({ credited: 3, seen: S + 5 });
    expect(result.marks.lastSlot).toBe(S + 9);
  });

  test("settles two sessions of a node by slot, the older one first, in whatever order they come", () => {
    const older = rowOf(10, S + 9, S);
    const newer = rowOf(1, S + 9, S + 9);
    for (const rows of [
      [older, newer],
      [newer, older],
    ]) {
      const result = closed(closeNodeOf(newPresence(S, 10), { rows }));
      expect(result.rows.map((row) => row.ticks)).toEqual([10, 0]);
      expect(result.marks.creditTotal).toBe(10);
    }
  });

  test.each([
    ["member", 10, 1],
    ["left", 10, 1],
    ["suspended", 0, 0],
    ["removed", 0, 0],
  ] as const)("pays a %s %d ticks and raises the marks all the same", (membership, ticks, rows) => {
    const table = newPresence(S, 10);
    live(table, S, S + 9);
    const node = closeNodeOf(table, { membership: membership as Membership });
    const result = closed(node);
    expect(result.marks.creditTotal).toBe(ticks);
    expect(result.rows.length).toBe(rows);
    expect(result.opens.length).toBe(rows);
    expect(result.marks.lastSlot).toBe(S + 9);
    expect(result.sessions[0]?.credited).toBe(10);
    const later = closed(after(node, result, { membership: "member" }));
    expect(later.rows).toEqual([]);
  });

  test.each([
    [1000, 1000, 1000],
    [1000, 600, 600],
    [700, 900, 700],
    [500, 1000, 500],
    [499, 1000, 0],
    [1000, 499, 0],
  ])("pays health %d by the pool and %d by the claim as %d", (pool, own, paid) => {
    const table = newPresence(S, 10);
    ask(table, at(S), first(openOf(S), { healthPermille: own }));
    const result = closed(closeNodeOf(table, { healthPermille: pool }));
    expect(result.rows[0]).toMatchObject({ ticks: 1, healthPermille: paid });
  });
});

describe("a node that cannot be booked", () => {
  const good = rowOf(3, S + 5, S);
  const cases: readonly (readonly [string, Partial<CloseNode>])[] = [
    ["by the caller's word", { refusal: "the account is closed" }],
    ["for a weight that is none", { weightPermille: 1.5 }],
    ["for a weight below zero", { weightPermille: -1 }],
    ["for health that is none", { healthPermille: 1001 }],
    ["for a claim cut short", { rows: [{ ...good, claim: good.claim.slice(1) }] }],
    ["for a claim of another session", { rows: [{ ...good, session: new Uint8Array(16) }] }],
    ["for a claim of other ticks", { rows: [{ ...good, ticks: 4 }] }],
    ["for a start after its slot", { rows: [{ ...good, openSlot: S + 6 }] }],
    ["for a slot no clock shows", { rows: [{ ...good, slot: 2 ** 41 }] }],
  ];
  test.each(cases)("%s is left out and named, beside 99 that are paid", (_, change) => {
    const bad = closeNodeOf(newPresence(S, 10), { rows: [good], ...change });
    const others = Array.from({ length: 99 }, (_unused, seed) => {
      const key = keyOf(100 + seed);
      const rows = seed === 7 ? [] : [rowOf(3, S + 5, S, key)];
      return closeNodeOf(newPresence(S, 10), { node: nodeIdOf(key.publicKey), rows });
    });
    const result = closeInterval(closing(S), [...others, bad]);
    expect(result.leftOut.map((left) => left.node)).toEqual([bad.node]);
    expect(result.leftOut[0]?.reason.length).toBeGreaterThan(5);
    expect(result.nodes.reduce((sum, node) => sum + node.marks.creditTotal, 0)).toBe(98 * 3);
    expect(result.nodes.at(-1)).toMatchObject({ rows: [], sessions: [] });
    expect(result.nodes.at(-1)?.marks.lastSlot).toBe(S - 1);
  });

  test("is paid in full when it can be", () => {
    const table = newPresence(S, 10);
    const receipt = live(table, S, S + 9);
    const refused = closed(closeNodeOf(table, { refusal: "not now" }));
    expect(lettersOf(refused)).toBe("UUUUUUUUUU");
    expect(refused.marks.pendingUp).toBe(10);
    ask(table, at(S + 10), next(receipt, S + 10));
    const paid = closed(after(closeNodeOf(table), refused), {}, S + 10);
    expect(paid.rows[0]?.ticks).toBe(11);
    expect(paid.recovered).toBe(0);
  });
});

describe("the states of slots", () => {
  function letters(
    heard: string,
    change: Partial<CloseNode> = {},
    notLooked: number[] = [],
  ): string {
    const marks = { ...newNodeMarks(S), firstOpenSlot: S - 50 };
    const node = closeNodeOf(newPresence(S, 10), { window: windowOf(heard), marks, ...change });
    return lettersOf(closed(node, { notLooked: new Set(notLooked.map((shift) => S + shift)) }));
  }
  const opened = { ...newNodeMarks(S), firstOpenSlot: S - 50 };

  test("are UP where a heartbeat was accepted and DOWN elsewhere", () => {
    expect(letters("u.uu.....u")).toBe("UDUUDDDDDU");
    expect(letters("..........", { window: undefined })).toBe("DDDDDDDDDD");
  });

  test("are UNOBSERVED where the pool was not looking, unless UP", () => {
    expect(letters("u..u......", {}, [2, 3, 9])).toBe("UD?UDDDDD?");
  });

  test("are PLANNED after an announcement, even where the pool was not looking", () => {
    expect(letters("um....u...", {}, [3])).toBe("UUPPPPUDDD");
    expect(letters("..........", { marks: { ...opened, isInMaintenance: true } })).toBe(
      "PPPPPPPPPP",
    );
  });

  test("are PLANNED for eight hours in thirty days at most", () => {
    const most = (8 * 3600) / T;
    expect(letters("m.........", { plannedBefore: most - 3 })).toBe("UPPPDDDDDD");
    expect(letters("m.........", { plannedBefore: most + 3 })).toBe("UDDDDDDDDD");
  });

  test("remember an announcement until the node comes back", () => {
    const marks = { ...newNodeMarks(S), firstOpenSlot: S };
    const one = closed(closeNodeOf(newPresence(S, 10), { window: windowOf("uuuum....."), marks }));
    expect(one.marks.isInMaintenance).toBe(true);
    const silent = after(closeNodeOf(newPresence(S, 10)), one);
    const two = closed(silent, {}, S + 10);
    expect(lettersOf(two)).toBe("PPPPPPPPPP");
    const back = closed(after({ ...silent, window: windowOf("..u", S + 20) }, two), {}, S + 20);
    expect(lettersOf(back)).toBe("PPUDDDDDDD");
    expect(back.marks.isInMaintenance).toBe(false);
  });

  test("begin with the first OPEN", () => {
    const table = newPresence(S, 10);
    live(table, S + 4, S + 9);
    const result = closed(closeNodeOf(table));
    expect(result.slots?.from).toBe(S + 4);
    expect(lettersOf(result)).toBe("UUUUUU");
    expect(closed(closeNodeOf(newPresence(S, 10))).slots).toBeUndefined();
  });

  test("end when the node leaves, and there are none while it is suspended", () => {
    expect(letters("uuuu......", { membership: "left", statesUntil: S + 4 })).toBe("UUUUD");
    expect(letters("uuuu......", { membership: "left", statesUntil: S - 1 })).toBe("");
    expect(letters("uuuu......", { membership: "suspended" })).toBe("");
    expect(letters("uuuu......", { membership: "removed" })).toBe("");
  });

  test("are counted", () => {
    const counts = countStates(["up", "up", "down", "planned", "unobserved", "up"]);
    expect(counts).toEqual({ up: 3, down: 1, unobserved: 1, planned: 1 });
  });
});

describe("a gap in the pool's memory", () => {
  test("is explained by the ticks that come across it: n of m, place unknown", () => {
    const table = newPresence(S, 10);
    const receipt = live(table, S, S + 9);
    const one = closed(closeNodeOf(table));
    const lost = newPresence(S + 10, 10);
    let newest = receipt;
    for (const slot of [10, 11, 13, 14]) {
      newest = receiptOf(ask(lost, at(S + slot), next(newest, S + slot)));
    }
    const restarted = newPresence(S + 17, 10);
    for (const slot of [17, 18, 19]) {
      newest = receiptOf(ask(restarted, at(S + slot), next(newest, S + slot)));
    }
    const notLooked = new Set([10, 11, 12, 13, 14, 15, 16].map((shift) => S + shift));
    const two = closed(after(closeNodeOf(restarted), one), { notLooked }, S + 10);
    expect(lettersOf(two)).toBe("???????UUU");
    expect(two.rows[0]?.ticks).toBe(7);
    expect(two.recovered).toBe(4);
    expect(two.marks.pendingUnobserved).toBe(0);
  });

  test("of whole intervals is explained too, even by a node that is late", () => {
    const table = newPresence(S, 10);
    let newest = live(table, S, S + 9);
    const one = closed(closeNodeOf(table));
    for (const slot of [10, 11, 12]) {
      newest = receiptOf(ask(newPresence(S, 10), at(S + slot), next(newest, S + slot)));
    }
    const restarted = newPresence(S + 40, 10);
    const gap = { gapFrom: S + 10 };
    const silent = closed(after(closeNodeOf(restarted), one), gap, S + 40);
    expect(lettersOf(silent)).toBe("DDDDDDDDDD");
    expect(silent.marks.pendingUnobserved).toBe(30);
    ask(restarted, at(S + 52), next(newest, S + 52));
    const back = closed(after(closeNodeOf(restarted), silent), {}, S + 50);
    expect(back.rows[0]?.ticks).toBe(4);
    expect(back.recovered).toBe(3);
    expect(back.marks.pendingUnobserved).toBe(0);
  });

  test("explains no more slots than there were", () => {
    const rows = [rowOf(10, S + 9, S)];
    const marks = { ...newNodeMarks(S), firstOpenSlot: S };
    const node = closeNodeOf(newPresence(S, 10), { rows, marks, window: undefined });
    const result = closed(node, { notLooked: new Set([S, S + 1]) });
    expect(result.recovered).toBe(2);
  });
});

describe("ten thousand nodes", () => {
  test("are closed and encoded in far less than two seconds", () => {
    const row = rowOf(10, S + 9, S);
    const window = windowOf("uuuuuuuuuu");
    const nodes = Array.from({ length: 10_000 }, (_, at2) => {
      const node = nodeIdOf(Uint8Array.of(at2 >> 8, at2 & 255));
      return closeNodeOf(newPresence(S, 10), { node, rows: [row], window });
    });
    const key = { publicKey: POOL.publicKey, sign: () => new Uint8Array(64) };
    const started = performance.now();
    const result = closeInterval(closing(S, { key }), nodes);
    const blob = encodeIntervalBlob({
      interval: result.interval,
      slotSeconds: T,
      gapFrom: result.gapFrom,
      poolKey: POOL.publicKey,
      nodes: result.nodes,
    });
    expect(performance.now() - started).toBeLessThan(2000);
    expect(blob.length / nodes.length).toBeLessThan(350);
  });
});

test("an announcement rides on the flag of the claim", () => {
  const table = newPresence(S, 10);
  ask(table, at(S), first(openOf(S), { flags: CLAIM_MAINTENANCE }));
  expect(lettersOf(closed(closeNodeOf(table)))).toBe("UPPPPPPPPP");
});
