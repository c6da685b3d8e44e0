import { type Caller, nodeCaller } from "@/core/caller.ts";
import { nodeIdOf } from "@/core/ids.ts";
import type { HeartbeatBytes } from "@/core/poot/heartbeat.ts";
import {
  type NodeIdentity,
  type NodeSession,
  nextClaim,
  onAnswer,
  startSession,
} from "@/core/poot/node-session.ts";
import type { Poot } from "@/modules/poot/service.ts";
import { signingKey } from "@/std/crypto.ts";
import { seedOf } from "./bench-pool.ts";

/** An honest node that reaches the pool by a call of a function. */
export class DirectNode {
  readonly #who: NodeIdentity;
  readonly #caller: Caller;
  #session: NodeSession | undefined;
  #prepared: { readonly slot: number; readonly heartbeat: HeartbeatBytes | undefined } | undefined;
  #heardIn = -1;

  constructor(
    number: number,
    pool: { readonly poolKey: Uint8Array; readonly slotSeconds: number },
  ) {
    const key = signingKey(seedOf(number));
    this.#who = { key, ...pool, isExclusive: false };
    this.#caller = nodeCaller(nodeIdOf(key.publicKey));
  }

  /** Signs the heartbeat of a slot, so that sending it costs the node nothing. */
  prepare(slot: number): void {
    if (this.#prepared?.slot === slot) return;
    const memory = { last: undefined, ack: undefined };
    const session = this.#session ?? startSession(this.#who, slot, memory);
    const next = nextClaim(session, this.#who, { slot, healthPermille: 1000, flags: 0 });
    this.#session = next.session;
    this.#prepared = { slot, heartbeat: next.heartbeat };
  }

  /** Sends what was prepared. */
  send(poot: Poot): void {
    const heartbeat = this.#prepared?.heartbeat;
    if (!heartbeat || !this.#session) throw new Error("no heartbeat is prepared");
    const { answer, slot } = poot.heartbeat(this.#caller, heartbeat);
    if (answer.type !== "accepted") throw new Error(`a heartbeat was answered ${answer.type}`);
    this.#session = onAnswer(this.#session, this.#who, { ...answer, slot });
    this.#heardIn = slot;
  }

  /** Sends the heartbeat of this slot, unless it was heard in it. */
  beat(poot: Poot, slot: number): void {
    if (this.#heardIn === slot) return;
    this.prepare(slot);
    this.send(poot);
  }
}
