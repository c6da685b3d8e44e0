import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type NodeIdentity,
  type NodeSession,
  nextClaim,
  onAnswer,
  startSession,
} from "@/core/poot/node-session.ts";
import { HeartbeatReplySchema, HeartbeatRequestSchema } from "@/proto/registry_pb.ts";
import { signingKey } from "@/std/crypto.ts";

const NO_MEMORY = { last: undefined, ack: undefined };
const NO_BYTES = new Uint8Array();
const HEALTHY = { healthPermille: 1000, flags: 0 };

/** The node's side of heartbeats without its network: bytes to send, and bytes that came back. */
export class Beating {
  readonly #who: NodeIdentity;
  #session: NodeSession | undefined;

  constructor(
    seed: Uint8Array,
    terms: { readonly poolKey: Uint8Array; readonly slotSeconds: number },
  ) {
    this.#who = { ...terms, key: signingKey(seed), isExclusive: false };
  }

  /** The heartbeat of this slot. */
  next(slot: number): Buffer {
    const session = this.#session ?? startSession(this.#who, slot, NO_MEMORY);
    const next = nextClaim(session, this.#who, { slot, ...HEALTHY });
    this.#session = next.session;
    const { open, claim, receipt } = next.heartbeat ?? { claim: NO_BYTES };
    const request = create(HeartbeatRequestSchema, {
      claim,
      open: open ?? NO_BYTES,
      receipt: receipt ?? NO_BYTES,
    });
    return Buffer.from(toBinary(HeartbeatRequestSchema, request));
  }

  /** Takes an answer in; anything but "accepted" fails. */
  take(bytes: Uint8Array): { readonly nextInMs: number } {
    const { outcome, slot, ack, nextInMs } = fromBinary(
      HeartbeatReplySchema,
      new Uint8Array(bytes),
    );
    if (outcome.case !== "accepted") throw new Error(`a heartbeat was answered ${outcome.case}`);
    if (!this.#session) throw new Error("an answer came before the question");
    const { receipt } = outcome.value;
    const answer = {
      type: outcome.case,
      slot: Number(slot),
      receipt,
      ack: ack.length ? ack : undefined,
    };
    this.#session = onAnswer(this.#session, this.#who, answer);
    return { nextInMs };
  }
}
