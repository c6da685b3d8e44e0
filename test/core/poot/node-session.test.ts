import { describe, expect, test } from "bun:test";
import { nodeIdOf } from "@/core/ids.ts";
import type { AcceptContext } from "@/core/poot/accept.ts";
import { decodeClaim } from "@/core/poot/claim.ts";
import { closeInterval } from "@/core/poot/interval.ts";
import { newNodeMarks } from "@/core/poot/marks.ts";
import { decodeNodeMemory, encodeNodeMemory } from "@/core/poot/node-memory.ts";
import {
  memoryOf,
  type NodeIdentity,
  type NodeSession,
  nextClaim,
  onAnswer,
  startSession,
} from "@/core/poot/node-session.ts";
import { decodeOpen } from "@/core/poot/open.ts";
import { newPresence, type PresenceTable, settleNode } from "@/core/poot/presence.ts";
import { decodeReceipt } from "@/core/poot/receipt.ts";
import { toHex } from "@/std/bytes.ts";
import { sha256 } from "@/std/crypto.ts";
import { ask, at, closeNodeOf, closing, NODE, POOL, S, T } from "./world.ts";

const WHO: NodeIdentity = { key: NODE, poolKey: POOL.publicKey, slotSeconds: T, isExclusive: true };
const NOTHING = { last: undefined, ack: undefined };

/** A node and a pool that a test lets talk. */
class Pair {
  session: NodeSession;
  table: PresenceTable;

  constructor(slot = S) {
    this.session = startSession(WHO, slot, NOTHING);
    this.table = newPresence(slot, 10);
  }

  /** The node's next heartbeat as it believes the slot to be. */
  make(slot: number) {
    const next = nextClaim(this.session, WHO, { slot, healthPermille: 1000, flags: 0 });
    this.session = next.session;
    return next.heartbeat;
  }

  /** A heartbeat and its answer; `lost` is what the network swallows. */
  beat(now: number, options: Options = {}): string {
    const heartbeat = this.make(options.nodeSlot ?? now);
    if (!heartbeat) return "nothing";
    if (options.lost === "request") return "no answer";
    const answer = ask(this.table, at(now, options.context), heartbeat);
    if (options.lost === "answer") return "no answer";
    this.session = onAnswer(this.session, WHO, { ...answer, slot: now });
    return answer.type;
  }

  get ticks(): number {
    return this.session.newest?.ticks ?? 0;
  }
}

interface Options {
  readonly lost?: "request" | "answer";
  readonly nodeSlot?: number;
  readonly context?: Partial<AcceptContext>;
}

describe("a node's session", () => {
  test("begins with an OPEN and one tick, then earns one per slot", () => {
    const pair = new Pair();
    expect([S, S + 1, S + 2].map((slot) => pair.beat(slot))).toEqual(Array(3).fill("accepted"));
    expect(pair.ticks).toBe(3);
    expect(decodeOpen(pair.session.open).flags).toBe(1);
  });

  test("has nothing to say in a slot that is proven", () => {
    const pair = new Pair();
    pair.beat(S);
    expect(pair.beat(S)).toBe("nothing");
    expect(pair.beat(S + 1)).toBe("accepted");
  });

  test("that opens with an old slot opens again with the pool's", () => {
    const pair = new Pair();
    expect(pair.beat(S, { nodeSlot: S - 1 })).toBe("reopen");
    expect(pair.beat(S)).toBe("accepted");
    expect(pair.session.startSlot).toBe(S);
  });

  test("sends its OPEN until the first ACK", () => {
    const pair = new Pair();
    pair.beat(S);
    expect(pair.make(S + 1)?.open).toBeDefined();
    pair.beat(S + 1);
    const closed = closeInterval(closing(S), [closeNodeOf(pair.table)]).nodes[0];
    if (!closed) throw new Error("nothing was closed");
    settleNode(pair.table, closed);
    pair.beat(S + 2);
    expect(pair.session.isAcknowledged).toBe(true);
    expect(pair.session.ack).toEqual(closed.rows[0]?.ack);
    expect(pair.make(S + 3)?.open).toBeUndefined();
  });

  test("does not believe an ACK of somebody else", () => {
    const pair = new Pair();
    pair.beat(S);
    const context = closing(S, { key: NODE });
    const closed = closeInterval(context, [closeNodeOf(pair.table)]).nodes[0];
    if (!closed) throw new Error("nothing was closed");
    settleNode(pair.table, closed);
    pair.beat(S + 1);
    expect(pair.session.isAcknowledged).toBe(false);
    expect(pair.session.ack).toBeUndefined();
  });
});

describe("without an answer", () => {
  test("the identical claim is repeated until the next slot ends", () => {
    const pair = new Pair();
    pair.beat(S);
    const claim = pair.make(S + 1)?.claim;
    expect(pair.make(S + 1)?.claim).toEqual(claim);
    expect(pair.make(S + 2)?.claim).toEqual(claim);
    expect(decodeClaim(pair.make(S + 3)?.claim ?? NODE.publicKey).toSlot).toBe(S + 3);
  });

  test("a lost request costs its slot, a lost answer costs nothing", () => {
    const pair = new Pair();
    pair.beat(S);
    pair.beat(S + 1, { lost: "request" });
    expect(pair.beat(S + 2)).toBe("accepted");
    expect(pair.ticks).toBe(2);
    pair.beat(S + 3, { lost: "answer" });
    expect(pair.beat(S + 4)).toBe("accepted");
    expect(pair.session.newest?.slot).toBe(S + 3);
    expect(pair.beat(S + 4)).toBe("accepted");
    expect(pair.ticks).toBe(4);
  });

  test("for many slots, the claim that was accepted is found again when the pool answers behind", () => {
    const pair = new Pair();
    pair.beat(S);
    for (let slot = S + 1; slot < S + 40; slot++) pair.beat(slot, { lost: "answer" });
    expect(pair.session.unanswered.length).toBe(8);
    expect(pair.beat(S + 41)).toBe("behind");
    expect(pair.ticks).toBe(2);
    expect(pair.beat(S + 41)).toBe("accepted");
    expect(pair.ticks).toBe(3);
  });

  test("to its first claim, the node opens again", () => {
    const pair = new Pair();
    pair.beat(S, { lost: "answer" });
    pair.beat(S + 1, { lost: "answer" });
    expect(pair.beat(S + 2)).toBe("accepted");
    expect(pair.session.startSlot).toBe(S + 2);
  });
});

describe("refusals", () => {
  test("reopen begins a new session that hands in the old one, until it is acknowledged", () => {
    const pair = new Pair();
    pair.beat(S);
    pair.beat(S + 1);
    const old = pair.session.newest;
    const masters = { current: { keyId: 9, secret: new Uint8Array(32) } };
    expect(pair.beat(S + 2, { context: { masters } })).toBe("reopen");
    expect(pair.session.handIn).toEqual({ claim: old?.claim, receipt: old?.receipt } as never);
    expect(toHex(decodeOpen(pair.session.open).prev)).toBe(
      toHex(sha256(old?.claim ?? POOL.publicKey)),
    );
    pair.beat(S + 2);
    expect(pair.make(S + 3)?.handedIn).toBeDefined();
  });

  test("behind with a receipt of a claim we never made begins a new session", () => {
    const pair = new Pair();
    pair.beat(S);
    const clone = { ...pair.session };
    pair.beat(S + 1);
    pair.session = clone;
    expect(pair.beat(S + 3)).toBe("behind");
    expect(pair.session.newest).toBeUndefined();
    expect(pair.beat(S + 3)).toBe("accepted");
  });

  test("early and wait make the next claim anew", () => {
    const pair = new Pair();
    pair.beat(S);
    expect(pair.beat(S, { nodeSlot: S + 2 })).toBe("early");
    expect(pair.beat(S + 5, { nodeSlot: S + 2 })).toBe("wait");
    expect(pair.beat(S + 5)).toBe("accepted");
    expect(pair.ticks).toBe(2);
  });

  test("an OPEN that came too early is tried again later", () => {
    const pair = new Pair();
    pair.beat(S);
    pair.session = startSession(WHO, S + 1, memoryOf(pair.session));
    expect(pair.beat(S + 1)).toBe("early");
    expect(pair.beat(S + 2)).toBe("accepted");
  });

  test("unknown changes nothing", () => {
    const pair = new Pair();
    pair.beat(S);
    pair.make(S + 1);
    const before = pair.session;
    expect(pair.beat(S + 1, { context: { membership: undefined } })).toBe("unknown");
    expect(pair.session).toEqual(before);
  });

  test("a pool whose clock was set back far is asked all the same", () => {
    const pair = new Pair();
    pair.beat(S);
    pair.beat(S + 100);
    expect(pair.make(S + 99)).toBeUndefined();
    expect(pair.make(S + 50)).toBeDefined();
  });

  test("an ACK with a higher total is kept beside a lower one", () => {
    const pair = new Pair();
    pair.beat(S);
    const marks = { ...newNodeMarks(S), creditTotal: 70 };
    for (const change of [{ marks }, {}]) {
      const closed = closeInterval(closing(S), [closeNodeOf(pair.table, change)]).nodes[0];
      const ack = closed?.rows[0]?.ack;
      pair.session = onAnswer(pair.session, WHO, { type: "unknown", slot: S, ack });
    }
    const kept = pair.session.ack ?? new Uint8Array();
    expect(new DataView(kept.buffer).getUint32(80)).toBe(71);
  });
});

describe("a restarted node", () => {
  test("hands in what it holds, and the pool without memory pays for both sessions", () => {
    const pair = new Pair();
    for (let slot = S; slot < S + 5; slot++) pair.beat(slot);
    const memory = decodeNodeMemory(encodeNodeMemory(memoryOf(pair.session)));
    pair.table = newPresence(S + 5, 10);
    pair.session = startSession(WHO, S + 6, memory);
    for (let slot = S + 6; slot < S + 10; slot++) expect(pair.beat(slot)).toBe("accepted");
    const closed = closeInterval(closing(S), [closeNodeOf(pair.table)]).nodes[0];
    if (!closed) throw new Error("nothing was closed");
    expect(closed.marks.creditTotal).toBe(9);
    settleNode(pair.table, closed);
    pair.beat(S + 10);
    expect(pair.session.handIn).toBeUndefined();
  });

  test("knows the ACK of what it handed in from the ACK of its session", () => {
    const pair = new Pair();
    pair.beat(S);
    const memory = memoryOf(pair.session);
    const closed = closeInterval(closing(S), [closeNodeOf(pair.table)]).nodes[0];
    pair.session = startSession(WHO, S, memory);
    const ack = closed?.rows[0]?.ack;
    for (let again = 0; again < 2; again++) {
      pair.session = onAnswer(pair.session, WHO, { type: "wait", slot: S, ack });
    }
    expect(pair.session.handIn).toBeUndefined();
    expect(pair.session.isAcknowledged).toBe(false);
    pair.session = startSession(WHO, S + 5, NOTHING);
    pair.session = onAnswer(pair.session, WHO, { type: "wait", slot: S + 5, ack });
    expect(pair.session.isAcknowledged).toBe(false);
  });

  test("keeps what it handed in while its new session has no receipt", () => {
    const pair = new Pair();
    pair.beat(S);
    const memory = memoryOf(pair.session);
    const again = startSession(WHO, S + 3, memory);
    expect(memoryOf(again)).toEqual(memory);
  });

  test.each([
    [NOTHING, 2],
    [
      {
        last: { claim: new Uint8Array(240).fill(1), receipt: new Uint8Array(88).fill(2) },
        ack: undefined,
      },
      330,
    ],
    [{ last: undefined, ack: new Uint8Array(156).fill(3) }, 158],
  ])("keeps its memory in a few bytes", (memory, length) => {
    const bytes = encodeNodeMemory(memory);
    expect(bytes.length).toBe(length);
    expect(decodeNodeMemory(bytes)).toEqual(memory);
    for (const wrong of [bytes.slice(1), Uint8Array.of(...bytes, 0), new Uint8Array()]) {
      expect(() => decodeNodeMemory(wrong)).toThrow(
        expect.objectContaining({ code: "poot.malformed" }),
      );
    }
  });
});

test("a receipt says what the node's session believes", () => {
  const pair = new Pair();
  pair.beat(S);
  const said = decodeReceipt(pair.session.newest?.receipt ?? new Uint8Array());
  expect(said).toMatchObject({ ticks: 1, slot: S, session: pair.session.session });
  expect(nodeIdOf(NODE.publicKey).length).toBe(26);
});
