import { describe, expect, test } from "bun:test";
import { seededRandom } from "#test/support/seeded-random.ts";
import { nodeIdOf } from "@/core/ids.ts";
import { type AcceptContext, acceptHeartbeat } from "@/core/poot/accept.ts";
import { decodeAck } from "@/core/poot/ack.ts";
import { decodeClaim } from "@/core/poot/claim.ts";
import type { CloseNode } from "@/core/poot/closing.ts";
import { findEquivocation, findOverCredit } from "@/core/poot/evidence.ts";
import { readHeartbeat } from "@/core/poot/heartbeat.ts";
import { closeInterval } from "@/core/poot/interval.ts";
import { type NodeMarks, newNodeMarks, type SessionMarks } from "@/core/poot/marks.ts";
import { newHealthTable, noteAlive, observeSlot } from "@/core/poot/membership.ts";
import {
  memoryOf,
  type NodeIdentity,
  type NodeMemory,
  type NodeSession,
  nextClaim,
  onAnswer,
  startSession,
} from "@/core/poot/node-session.ts";
import { decodeOpen, sessionIdOf } from "@/core/poot/open.ts";
import { type EndedSlots, startPoolTime, stepPoolTime } from "@/core/poot/pool-time.ts";
import { newPresence, type PresenceTable, settleNode } from "@/core/poot/presence.ts";
import { toHex } from "@/std/bytes.ts";
import type { SigningKey } from "@/std/crypto.ts";
import { keyOf, MASTERS, S, T } from "./world.ts";

/** A pool that closes every ten slots, crashes now and then, and keeps all it has signed. */
class SmallPool {
  readonly key: SigningKey;
  readonly acks: { readonly claim: Uint8Array; readonly ack: Uint8Array }[] = [];
  readonly opens = new Map<string, Uint8Array>();
  readonly marks = new Map<string, NodeMarks>();
  readonly #sessions = new Map<string, readonly SessionMarks[]>();
  #table: PresenceTable = newPresence(S, 10);

  constructor(seed: number) {
    this.key = keyOf(seed);
  }

  crash(slot: number): void {
    this.#table = newPresence(slot, 10);
  }

  ask(nodeKey: Uint8Array, slot: number, bytes: Parameters<typeof readHeartbeat>[0]) {
    const context: AcceptContext = {
      now: slot,
      isWaiting: false,
      slotSeconds: T,
      poolKey: this.key.publicKey,
      masters: MASTERS,
      node: nodeIdOf(nodeKey),
      nodeKey,
      membership: "member",
    };
    return acceptHeartbeat(this.#table, context, readHeartbeat(bytes));
  }

  close(firstSlot: number): void {
    const interval = { epoch: 0, firstSlot, slots: 10 };
    const context = { interval, slotSeconds: T, key: this.key, notLooked: new Set<number>() };
    const nodes = [...this.#table.nodes.keys()].map((node): CloseNode => {
      return {
        node,
        membership: "member",
        rows: this.#table.nodes.get(node)?.sessions ?? [],
        window: this.#table.nodes.get(node)?.window,
        marks: this.marks.get(node) ?? newNodeMarks(S),
        sessions: this.#sessions.get(node) ?? [],
        weightPermille: 1000,
        healthPermille: 1000,
        plannedBefore: 0,
      };
    });
    for (const closed of closeInterval({ ...context, gapFrom: firstSlot }, nodes).nodes) {
      this.marks.set(closed.node, closed.marks);
      this.#sessions.set(closed.node, closed.sessions);
      for (const row of closed.rows) this.acks.push(row);
      for (const { session, open } of closed.opens) this.opens.set(toHex(session), open);
      settleNode(this.#table, closed);
    }
  }
}

/** An honest node at one pool. */
class SmallNode {
  readonly who: NodeIdentity;
  readonly pool: SmallPool;
  readonly arrived = new Set<number>();
  #session: NodeSession;

  constructor(key: SigningKey, pool: SmallPool, slot: number, memory: NodeMemory) {
    this.who = { key, poolKey: pool.key.publicKey, slotSeconds: T, isExclusive: true };
    this.pool = pool;
    this.#session = startSession(this.who, slot, memory);
  }

  restart(slot: number): void {
    this.#session = startSession(this.who, slot, memoryOf(this.#session));
  }

  beat(slot: number, skew: number, isHeard: boolean): void {
    for (let tries = 0; tries < 2; tries++) {
      const facts = { slot: slot + (tries === 0 ? skew : 0), healthPermille: 1000, flags: 0 };
      const { session, heartbeat } = nextClaim(this.#session, this.who, facts);
      this.#session = session;
      if (!heartbeat) return;
      const answer = this.pool.ask(this.who.key.publicKey, slot, heartbeat);
      if (isHeard) this.#session = onAnswer(session, this.who, { ...answer, slot });
      if (this.#session.newest) this.arrived.add(this.#session.newest.slot);
    }
  }
}

describe("honest nodes that restart, lose answers, re-sync and move between pools", () => {
  const random = seededRandom(11);
  const pools = [new SmallPool(9), new SmallPool(8)];
  const nodes: SmallNode[] = [];
  const keys = [keyOf(1), keyOf(2), keyOf(3)];
  const here = keys.map((key) => startAt(key, 0, S));
  function startAt(key: SigningKey, pool: number, slot: number): SmallNode {
    const node = new SmallNode(key, pools[pool % 2] as SmallPool, slot, {
      last: undefined,
      ack: undefined,
    });
    nodes.push(node);
    return node;
  }
  for (let slot = S; slot < S + 300; slot++) {
    here.forEach((node, at) => {
      if (random() < 0.03) node.restart(slot);
      if (random() < 0.02) here[at] = startAt(node.who.key, pools.indexOf(node.pool) + 1, slot);
      here[at]?.beat(slot, random() < 0.1 ? Math.floor(random() * 3) - 1 : 0, random() < 0.9);
    });
    for (const pool of pools) {
      if (random() < 0.01) pool.crash(slot);
      if (slot % 10 === 9) pool.close(slot - 9);
    }
  }

  test("are paid, and leave no evidence of too much credit", () => {
    let checked = 0;
    for (const { opens, acks } of pools) {
      for (const { claim, ack } of acks) {
        const session = toHex(decodeClaim(claim).session);
        const open = opens.get(session);
        if (!open) continue;
        expect(toHex(sessionIdOf(decodeOpen(open)))).toBe(session);
        expect(findOverCredit(open, claim, ack)).toBeUndefined();
        checked++;
      }
    }
    expect(checked).toBeGreaterThan(60);
  });

  test("leave no evidence of equivocation", () => {
    for (const { key, acks } of pools) {
      const pairs = acks.flatMap((one) => acks.map((two) => [one.ack, two.ack] as const));
      for (const [one, two] of pairs) {
        expect(findEquivocation(key.publicKey, one, two)).toBeUndefined();
      }
    }
  });

  test("are credited nearly every slot, and the totals the pools signed only rise", () => {
    const credited = pools.flatMap((pool) => [...pool.marks.values()]);
    const total = credited.reduce((sum, marks) => sum + marks.creditTotal, 0);
    const arrived = nodes.reduce((sum, node) => sum + node.arrived.size, 0);
    expect(total).toBeGreaterThan(700);
    expect(total).toBeLessThanOrEqual(900);
    expect(arrived).toBeGreaterThan(700);
    for (const pool of pools) {
      const totals = new Map<string, number>();
      for (const { ack } of pool.acks) {
        const { nodeKey, creditTotal } = decodeAck(ack);
        expect(creditTotal).toBeGreaterThanOrEqual(totals.get(toHex(nodeKey)) ?? 0);
        totals.set(toHex(nodeKey), creditTotal);
      }
    }
  });
});

describe("a pool of 100 nodes that stalls for two minutes", () => {
  test("loses nobody, and counts the slots as not looked at", () => {
    const nodes = Array.from({ length: 100 }, (_, at) => nodeIdOf(Uint8Array.of(at)));
    const health = newHealthTable();
    for (const node of nodes) noteAlive(health, node);
    let wallMs = S * T * 1000;
    let time = startPoolTime(
      { slotSeconds: T, epoch: 0, highestSlot: undefined },
      { wallMs, monotonicMs: wallMs },
    );
    const policy = { lostAfterSlots: 3, silenceMaxSlots: 0 };
    const ended: EndedSlots[] = [];
    for (let second = 0; second < 600; second++) {
      wallMs += second === 300 ? 120_000 : 1000;
      const step = stepPoolTime(time, { wallMs, monotonicMs: wallMs });
      time = step.time;
      ended.push(...step.ended);
    }
    const slots = ended.flatMap(({ from, to, isLooked }) =>
      Array.from({ length: to - from + 1 }, (_, at) => ({ slot: from + at, isLooked })),
    );
    expect(slots.filter(({ isLooked }) => !isLooked).length).toBe(4);
    for (const { slot, isLooked } of slots) {
      const isUp = () => isLooked;
      expect(observeSlot(health, { slot, isLooked, isUp }, policy)).toEqual([]);
    }
  });
});
