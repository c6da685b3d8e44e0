import { describe, expect, test } from "bun:test";
import { nodeIdOf } from "@/core/ids.ts";
import { type Answer, acceptHeartbeat, acceptVerified } from "@/core/poot/accept.ts";
import { CLAIM_MAINTENANCE } from "@/core/poot/claim.ts";
import { type HeartbeatBytes, readHeartbeat, verifyHeartbeat } from "@/core/poot/heartbeat.ts";
import { closeInterval } from "@/core/poot/interval.ts";
import { encodeOpen } from "@/core/poot/open.ts";
import {
  forgetNode,
  newPresence,
  type PresenceTable,
  rememberedFrom,
  SESSIONS_MAX,
  settleNode,
} from "@/core/poot/presence.ts";
import { decodeReceipt, issueReceipt, RECEIPT_LIFE_SECONDS } from "@/core/poot/receipt.ts";
import { wasAnnounced, wasHeard } from "@/core/poot/slot-window.ts";
import { toHex } from "@/std/bytes.ts";
import { sha256 } from "@/std/crypto.ts";
import {
  ask,
  at,
  closeNodeOf,
  closing,
  first,
  live,
  MASTERS,
  NODE,
  next,
  OTHER,
  OTHER_POOL,
  openOf,
  receiptOf,
  S,
  T,
} from "./world.ts";

const NODE_ID = nodeIdOf(NODE.publicKey);

/** A pool that accepted a session from S to S + 4. */
function running(): { readonly table: PresenceTable; readonly receipt: Uint8Array } {
  const table = newPresence(S, 10);
  return { table, receipt: live(table, S, S + 4) };
}

function sessionsOf(table: PresenceTable) {
  return table.nodes.get(NODE_ID)?.sessions ?? [];
}

describe("an honest session", () => {
  test("is accepted slot by slot and its receipt counts", () => {
    const { table, receipt } = running();
    const said = decodeReceipt(receipt);
    expect([said.ticks, said.slot, said.openSlot, said.slotSeconds]).toEqual([5, S + 4, S, T]);
    expect(sessionsOf(table).length).toBe(1);
    expect(sessionsOf(table)[0]).toMatchObject({ ticks: 5, slot: S + 4, openSlot: S });
  });

  test("goes on after the pool lost its memory, and its OPEN may come again", () => {
    const { receipt } = running();
    const empty = newPresence(S + 5, 10);
    const beat = { ...next(receipt, S + 5), open: encodeOpen(openOf(S)) };
    expect(ask(empty, at(S + 5), beat).type).toBe("accepted");
    expect(toHex(sessionsOf(empty)[0]?.open ?? NODE.publicKey)).toBe(toHex(beat.open));
  });

  test("with an OPEN that is not its own goes on without it", () => {
    const { receipt } = running();
    const empty = newPresence(S + 5, 10);
    const beat = { ...next(receipt, S + 5), open: encodeOpen(openOf(S + 1)) };
    expect(ask(empty, at(S + 5), beat).type).toBe("accepted");
    expect(sessionsOf(empty)[0]?.open).toBeUndefined();
  });

  test("skips slots and is asked no questions", () => {
    const { table, receipt } = running();
    expect(ask(table, at(S + 500), next(receipt, S + 500)).type).toBe("accepted");
  });

  test("is heard in the slots it was heard in, and announces maintenance", () => {
    const { table, receipt } = running();
    ask(table, at(S + 7), next(receipt, S + 7, { flags: CLAIM_MAINTENANCE }));
    const window = table.nodes.get(NODE_ID)?.window ?? { newest: -1, ring: new Uint8Array(8) };
    const heard = [S - 1, S, S + 4, S + 5, S + 6, S + 7, S + 8].map((slot) =>
      wasHeard(window, slot),
    );
    expect(heard).toEqual([false, true, true, false, false, true, false]);
    expect([S + 4, S + 7].map((slot) => wasAnnounced(window, slot))).toEqual([false, true]);
  });
});

describe("the first check", () => {
  const { table, receipt } = running();
  const beat = next(receipt, S + 5);
  const beatOfOther = next(receipt, S + 5, { nodeKey: OTHER.publicKey }, OTHER);
  const broken = { ...beat, claim: Uint8Array.from(beat.claim).fill(1, 200, 201) };
  test.each([
    ["no member", at(S + 5, { membership: undefined }), beat],
    ["a suspended node", at(S + 5, { membership: "suspended" }), beat],
    ["a node that has left", at(S + 5, { membership: "left" }), beat],
    ["a removed node", at(S + 5, { membership: "removed" }), beat],
    ["another caller's claim", at(S + 5, { nodeKey: OTHER.publicKey }), beat],
    ["another node's claim", at(S + 5), beatOfOther],
    ["another pool's claim", at(S + 5), next(receipt, S + 5, { poolKey: OTHER_POOL.publicKey })],
    ["a broken signature", at(S + 5), broken],
  ])("answers unknown to %s", (_, context, bytes) => {
    expect(ask(table, context, bytes)).toEqual({ type: "unknown" });
  });
});

describe("a repeated claim", () => {
  test("gets the same answer in whatever slot, and leaves nothing new", () => {
    const { table, receipt } = running();
    const beat = next(receipt, S + 5);
    const answer = ask(table, at(S + 5), beat);
    for (const slot of [S + 5, S + 6, S + 40]) {
      expect(ask(table, at(slot), beat)).toEqual(answer);
    }
    expect(sessionsOf(table)[0]?.slot).toBe(S + 5);
  });

  test("gets it from a first heartbeat too", () => {
    const table = newPresence(S, 10);
    const beat = first(openOf(S));
    const answer = ask(table, at(S), beat);
    expect(ask(table, at(S + 1), beat)).toEqual(answer);
  });

  test("is not answered when the node has been suspended meanwhile", () => {
    const { table, receipt } = running();
    const beat = next(receipt, S + 5);
    ask(table, at(S + 5), beat);
    expect(ask(table, at(S + 5, { membership: "suspended" }), beat).type).toBe("unknown");
  });
});

describe("a heartbeat without a receipt", () => {
  const cases: readonly (readonly [string, HeartbeatBytes])[] = [
    ["without OPEN", { claim: first(openOf(S)).claim }],
    ["of a session that started a slot ago", first(openOf(S - 1), { toSlot: S })],
    ["of a session that starts in the next slot", first(openOf(S + 1), { toSlot: S })],
    ["with other slots", first(openOf(S, { slotSeconds: 60 }))],
    ["for another pool", first(openOf(S, { poolKey: OTHER_POOL.publicKey }))],
    ["with an OPEN of another node", first(openOf(S, {}, OTHER), {}, NODE)],
    [
      "with an OPEN of another session",
      { ...first(openOf(S)), open: encodeOpen(openOf(S, { flags: 1 })) },
    ],
    ["with no tick", first(openOf(S), { ticks: 0 })],
    ["with two ticks", first(openOf(S), { ticks: 2 })],
    ["from another slot", first(openOf(S), { fromSlot: S - 1 })],
    ["that names a receipt", first(openOf(S), { receiptHash: new Uint8Array(32).fill(1) })],
    ["that names a claim before", first(openOf(S), { prev: new Uint8Array(32).fill(1) })],
  ];
  test.each(cases)("%s is answered reopen", (_, beat) => {
    const table = newPresence(S, 10);
    expect(ask(table, at(S), beat)).toEqual({ type: "reopen" });
    expect(table.nodes.size).toBe(0);
  });

  test("with an OPEN nobody signed is answered reopen", () => {
    const beat = first(openOf(S));
    const open = Uint8Array.from(beat.open ?? []).fill(9, 170);
    expect(ask(newPresence(S, 10), at(S), { ...beat, open })).toEqual({ type: "reopen" });
  });
});

describe("a heartbeat with a receipt", () => {
  const { receipt } = running();
  const parties = { nodeKey: NODE.publicKey, poolKey: at(S).poolKey };
  const said = decodeReceipt(receipt);
  const life = RECEIPT_LIFE_SECONDS / T;
  const otherSlots = issueReceipt(MASTERS, { ...said, slotSeconds: 60 }, parties);
  const ofOther = issueReceipt(MASTERS, said, { ...parties, nodeKey: OTHER.publicKey });
  const cases: readonly (readonly [string, number, HeartbeatBytes])[] = [
    ["of another node", S + 5, next(ofOther, S + 5)],
    ["of other slots", S + 5, next(otherSlots, S + 5)],
    ["that was changed", S + 5, next(Uint8Array.from(receipt).fill(9, 20, 24), S + 5)],
    ["that is too old", S + 5 + life, next(receipt, S + 5 + life)],
    ["of another session", S + 5, next(receipt, S + 5, { session: new Uint8Array(16) })],
    ["and a tick too many", S + 5, next(receipt, S + 5, { ticks: 7 })],
    ["and a tick too few", S + 5, next(receipt, S + 5, { ticks: 5 })],
    ["and another start", S + 5, next(receipt, S + 5, { fromSlot: S + 1 })],
    ["that its claim does not name", S + 5, next(receipt, S + 5, { receiptHash: sha256() })],
    ["of another claim than the one before", S + 5, next(receipt, S + 5, { prev: sha256() })],
  ];
  test.each(cases)("%s is answered reopen", (_, now, beat) => {
    expect(ask(newPresence(now, 10), at(now), beat)).toEqual({ type: "reopen" });
  });

  test("is good on its last day", () => {
    const now = S + 4 + life;
    expect(ask(newPresence(now, 10), at(now), next(receipt, now)).type).toBe("accepted");
  });

  test("of a master that was rotated out is answered reopen", () => {
    const masters = { current: { keyId: 8, secret: new Uint8Array(32) } };
    expect(ask(newPresence(S, 10), at(S + 5, { masters }), next(receipt, S + 5)).type).toBe(
      "reopen",
    );
  });
});

describe("timing", () => {
  function refused(table: PresenceTable, now: number, beat: HeartbeatBytes): [string, string] {
    const answer: Answer = ask(table, at(now), beat);
    return [answer.type, "receipt" in answer && answer.receipt ? toHex(answer.receipt) : "none"];
  }

  test("a second claim in the slot of the receipt is early, with the remembered receipt", () => {
    const { table, receipt } = running();
    expect(refused(table, S + 4, next(receipt, S + 4))).toEqual(["early", toHex(receipt)]);
    expect(refused(newPresence(S, 10), S + 4, next(receipt, S + 4))).toEqual(["early", "none"]);
  });

  test("a fork in the remembered slot is early, and the first claim of the slot stays", () => {
    const { table, receipt } = running();
    const newest = receiptOf(ask(table, at(S + 5), next(receipt, S + 5, { healthPermille: 900 })));
    const fork = next(receipt, S + 5, { healthPermille: 1000 });
    expect(refused(table, S + 5, fork)).toEqual(["early", toHex(newest)]);
    expect(toHex(sessionsOf(table)[0]?.receipt ?? receipt)).toBe(toHex(newest));
  });

  test("a fork of a later slot is behind, and nothing falls", () => {
    const { table, receipt } = running();
    const newest = receiptOf(ask(table, at(S + 5), next(receipt, S + 5)));
    expect(refused(table, S + 6, next(receipt, S + 6))).toEqual(["behind", toHex(newest)]);
    expect(sessionsOf(table)[0]?.ticks).toBe(6);
  });

  test("a receipt from a later slot has to wait", () => {
    const { table, receipt } = running();
    expect(refused(table, S + 3, next(receipt, S + 3))).toEqual(["wait", toHex(receipt)]);
    expect(refused(newPresence(S, 10), S + 3, next(receipt, S + 3))).toEqual(["wait", "none"]);
  });

  test("a remembered slot that is later than now has to wait", () => {
    const table = newPresence(S, 10);
    const old = live(table, S, S + 2);
    const newest = receiptOf(ask(table, at(S + 9), next(old, S + 9)));
    expect(refused(table, S + 5, next(old, S + 5))).toEqual(["wait", toHex(newest)]);
  });

  test.each([
    [-2, "wait"],
    [-1, "accepted"],
    [0, "accepted"],
    [1, "accepted"],
    [2, "wait"],
  ])("a claim %d slots off is answered %s", (shift, type) => {
    const { table, receipt } = running();
    const answer = ask(table, at(S + 8), next(receipt, S + 8 + shift));
    expect(answer.type).toBe(type as Answer["type"]);
    if (answer.type === "accepted") expect(decodeReceipt(answer.receipt).slot).toBe(S + 8);
  });

  test("nothing new is accepted while the pool's clock is in doubt", () => {
    const { table, receipt } = running();
    const answer = ask(table, at(S + 5, { isWaiting: true }), next(receipt, S + 5));
    expect(answer).toEqual({ type: "wait", receipt });
    expect(ask(newPresence(S, 10), at(S, { isWaiting: true }), first(openOf(S)))).toEqual({
      type: "wait",
      receipt: undefined,
    });
  });

  test.each([
    [0, "early"],
    [1, "early"],
    [2, "accepted"],
  ])("a new OPEN %d slots after the last one is answered %s", (later, type) => {
    const table = newPresence(S, 10);
    ask(table, at(S), first(openOf(S)));
    const again = first(openOf(S + later, { flags: 1 }));
    expect(ask(table, at(S + later), again).type).toBe(type as Answer["type"]);
  });

  test("a fork of the first claim in its slot is early", () => {
    const table = newPresence(S, 10);
    const receipt = receiptOf(ask(table, at(S), first(openOf(S))));
    const fork = first(openOf(S), { healthPermille: 1 });
    expect(refused(table, S, fork)).toEqual(["early", toHex(receipt)]);
  });
});

describe("what a restarted node hands in", () => {
  const { receipt } = running();
  const session = decodeReceipt(receipt).session;
  const claim = sessionsOf(running().table)[0]?.claim ?? new Uint8Array();
  const parties = { nodeKey: NODE.publicKey, poolKey: at(S).poolKey };

  function handIn(handedIn: HeartbeatBytes["handedIn"], open = openOf(S + 6)) {
    const table = newPresence(S + 6, 10);
    const answer = ask(table, at(S + 6), { ...first(open), handedIn });
    expect(answer.type).toBe("accepted");
    return sessionsOf(table).find((row) => toHex(row.session) === toHex(session));
  }

  test("becomes a row at the receipt's slot, with no new tick", () => {
    expect(handIn({ claim, receipt })).toMatchObject({ ticks: 5, slot: S + 4, openSlot: S });
  });

  const said = decodeReceipt(receipt);
  const otherClaim = next(receipt, S + 5).claim;
  const fork = next(receipt, S + 5, { ticks: 5 }).claim;
  const later = issueReceipt(MASTERS, { ...said, slot: S + 7 }, parties);
  const false_ = issueReceipt({ current: { keyId: 7, secret: new Uint8Array(32) } }, said, parties);
  const more = issueReceipt(MASTERS, { ...said, ticks: 6 }, parties);
  const foreign = next(receipt, S + 4, {}, OTHER).claim;
  test.each([
    ["another claim", { claim: otherClaim, receipt }],
    ["another claim of as many ticks", { claim: fork, receipt }],
    ["a receipt of the future", { claim, receipt: later }],
    ["a receipt of nobody", { claim, receipt: false_ }],
    ["a receipt of more ticks", { claim, receipt: more }],
    ["another node's claim", { claim: foreign, receipt }],
    ["a claim nobody signed", { claim: Uint8Array.from(claim).fill(3, 230), receipt }],
  ])("is left aside when it is %s", (_, pair) => {
    expect(handIn(pair)).toBeUndefined();
  });

  test("is left aside without an OPEN that holds", () => {
    const table = newPresence(S + 5, 10);
    const live2 = live(newPresence(S + 6, 10), S + 6, S + 8);
    ask(table, at(S + 9), { ...next(live2, S + 9), handedIn: { claim, receipt } });
    expect(sessionsOf(table).length).toBe(1);
  });

  test("never takes the place of a newer row", () => {
    const { table, receipt: old } = running();
    const oldClaim = sessionsOf(table)[0]?.claim ?? new Uint8Array();
    ask(table, at(S + 5), next(old, S + 5));
    const handedIn = { claim: oldClaim, receipt: old };
    ask(table, at(S + 6), { ...first(openOf(S + 6)), handedIn });
    expect(sessionsOf(table).map((row) => [row.ticks, row.slot])).toEqual([
      [6, S + 5],
      [1, S + 6],
    ]);
  });

  test("counts again with the OPEN that is sent once more to a pool without memory", () => {
    const open = openOf(S + 6);
    const newest = receiptOf(ask(newPresence(S + 6, 10), at(S + 6), first(open)));
    const table = newPresence(S + 7, 10);
    const beat = { ...next(newest, S + 7), open: encodeOpen(open), handedIn: { claim, receipt } };
    expect(ask(table, at(S + 7), beat).type).toBe("accepted");
    expect(sessionsOf(table).map((row) => row.ticks)).toEqual([5, 2]);
  });
});

describe("the memory of heartbeats", () => {
  test("tells the ACK once after a close, and again to a node that still sends its OPEN", () => {
    const { table, receipt } = running();
    const closed = closeInterval(closing(S), [closeNodeOf(table)]).nodes[0];
    if (!closed) throw new Error("nothing was closed");
    settleNode(table, closed);
    const ack = closed.rows[0]?.ack;
    const told = ask(table, at(S + 5), next(receipt, S + 5));
    expect(told).toMatchObject({ type: "accepted", ack });
    const later = next(receiptOf(told), S + 6);
    expect(ask(table, at(S + 6), later)).toMatchObject({ ack: undefined });
    expect(ask(table, at(S + 7), later)).toMatchObject({ ack });
    const asking = {
      ...next(receiptOf(ask(table, at(S + 7), later)), S + 8),
      open: encodeOpen(openOf(S)),
    };
    expect(ask(table, at(S + 8), asking)).toMatchObject({ type: "accepted", ack });
  });

  test("keeps the newest session of a node and forgets settled older ones", () => {
    const { table } = running();
    ask(table, at(S + 6), first(openOf(S + 6)));
    const closed = closeInterval(closing(S), [closeNodeOf(table)]).nodes[0];
    if (!closed) throw new Error("nothing was closed");
    settleNode(table, closed);
    expect(sessionsOf(table).map((row) => row.openSlot)).toEqual([S + 6]);
    expect(sessionsOf(table)[0]?.open).toBeUndefined();
    forgetNode(table, NODE_ID);
    settleNode(table, closed);
    expect(table.nodes.size).toBe(0);
  });

  test("keeps an older session that has grown since the close was begun", () => {
    const { table, receipt } = running();
    const closed = closeInterval(closing(S), [closeNodeOf(table)]).nodes[0];
    if (!closed) throw new Error("nothing was closed");
    ask(table, at(S + 5), next(receipt, S + 5));
    ask(table, at(S + 6), first(openOf(S + 6)));
    settleNode(table, closed);
    expect(sessionsOf(table).map((row) => row.ticks)).toEqual([6, 1]);
  });

  test("holds a limited number of sessions of a node", () => {
    const table = newPresence(S, 10);
    for (let at2 = 0; at2 < SESSIONS_MAX + 5; at2++) {
      ask(table, at(S + at2 * 2), first(openOf(S + at2 * 2)));
    }
    expect(sessionsOf(table).length).toBe(SESSIONS_MAX);
    expect(sessionsOf(table)[0]?.slot).toBe(S + 10);
  });

  test("reaches back to its beginning, or as far as its window", () => {
    const table = newPresence(S, 10);
    expect(rememberedFrom(table, S + 3)).toBe(S);
    expect(rememberedFrom(table, S + 100)).toBe(S + 69);
  });

  test("takes under 3 KB of a node that sent a heartbeat", () => {
    const { table } = running();
    const row = sessionsOf(table)[0];
    const held = [row?.claim, row?.receipt, row?.open, row?.claimHash, row?.session];
    const bytes = held.reduce((sum, part) => sum + (part?.length ?? 0), 0);
    expect(bytes).toBe(240 + 88 + 180 + 32 + 16);
    expect(held.every((part) => part?.buffer.byteLength === part?.length)).toBe(true);
  });
});

describe("signatures checked elsewhere", () => {
  test("give the same answer as those checked here", () => {
    const { receipt } = running();
    const heartbeat = readHeartbeat(next(receipt, S + 5));
    const here = acceptHeartbeat(newPresence(S, 10), at(S + 5), heartbeat);
    const signatures = verifyHeartbeat(heartbeat);
    const there = acceptVerified(newPresence(S, 10), at(S + 5), { ...heartbeat, signatures });
    expect(there).toEqual(here);
  });

  test("are asked for the OPEN only while it is unknown", () => {
    const heartbeat = readHeartbeat(first(openOf(S)));
    expect(verifyHeartbeat(heartbeat)).toEqual({ claim: true, open: true, handedIn: false });
    expect(verifyHeartbeat(heartbeat, true)).toEqual({ claim: true, open: false, handedIn: false });
  });
});
