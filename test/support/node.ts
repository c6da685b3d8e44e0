import { nodeCaller } from "@/core/caller.ts";
import { type NodeId, nodeIdOf } from "@/core/ids.ts";
import { decodeAck } from "@/core/poot/ack.ts";
import type { HeartbeatBytes } from "@/core/poot/heartbeat.ts";
import {
  memoryOf,
  type NodeAnswer,
  type NodeMemory,
  type NodeSession,
  nextClaim,
  onAnswer,
  startSession,
} from "@/core/poot/node-session.ts";
import { decodeReceipt } from "@/core/poot/receipt.ts";
import type { HeartbeatAnswer } from "@/modules/poot/heartbeats.ts";
import type { Poot } from "@/modules/poot/service.ts";
import { type SigningKey, sha256, signingKey } from "@/std/crypto.ts";

/** How a test node sends one heartbeat. */
export interface BeatTerms {
  readonly healthPermille?: number;
  readonly flags?: number;
  /** The pool hears it, but its answer is lost. */
  readonly isAnswerLost?: boolean;
}

/** What became of a heartbeat; `proven` when there was nothing to send in this slot. */
export type Beaten = NodeAnswer["type"] | "proven";

const SENDS_MAX = 3;

/** An honest node that talks to a pool without a network in between. */
export class TestNode {
  readonly key: SigningKey;
  readonly id: NodeId;
  /** The slots in which the pool accepted a heartbeat. */
  readonly acceptedIn = new Set<number>();
  /** How many sessions it began. */
  sessions = 0;
  #poolKey: Uint8Array;
  #session: NodeSession | undefined;
  #memory: NodeMemory = { last: undefined, ack: undefined };

  constructor(number: number, poolKey: Uint8Array) {
    this.key = signingKey(sha256(Uint8Array.of(number >> 8, number)));
    this.id = nodeIdOf(this.key.publicKey);
    this.#poolKey = poolKey;
  }

  /** All ticks the pool has acknowledged. */
  get acknowledged(): number {
    const { ack } = this.#session ? memoryOf(this.#session) : this.#memory;
    return ack ? decodeAck(ack).creditTotal : 0;
  }

  /** Sends what is due in this slot, again while the pool asks for a new session. */
  beat(poot: Poot, terms: BeatTerms = {}): Beaten {
    let beaten: Beaten = "reopen";
    for (let sent = 0; sent < SENDS_MAX && beaten === "reopen"; sent++) {
      beaten = this.#beat(poot, terms);
    }
    return beaten;
  }

  /** What it keeps on its disk. */
  memory(): NodeMemory {
    return this.#session ? memoryOf(this.#session) : this.#memory;
  }

  /** Loses everything but what a node keeps on its disk. */
  restart(): void {
    this.#memory = this.memory();
    this.#session = undefined;
  }

  /** Turns to another pool. */
  moveTo(poolKey: Uint8Array): void {
    this.#poolKey = poolKey;
    this.#memory = { last: undefined, ack: undefined };
    this.#session = undefined;
  }

  /** The heartbeat it would send now. */
  heartbeat(
    poot: Poot,
    { healthPermille = 1000, flags = 0 }: BeatTerms = {},
  ): HeartbeatBytes | undefined {
    const { slot, slotSeconds } = poot.poolTime();
    const who = { key: this.key, poolKey: this.#poolKey, slotSeconds, isExclusive: false };
    const session = this.#session ?? startSession(who, slot, this.#memory);
    if (session !== this.#session) this.sessions += 1;
    const next = nextClaim(session, who, { slot, healthPermille, flags });
    this.#session = next.session;
    return next.heartbeat;
  }

  #beat(poot: Poot, terms: BeatTerms): Beaten {
    const heartbeat = this.heartbeat(poot, terms);
    if (!heartbeat) return "proven";
    const told = poot.heartbeat(nodeCaller(this.id), heartbeat);
    if (told.answer.type === "accepted") {
      this.acceptedIn.add(decodeReceipt(told.answer.receipt).slot);
    }
    if (!terms.isAnswerLost) this.#hear(told);
    return told.answer.type;
  }

  #hear({ answer, slot, slotSeconds }: HeartbeatAnswer): void {
    if (!this.#session) return;
    const who = { key: this.key, poolKey: this.#poolKey, slotSeconds, isExclusive: false };
    this.#session = onAnswer(this.#session, who, { ...answer, slot });
  }
}
