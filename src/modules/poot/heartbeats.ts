import { type Caller, unauthenticated } from "@/core/caller.ts";
import type { NodeId } from "@/core/ids.ts";
import type { Node } from "@/core/node.ts";
import { type Answer, acceptHeartbeat, acceptVerified, isOpenKnown } from "@/core/poot/accept.ts";
import { heardPending, isAdmissible } from "@/core/poot/admission.ts";
import { signedClaim } from "@/core/poot/claim.ts";
import {
  type Heartbeat,
  type HeartbeatBytes,
  readHeartbeat,
  type Signatures,
} from "@/core/poot/heartbeat.ts";
import { noteAlive } from "@/core/poot/membership.ts";
import type { PoolTime } from "@/core/poot/pool-time.ts";
import { nextHeartbeatMs } from "@/core/poot/schedule.ts";
import { noteSession, type SessionTrails } from "@/core/poot/session-trail.ts";
import type { Slot } from "@/core/poot/slot.ts";
import { wasHeard } from "@/core/poot/slot-window.ts";
import { sameBytes } from "@/std/bytes.ts";
import { verifySignatureAside } from "@/std/crypto.ts";
import { isRefusal } from "@/std/errors.ts";
import { memberFromOf } from "./candidates.ts";
import type { Figures } from "./figures.ts";
import type { PootState } from "./parts.ts";
import { membershipIn, type PoolMemory } from "./pool-memory.ts";

/** What the pool says to a heartbeat, and what every answer says of its time. */
export interface HeartbeatAnswer {
  readonly answer: Answer;
  readonly poolTimeMs: number;
  readonly slot: Slot;
  readonly slotSeconds: number;
  /** When to come next, from now. */
  readonly nextInMs: number;
}

/** A node that can still earn this slot comes again soon, but never in a tight circle. */
const AGAIN_IN_MS = 1_000;

/** A heartbeat that was read, from whom, and when that began. */
interface Arrival {
  readonly from: NodeId;
  readonly heartbeat: Heartbeat;
  readonly beganMs: number;
}

/** Takes heartbeats: in memory alone, no disk is touched. */
export class Heartbeats {
  readonly #state: PootState;
  readonly #figures: Figures;
  readonly #trails: SessionTrails = new Map();

  constructor(state: PootState, figures: Figures) {
    this.#state = state;
    this.#figures = figures;
  }

  /** Judges a heartbeat; refuses bytes that are none (`poot.malformed`) and a caller that is no node. */
  take(caller: Caller, bytes: HeartbeatBytes): HeartbeatAnswer {
    return this.#judge(this.#read(caller, bytes), undefined);
  }

  /** The same, while another thread checks the signature: that is most of what a heartbeat costs. */
  async takeAside(caller: Caller, bytes: HeartbeatBytes): Promise<HeartbeatAnswer> {
    const arrival = this.#read(caller, bytes);
    return this.#judge(arrival, await this.#verifyAside(arrival));
  }

  #read(caller: Caller, bytes: HeartbeatBytes): Arrival {
    if (caller.node === undefined) throw unauthenticated();
    const beganMs = this.#state.parts.clock.monotonic();
    return { from: caller.node, heartbeat: readHeartbeat(bytes), beganMs };
  }

  /**
   * What a session begins with is rare: its signatures are left to be checked in place. A claim that
   * is not the caller's own is refused without a look at them.
   */
  async #verifyAside({ from, heartbeat }: Arrival): Promise<Signatures | undefined> {
    const node = this.#state.parts.registry.findNode(from);
    const memory = this.#memoryOf(node);
    if (!memory || !node) return undefined;
    if (!sameBytes(heartbeat.claim.value.nodeKey, node.publicKey)) return undefined;
    if (heartbeat.open && !isOpenKnown(memory.presence, from, heartbeat)) return undefined;
    const claim = await verifySignatureAside(signedClaim(heartbeat.claim.value));
    return { claim, open: false, handedIn: false };
  }

  /** By the pool as it is now: time may have passed since the heartbeat was read. */
  #judge({ from, heartbeat, beganMs }: Arrival, signatures: Signatures | undefined) {
    const { clock, registry } = this.#state.parts;
    const time = this.#state.poolClock.step();
    const node = registry.findNode(from);
    const memory = this.#memoryOf(node);
    let answer: Answer = { type: "unknown" };
    if (node && memory) {
      const context = this.#contextOf(node, time);
      answer = signatures
        ? acceptVerified(memory.presence, context, { ...heartbeat, signatures })
        : acceptHeartbeat(memory.presence, context, heartbeat);
    }
    const isHeard = memory !== undefined && isHeardIn(memory, from, time);
    if (node && memory && isHeard && answer.type === "accepted") this.#heard(node, memory);
    if (answer.type === "accepted") this.#noteSession(from, heartbeat);
    this.#figures.heartbeat(answer.type, (clock.monotonic() - beganMs) / 1000);
    return this.#answered(from, answer, { time, isHeard });
  }

  #memoryOf(node: Node | undefined): PoolMemory | undefined {
    return node && this.#state.pools.get(node.pool);
  }

  #contextOf(node: Node, time: PoolTime) {
    const { authority, registry } = this.#state.parts;
    const poolKey = registry.findPool(node.pool)?.publicKey;
    return {
      now: time.highestSlot,
      isWaiting: time.waiting !== undefined,
      slotSeconds: time.slotSeconds,
      poolKey: poolKey ?? authority.poolKey(node.pool).publicKey,
      masters: authority.receiptMasters(node.pool),
      node: node.id,
      nodeKey: node.publicKey,
      membership: membershipIn(node, node.pool),
      memberFrom: memberFromOf(this.#state, node),
    };
  }

  /** A repeated claim of an earlier slot is answered, but it does not make its node alive. */
  #heard(node: Node, memory: PoolMemory): void {
    const { clock, registry } = this.#state.parts;
    if (node.status === "pending") this.#heardPending(node, memory);
    else noteAlive(memory.health, node.id);
    registry.judge(node.id, { state: "alive", lastSeenMs: clock.now() });
  }

  /**
   * In the slot in which it was heard often enough it is admitted, and earns from the next one on. What
   * the pool refuses now, for it is full or cannot write, is tried with the next heartbeat.
   */
  #heardPending({ id }: Node, { pending }: PoolMemory): void {
    const { epoch, highestSlot: slot } = this.#state.poolClock.time;
    const beats = heardPending(pending.get(id), slot);
    pending.set(id, beats);
    if (!isAdmissible(beats)) return;
    const { registry, log } = this.#state.parts;
    registry.admitPending(id, { epoch, slot }).catch((error: unknown) => {
      if (!isRefusal(error)) throw error;
      log.info({ node: id, code: error.code }, "a pending node is not admitted yet");
    });
  }

  /** Where one key is on two machines, their sessions take turns. */
  #noteSession(node: NodeId, { claim }: Heartbeat): void {
    if (!noteSession(this.#trails, node, claim.value.session)) return;
    this.#state.parts.events.tell("node.doubled", { node });
  }

  #answered(node: Node["id"], answer: Answer, told: Told): HeartbeatAnswer {
    const poolTimeMs = this.#state.parts.clock.now();
    const { slotSeconds } = told.time;
    const onScheduleMs = nextHeartbeatMs(node, poolTimeMs, slotSeconds);
    return {
      answer,
      poolTimeMs,
      slot: this.#state.poolClock.shownSlot,
      slotSeconds,
      nextInMs: isOpenStill(answer, told) ? Math.min(AGAIN_IN_MS, onScheduleMs) : onScheduleMs,
    };
  }
}

interface Told {
  readonly time: PoolTime;
  /** Whether the node was heard in the slot now. */
  readonly isHeard: boolean;
}

/** Whether a node that comes again at once can earn this slot: with a new OPEN, or a newer RECEIPT. */
function isOpenStill({ type }: Answer, { isHeard }: Told): boolean {
  return !isHeard && (type === "reopen" || type === "behind" || type === "accepted");
}

function isHeardIn({ presence }: PoolMemory, node: Node["id"], { highestSlot }: PoolTime): boolean {
  const window = presence.nodes.get(node)?.window;
  return window !== undefined && wasHeard(window, highestSlot);
}
