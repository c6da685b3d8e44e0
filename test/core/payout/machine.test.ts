import { describe, expect, test } from "bun:test";
import { refusalCode } from "#test/support/refusal-code.ts";
import {
  type Action,
  type LaneView,
  nextAction,
  type OpenBatch,
  PAYOUT_MOVES,
  type PayoutState,
  requireMove,
  requireSealable,
  type SettleAnswer,
} from "@/core/payout/machine.ts";

const batch: OpenBatch = {
  id: "b1",
  position: 7,
  pushAfter: 100,
  items: [
    { id: 1, state: "pending" },
    { id: 2, state: "pending" },
    { id: 3, state: "posted", ref: "old" },
  ],
};
const idle: LaneView = { lane: { next: 7, state: "open" }, now: 100, dueCount: 0, faulty: [] };
const due: LaneView = { ...idle, dueCount: 2 };
const faulty = [{ node: "n", why: "no_trust" as const }];
const culprits = [{ item: 2, why: "no_trust" as const, ref: "op 1" }];

/** The action on the open batch when its rail gives this answer. */
function onAnswer(answer: SettleAnswer, change: Partial<LaneView> = {}): Action {
  return nextAction({ ...due, ...change, open: { batch, answer } });
}

describe("a lane without an open batch", () => {
  test.each<[string, LaneView, Action]>([
    ["is idle when nobody is due", idle, { type: "idle" }],
    ["seals at its own position", due, { type: "seal", position: 7 }],
    ["seals where the chain agrees", { ...due, chainPosition: 6 }, { type: "seal", position: 7 }],
    [
      "stops where the chain is ahead",
      { ...due, chainPosition: 7 },
      { type: "stop", why: "position_differs" },
    ],
    [
      "stops where the chain is behind",
      { ...due, chainPosition: 5 },
      { type: "stop", why: "position_differs" },
    ],
    [
      "stops also when nobody is due",
      { ...idle, chainPosition: 9 },
      { type: "stop", why: "position_differs" },
    ],
    ["holds faulty payees before it pays", { ...due, faulty }, { type: "hold", payees: faulty }],
    [
      "stays stopped",
      { ...due, lane: { next: 7, state: "stopped" } },
      { type: "stop", why: "stopped" },
    ],
    [
      "seals nothing while paused",
      { ...due, lane: { next: 7, state: "paused" } },
      { type: "stop", why: "paused" },
    ],
  ])("%s", (_, view, action) => {
    expect(nextAction(view)).toEqual(action);
  });
});

describe("a lane with an open batch", () => {
  const both = (ref: string) => [
    { item: 1, ref },
    { item: 2, ref },
  ];

  test("posts what is open when it is done, and takes the next position", () => {
    expect(onAnswer({ type: "done", proof: "p" })).toEqual({
      type: "post",
      batch: "b1",
      post: both("p"),
      void: [],
      culprits: [],
      closes: true,
      next: 8,
    });
  });

  test("voids what is open when it failed, holds the culprits; the position is used up", () => {
    expect(onAnswer({ type: "failed", proof: "p", culprits })).toEqual({
      type: "void",
      batch: "b1",
      post: [],
      void: both("p"),
      culprits,
      closes: true,
      next: 8,
    });
  });

  test("voids what can never land, and seals again at the same position", () => {
    expect(onAnswer({ type: "never", proof: "p", isPositionFree: true })).toEqual({
      type: "void",
      batch: "b1",
      post: [],
      void: both("p"),
      culprits: [],
      closes: true,
      next: 7,
    });
  });

  test("settles item by item and stays open while one is left", () => {
    expect(onAnswer({ type: "items", posted: [{ item: 1, ref: "r" }], failed: [] })).toEqual({
      type: "post",
      batch: "b1",
      post: [{ item: 1, ref: "r" }],
      void: [],
      culprits: [],
      closes: false,
      next: 7,
    });
    expect(onAnswer({ type: "items", posted: [], failed: culprits })).toEqual({
      type: "void",
      batch: "b1",
      post: [],
      void: [{ item: 2, ref: "op 1" }],
      culprits,
      closes: false,
      next: 7,
    });
  });

  test("closes with its last item", () => {
    expect(onAnswer({ type: "items", posted: [{ item: 1, ref: "r" }], failed: culprits })).toEqual({
      type: "post",
      batch: "b1",
      post: [{ item: 1, ref: "r" }],
      void: [{ item: 2, ref: "op 1" }],
      culprits,
      closes: true,
      next: 8,
    });
  });

  test.each<[string, SettleAnswer, Partial<LaneView>, Action]>([
    [
      "pushes the same again when it is not known",
      { type: "wait" },
      {},
      { type: "push", batch: "b1" },
    ],
    [
      "waits until pushing makes sense",
      { type: "wait" },
      { now: 99 },
      { type: "wait", until: 100 },
    ],
    [
      "pushes also while paused",
      { type: "wait" },
      { lane: { next: 7, state: "paused" } },
      { type: "push", batch: "b1" },
    ],
    [
      "pushes nothing while stopped",
      { type: "wait" },
      { lane: { next: 7, state: "stopped" } },
      { type: "stop", why: "stopped" },
    ],
    [
      "pushes whatever the chain's position is",
      { type: "wait" },
      { chainPosition: 7 },
      { type: "push", batch: "b1" },
    ],
    [
      "stops when something else has its position",
      { type: "position_taken" },
      {},
      { type: "stop", why: "position_taken" },
    ],
    [
      "stops when time has passed but the position is taken",
      { type: "never", proof: "p", isPositionFree: false },
      {},
      { type: "stop", why: "position_taken" },
    ],
  ])("%s", (_, answer, change, action) => {
    expect(onAnswer(answer, change)).toEqual(action);
  });

  test("books what has landed even while stopped: it is a fact", () => {
    const stopped = { lane: { next: 7, state: "stopped" as const } };
    expect(onAnswer({ type: "done", proof: "p" }, stopped).type).toBe("post");
  });

  test("never seals, whatever the answer (L2)", () => {
    const answers: readonly SettleAnswer[] = [
      { type: "wait" },
      { type: "done", proof: "p" },
      { type: "never", proof: "p", isPositionFree: true },
    ];
    expect(answers.map((answer) => onAnswer(answer).type)).not.toContain("seal");
  });

  test("is asserted to be at its lane's position, with known answers about open items", () => {
    const lane = { next: 8, state: "open" as const };
    expect(() => onAnswer({ type: "wait" }, { lane })).toThrow("lane's position");
    const forged: unknown = { type: "forged" };
    expect(() => onAnswer(forged as SettleAnswer)).toThrow("unreachable");
    const closed = [{ item: 3, ref: "r" }];
    expect(() => onAnswer({ type: "items", posted: closed, failed: [] })).toThrow(
      "only open items",
    );
    const twice = [{ item: 2, ref: "r" }];
    expect(() => onAnswer({ type: "items", posted: twice, failed: culprits })).toThrow("one way");
  });
});

describe("the life of a payout", () => {
  const states: readonly PayoutState[] = [
    "planned",
    "approved",
    "held",
    "sealed",
    "needs_operator",
    "settled",
    "failed",
    "cancelled",
  ];

  test("has exactly these moves", () => {
    const moves = states.flatMap((from) =>
      states
        .filter((to) => refusalCode(() => requireMove(from, to)) === "allowed")
        .map((to) => `${from} ${to}`),
    );
    expect(moves).toEqual([
      "planned approved",
      "planned held",
      "planned sealed",
      "planned cancelled",
      "approved held",
      "approved sealed",
      "approved cancelled",
      "held planned",
      "held cancelled",
      "sealed needs_operator",
      "sealed settled",
      "sealed failed",
      "sealed cancelled",
      "needs_operator sealed",
      "needs_operator settled",
      "needs_operator failed",
      "needs_operator cancelled",
    ]);
    expect(Object.keys(PAYOUT_MOVES).sort()).toEqual([...states].sort());
  });

  test.each<[PayoutState, boolean, string]>([
    ["planned", false, "allowed"],
    ["planned", true, "payout.not_approved"],
    ["approved", true, "allowed"],
    ["sealed", false, "payout.move_refused"],
    ["held", false, "payout.move_refused"],
  ])("%s, approval needed %p: sealing is %s", (state, needed, code) => {
    expect(refusalCode(() => requireSealable(state, needed))).toBe(code);
  });
});
