import { cosign, formatCheckpoint, type SignedCheckpoint } from "@/core/audit/checkpoint.ts";
import { witnessKey } from "@/core/audit/log-names.ts";
import { formatNoteKey } from "@/core/audit/note.ts";
import { readCheckpoint } from "@/core/audit/restart.ts";
import { judgeOffer, type Offer, type Witnessed } from "@/core/audit/witness.ts";
import type { NodeId } from "@/core/ids.ts";
import type { Logger } from "@/kernel/log.ts";
import type { Clock } from "@/ports/clock.ts";
import type { AuditOffer, HeartbeatReply, HeartbeatRequest } from "@/proto/registry_pb.ts";
import { fromBase64, toBase64 } from "@/std/bytes.ts";
import { isRefusal } from "@/std/errors.ts";
import type { Keeping } from "./keeping.ts";

/** What is kept of the pool's audit log. */
interface Kept {
  readonly log_key: string;
  /** The newest checkpoint accepted, with this node's cosignature. */
  readonly checkpoint: string;
  readonly accepted_at_ms: number;
  /** Why nothing more is accepted, and the checkpoint that was the reason. */
  readonly alarm?: string;
  readonly refused?: string;
}

/** What a person may see of it. */
export interface WitnessView {
  /** As verifiers take it: `audit verify --witness`. */
  readonly key: string;
  readonly checkpoint: SignedCheckpoint | undefined;
  readonly acceptedAtMs: number | undefined;
  readonly alarm: string | undefined;
}

/**
 * This node as a witness of its pool's audit log: it keeps the newest checkpoint it accepted, and
 * cosigns what that one is the beginning of, after it is on the disk. What it cannot make sense of in
 * its own file, or an alarm, ends its cosigning until a person has looked.
 */
export class Witness {
  readonly #keeping: Keeping;
  readonly #clock: Pick<Clock, "now">;
  readonly #log: Logger;
  #isToSay = true;

  constructor(
    parts: { readonly keeping: Keeping; readonly clock: Pick<Clock, "now"> },
    log: Logger,
  ) {
    this.#keeping = parts.keeping;
    this.#clock = parts.clock;
    this.#log = log;
  }

  /** A new connection: the pool is told what this node has. */
  introduce(): void {
    this.#isToSay = true;
  }

  /** Adds to a heartbeat what the pool does not know yet, and takes in what it offers. */
  async withBeat(
    request: HeartbeatRequest,
    ask: (request: HeartbeatRequest) => Promise<HeartbeatReply>,
  ): Promise<HeartbeatReply> {
    const isSaying = this.#isToSay;
    if (isSaying) request.auditCheckpoint = this.#read().kept?.checkpoint ?? "";
    const reply = await ask(request);
    if (isSaying) this.#isToSay = false;
    if (reply.auditOffer) this.#take(offerOf(reply.auditOffer));
    return reply;
  }

  view(): WitnessView {
    const { kept, alarm } = this.#read();
    return {
      key: formatNoteKey(this.#key()),
      checkpoint: kept && readCheckpoint(kept.checkpoint),
      acceptedAtMs: kept?.accepted_at_ms,
      alarm,
    };
  }

  #take(offer: Offer): void {
    const { kept, known, alarm } = this.#read();
    if (alarm !== undefined) return;
    const verdict = judgeOffer(known, offer);
    if (verdict.type === "ignored") {
      this.#log.debug({ why: verdict.why }, "a checkpoint of the audit log was left alone");
    } else if (verdict.type === "accepted") this.#accept(verdict.witnessed);
    else this.#raise(verdict.why, kept, offer);
  }

  /** On the disk before the pool hears of it: no restart makes this node sign another log. */
  #accept({ publicKey, checkpoint }: Witnessed): void {
    const nowMs = this.#clock.now();
    const by = { key: this.#keeping.key(), atSeconds: Math.max(0, Math.floor(nowMs / 1_000)) };
    const { note } = checkpoint;
    const own = note.signatures.filter(({ name }) => name === checkpoint.origin);
    const signatures = [...own, cosign(note, this.#key(), by)];
    this.#save({
      log_key: toBase64(publicKey),
      checkpoint: formatCheckpoint({ ...checkpoint, note: { ...note, signatures } }),
      accepted_at_ms: nowMs,
    });
  }

  #raise(why: string, kept: Kept | undefined, { checkpoint }: Offer): void {
    this.#log.error(
      { why },
      "the pool's audit log is not to be believed; nothing more is cosigned",
    );
    if (kept) this.#save({ ...kept, alarm: why, refused: checkpoint });
  }

  #save(kept: Kept): void {
    try {
      this.#keeping.saveWitnessed(this.#installation(), `${JSON.stringify(kept, null, 2)}\n`);
      this.#isToSay = true;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      this.#log.warn({ problem: error.message }, "a checkpoint of the audit log was not kept");
    }
  }

  #read(): { kept: Kept | undefined; known: Witnessed | undefined; alarm: string | undefined } {
    const text = this.#keeping.witnessed(this.#installation());
    if (text === undefined) return { kept: undefined, known: undefined, alarm: undefined };
    const kept = keptIn(text);
    const checkpoint = kept && readCheckpoint(kept.checkpoint);
    const publicKey = kept && fromBase64(kept.log_key);
    const path = this.#keeping.witnessedPath(this.#installation());
    if (!kept || !checkpoint || publicKey?.length !== 32) {
      return { kept: undefined, known: undefined, alarm: `${path} is damaged` };
    }
    const alarm = kept.alarm === undefined ? undefined : `${kept.alarm}; see ${path}`;
    return { kept, known: { publicKey, checkpoint }, alarm };
  }

  #key() {
    const { nodeId } = this.#keeping.membership();
    return witnessKey(nodeId as NodeId, this.#keeping.key().publicKey);
  }

  #installation(): string {
    return this.#keeping.membership().installationId;
  }
}

function offerOf({ checkpoint, publicKey, fromSize, proof, restart }: AuditOffer): Offer {
  return {
    checkpoint,
    publicKey,
    from: Number(fromSize),
    proof,
    restart: restart && {
      entry: restart.entry,
      index: Number(restart.index),
      proof: restart.proof,
    },
  };
}

function keptIn(text: string): Kept | undefined {
  try {
    const value = JSON.parse(text) as Partial<Kept> | null;
    const { log_key, checkpoint } = value ?? {};
    return typeof log_key === "string" && typeof checkpoint === "string"
      ? (value as Kept)
      : undefined;
  } catch {
    return undefined;
  }
}
