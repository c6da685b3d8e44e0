import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { Offer } from "@/core/audit/witness.ts";
import { unauthenticated } from "@/core/caller.ts";
import type { NodeId } from "@/core/ids.ts";
import type { Answer } from "@/core/poot/accept.ts";
import { decodeClaim } from "@/core/poot/claim.ts";
import type { HeartbeatBytes } from "@/core/poot/heartbeat.ts";
import type { Audit, CheckpointWitnesses } from "@/modules/audit/service.ts";
import type { Call, ServiceRpcs } from "@/ports/grpc.ts";
import type { RequestRefused, TellRefused } from "@/ports/refusal.ts";
import {
  AuditOfferSchema,
  type HeartbeatReply,
  HeartbeatReplySchema,
  type HeartbeatRequest,
  type Registry as RegistryService,
} from "@/proto/registry_pb.ts";
import type { RefusalKind } from "@/std/errors.ts";
import type { HeartbeatAnswer } from "./heartbeats.ts";
import type { Poot } from "./service.ts";

type Outcome = NonNullable<MessageInitShape<typeof HeartbeatReplySchema>["outcome"]>;

type Refused = Exclude<Answer["type"], "accepted">;

const SENTENCES: Readonly<Record<Refused, string>> = {
  unknown: "This node is no member of the pool it claims time of, or the claim is not its own.",
  reopen: "The pool does not know this session any more; begin a new one.",
  early: "This slot is counted already; come in the next one.",
  wait: "The pool's time and the claim's do not fit; wait, and use the slot in this answer.",
  behind: "The pool remembers more ticks of this session; go on from the receipt in this answer.",
};

/** What a refusal inside an answer would be as one of the twelve. */
const KINDS: Readonly<Record<Refused, RefusalKind>> = {
  unknown: "denied",
  reopen: "precondition",
  early: "precondition",
  wait: "unavailable",
  behind: "conflict",
};

/** What a reply may carry besides the answer to the heartbeat. */
interface HeartbeatNews {
  /** Whether the root was replaced and the node has not said that it keeps the new one. */
  readonly hasNewsFor?: (node: NodeId) => boolean;
  /** Whose log the nodes witness. */
  readonly audit?: Pick<Audit, "signedLog">;
}

/** The heartbeat calls of galaxy.pool.v1.Registry; refusals inside answers are told, too. */
export function pootRpcs(
  poot: Poot,
  tellRefused?: TellRefused,
  { hasNewsFor, audit }: HeartbeatNews = {},
): ServiceRpcs<typeof RegistryService> {
  const heartbeat = async (request: HeartbeatRequest, call: Call): Promise<HeartbeatReply> => {
    if (call.caller?.node === undefined) throw unauthenticated();
    const answered = await poot.heartbeatAside(call.caller, heartbeatOf(request));
    const { type } = answered.answer;
    if (type !== "accepted") tellRefused?.(refusedOf(type, answered, { request, call }));
    const reply = replyOf(answered);
    reply.authorityChanged = hasNewsFor?.(call.caller.node) ?? false;
    const { witnesses } = audit?.signedLog ?? {};
    if (witnesses) witness(witnesses, { request, node: call.caller.node }, reply);
    return reply;
  };
  return { heartbeat, heartbeatStream: heartbeat };
}

function refusedOf(
  type: Refused,
  { slot, slotSeconds }: HeartbeatAnswer,
  { request, call }: { readonly request: HeartbeatRequest; readonly call: Call },
): RequestRefused {
  const node = call.caller?.id;
  return {
    door: "poot",
    kind: KINDS[type],
    code: `poot.${type}`,
    address: call.address,
    ...(node !== undefined && { caller: node, subject: node }),
    skewMs: (decodeClaim(request.claim).toSlot - slot) * slotSeconds * 1000,
  };
}

/** The node's newest checkpoint of the audit log goes in, a newer one goes out with the reply. */
function witness(
  witnesses: CheckpointWitnesses,
  { request, node }: { readonly request: HeartbeatRequest; readonly node: NodeId },
  reply: HeartbeatReply,
): void {
  if (request.auditCheckpoint !== undefined) witnesses.take(node, request.auditCheckpoint);
  const offer = witnesses.offerFor(node);
  if (offer) reply.auditOffer = auditOffer(offer);
}

function auditOffer({ checkpoint, publicKey, from, proof, restart }: Offer) {
  return create(AuditOfferSchema, {
    checkpoint,
    publicKey,
    fromSize: BigInt(from),
    proof: [...proof],
    ...(restart && {
      restart: { entry: restart.entry, index: BigInt(restart.index), proof: [...restart.proof] },
    }),
  });
}

/** Empty bytes on the wire stand for what was not sent. */
function heartbeatOf(request: HeartbeatRequest): HeartbeatBytes {
  const { open, claim, receipt, handedClaim, handedReceipt } = request;
  const isHandedIn = handedClaim.length > 0 || handedReceipt.length > 0;
  return {
    open: open.length > 0 ? open : undefined,
    claim,
    receipt: receipt.length > 0 ? receipt : undefined,
    handedIn: isHandedIn ? { claim: handedClaim, receipt: handedReceipt } : undefined,
  };
}

function replyOf({ answer, poolTimeMs, slot, slotSeconds, nextInMs }: HeartbeatAnswer) {
  const ack = answer.type === "accepted" ? answer.ack : undefined;
  return create(HeartbeatReplySchema, {
    outcome: outcomeOf(answer),
    poolTimeMs: BigInt(poolTimeMs),
    slot: BigInt(slot),
    slotSeconds,
    nextInMs,
    ...(ack ? { ack } : {}),
  });
}

function outcomeOf(answer: Answer): Outcome {
  if (answer.type === "accepted") return { case: "accepted", value: { receipt: answer.receipt } };
  const receipt = "receipt" in answer ? answer.receipt : undefined;
  const message = SENTENCES[answer.type];
  return { case: answer.type, value: receipt ? { receipt, message } : { message } };
}
