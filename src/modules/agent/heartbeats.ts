import { create } from "@bufbuild/protobuf";
import { decodeAck, verifyAck } from "@/core/poot/ack.ts";
import { CLAIM_MAINTENANCE, CLAIM_TRIED_EVERY_SLOT, decodeClaim } from "@/core/poot/claim.ts";
import type { HeartbeatBytes } from "@/core/poot/heartbeat.ts";
import {
  learnPoolTime,
  type NodeClock,
  nodeSlotAt,
  poolTimeAt,
  skewMs,
} from "@/core/poot/node-clock.ts";
import {
  memoryOf,
  type NodeAnswer,
  type NodeIdentity,
  type NodeMemory,
  type NodeSession,
  nextClaim,
  onAnswer,
  startSession,
} from "@/core/poot/node-session.ts";
import type { Slot } from "@/core/poot/slot.ts";
import type { Clock } from "@/ports/clock.ts";
import { type HeartbeatReply, HeartbeatRequestSchema } from "@/proto/registry_pb.ts";
import { sameBytes, toHex } from "@/std/bytes.ts";
import type { Keeping } from "./keeping.ts";

const NO_BYTES = new Uint8Array();
const FULL_HEALTH = 1000;

/** What the pool said to a heartbeat, and when to come next. */
export interface Beat {
  readonly type: NodeAnswer["type"] | "proven";
  readonly nextInMs: number;
  readonly message: string;
  /** Whether the pool has another root, and has not heard that this node keeps it. */
  readonly hasNewRoot: boolean;
}

/** The node's side of the proof: which heartbeat to send, and what an answer means. */
export class Heartbeats {
  readonly #keeping: Keeping;
  readonly #clock: Clock;
  #who: NodeIdentity;
  #time: NodeClock;
  #session: NodeSession;
  #acked: Uint8Array | undefined;
  #triedSlot: Slot;
  #missedSlot = false;
  /** When the pool said to come next, by this machine's monotonic clock. */
  #dueMs = 0;

  constructor(keeping: Keeping, clock: Clock, who: NodeIdentity, time: NodeClock) {
    this.#keeping = keeping;
    this.#clock = clock;
    this.#who = who;
    this.#time = time;
    this.#triedSlot = this.slot();
    const memory = memoryAt(who, keeping.memory());
    this.#acked = memory.ack;
    this.#session = startSession(who, this.slot(), memory);
  }

  /** The pool's slot now, as this node computes it. */
  slot(): Slot {
    return nodeSlotAt(this.#time, this.#clock.monotonic());
  }

  poolTimeMs(): number {
    return poolTimeAt(this.#time, this.#clock.monotonic());
  }

  /** By how much this machine's wall clock is ahead of the pool's. */
  skewMs(): number {
    return skewMs(this.#time, this.#clock.now(), this.#clock.monotonic());
  }

  /** A new connection told the time; or the node was moved to another pool. */
  refresh(who: NodeIdentity, time: NodeClock): void {
    const isMoved = !sameBytes(who.poolKey, this.#who.poolKey);
    this.#who = who;
    this.#time = time;
    if (isMoved)
      this.#session = startSession(who, this.slot(), { last: undefined, ack: undefined });
  }

  /** How many slots are proven in the session that runs. */
  progress(): { readonly session: string; readonly ticks: number } {
    return { session: toHex(this.#session.session), ticks: this.#session.newest?.ticks ?? 0 };
  }

  /** Sends what is due over `send`, and takes the answer in. Nothing is due when the slot is proven. */
  async beat(send: (request: HeartbeatBytes) => Promise<HeartbeatReply>): Promise<Beat> {
    const slot = this.slot();
    if (slot > this.#triedSlot + 1) this.#missedSlot = true;
    this.#triedSlot = slot;
    const facts = { slot, healthPermille: FULL_HEALTH, flags: this.#flags() };
    const { session, heartbeat } = nextClaim(this.#session, this.#who, facts);
    this.#session = session;
    if (!heartbeat) {
      const nextInMs = this.#untilNextBeatMs();
      return { type: "proven", nextInMs, message: "", hasNewRoot: false };
    }
    const sentMs = this.#clock.monotonic();
    return this.#take(await send(heartbeat), sentMs);
  }

  /** Keeps what a restart of this node needs. */
  remember(): void {
    this.#keeping.saveMemory(memoryOf(this.#session));
  }

  /** An ACK closes an interval: what is kept then loses at most the interval after it. */
  rememberAck(): void {
    const { ack } = this.#session;
    if (!ack || (this.#acked && sameBytes(ack, this.#acked))) return;
    this.remember();
    this.#acked = ack;
  }

  #take(reply: HeartbeatReply, sentMs: number): Beat {
    const receivedMs = this.#clock.monotonic();
    const { slotSeconds, nextInMs } = reply;
    this.#dueMs = receivedMs + nextInMs;
    this.#time = learnPoolTime({
      poolTimeMs: Number(reply.poolTimeMs),
      slotSeconds,
      sentMs,
      receivedMs,
    });
    const { type, receipt, message } = outcomeOf(reply);
    const ack = reply.ack.length > 0 ? reply.ack : undefined;
    const answer = { type, slot: Number(reply.slot), receipt, ack };
    this.#session = onAnswer(this.#session, this.#who, answer);
    if (type === "accepted") this.#missedSlot = false;
    return { type, nextInMs, message, hasNewRoot: reply.authorityChanged };
  }

  #flags(): number {
    const announced = this.#keeping.maintenanceUntilMs() > this.#clock.now();
    return (announced ? CLAIM_MAINTENANCE : 0) | (this.#missedSlot ? 0 : CLAIM_TRIED_EVERY_SLOT);
  }

  /** The pool spreads its nodes over the slot; who only connected anew keeps to what it said. */
  #untilNextBeatMs(): number {
    const slotMs = this.#time.slotSeconds * 1000;
    const untilSlotMs = (this.slot() + 1) * slotMs - this.poolTimeMs();
    const untilDueMs = this.#dueMs - this.#clock.monotonic();
    return Math.min(Math.max(untilSlotMs, untilDueMs), untilSlotMs + slotMs / 2);
  }
}

/** What is kept of this node at this pool; what it kept at another one says nothing here. */
function memoryAt({ key, poolKey }: NodeIdentity, { last, ack }: NodeMemory): NodeMemory {
  const isOurs = (kept: { readonly nodeKey: Uint8Array }) => sameBytes(kept.nodeKey, key.publicKey);
  const claim = last && decodeClaim(last.claim);
  const isHere = claim && isOurs(claim) && sameBytes(claim.poolKey, poolKey);
  const decoded = ack && decodeAck(ack);
  const isSigned = decoded && isOurs(decoded) && verifyAck(decoded, poolKey);
  return { last: isHere ? last : undefined, ack: isSigned ? ack : undefined };
}

/** A heartbeat as the wire has it. */
export function heartbeatRequest({ open, claim, receipt, handedIn }: HeartbeatBytes) {
  return create(HeartbeatRequestSchema, {
    open: open ?? NO_BYTES,
    claim,
    receipt: receipt ?? NO_BYTES,
    handedClaim: handedIn?.claim ?? NO_BYTES,
    handedReceipt: handedIn?.receipt ?? NO_BYTES,
  });
}

function outcomeOf({ outcome }: HeartbeatReply): Omit<NodeAnswer, "slot"> & { message: string } {
  if (outcome.case === undefined) return { type: "wait", message: "an empty answer" };
  const { receipt } = outcome.value;
  const message = outcome.case === "accepted" ? "" : outcome.value.message;
  return { type: outcome.case, receipt: receipt.length > 0 ? receipt : undefined, message };
}
