import { type Caller, unauthenticated } from "@/core/caller.ts";
import type { Node } from "@/core/node.ts";
import { type Answer, acceptHeartbeat } from "@/core/poot/accept.ts";
import { type HeartbeatBytes, readHeartbeat } from "@/core/poot/heartbeat.ts";
import { noteAlive } from "@/core/poot/membership.ts";
import type { PoolTime } from "@/core/poot/pool-time.ts";
import { nextHeartbeatMs } from "@/core/poot/schedule.ts";
import type { Slot } from "@/core/poot/slot.ts";
import { wasHeard } from "@/core/poot/slot-window.ts";
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

/** A node that has to open a session does it soon, but never in a tight circle. */
const REOPEN_IN_MS = 1_000;

/** Takes heartbeats: in memory alone, no disk is touched. */
export class Heartbeats {
  readonly #state: PootState;
  readonly #figures: Figures;

  constructor(state: PootState, figures: Figures) {
    this.#state = state;
    this.#figures = figures;
  }

  /** Judges a heartbeat; refuses bytes that are none (`poot.malformed`) and a caller that is no node. */
  take(caller: Caller, bytes: HeartbeatBytes): HeartbeatAnswer {
    const { clock, registry } = this.#state.parts;
    if (caller.node === undefined) throw unauthenticated();
    const beganMs = clock.monotonic();
    const heartbeat = readHeartbeat(bytes);
    const time = this.#state.poolClock.step();
    const node = registry.findNode(caller.node);
    const memory = node && this.#state.pools.get(node.pool);
    const answer: Answer =
      node && memory
        ? acceptHeartbeat(memory.presence, this.#contextOf(node, time), heartbeat)
        : { type: "unknown" };
    if (node && memory && answer.type === "accepted") this.#heard(node, memory, time);
    this.#figures.heartbeat(answer.type, (clock.monotonic() - beganMs) / 1000);
    return this.#answered(caller.node, answer, time);
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
    };
  }

  /** A repeated claim of an earlier slot is answered, but it does not make its node alive. */
  #heard(node: Node, { presence, health }: PoolMemory, time: PoolTime): void {
    const window = presence.nodes.get(node.id)?.window;
    if (!window || !wasHeard(window, time.highestSlot)) return;
    noteAlive(health, node.id);
    const { clock, registry } = this.#state.parts;
    registry.judge(node.id, { state: "alive", lastSeenMs: clock.now() });
  }

  #answered(node: Node["id"], answer: Answer, time: PoolTime): HeartbeatAnswer {
    const poolTimeMs = this.#state.parts.clock.now();
    const { slotSeconds } = time;
    const onScheduleMs = nextHeartbeatMs(node, poolTimeMs, slotSeconds);
    return {
      answer,
      poolTimeMs,
      slot: this.#state.poolClock.shownSlot,
      slotSeconds,
      nextInMs: answer.type === "reopen" ? Math.min(REOPEN_IN_MS, onScheduleMs) : onScheduleMs,
    };
  }
}
