import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { unauthenticated } from "@/core/caller.ts";
import type { Answer } from "@/core/poot/accept.ts";
import type { HeartbeatBytes } from "@/core/poot/heartbeat.ts";
import type { Call, ServiceRpcs } from "@/ports/grpc.ts";
import {
  type HeartbeatReply,
  HeartbeatReplySchema,
  type HeartbeatRequest,
  type Registry as RegistryService,
} from "@/proto/registry_pb.ts";
import type { HeartbeatAnswer } from "./heartbeats.ts";
import type { Poot } from "./service.ts";

type Outcome = NonNullable<MessageInitShape<typeof HeartbeatReplySchema>["outcome"]>;

const SENTENCES: Readonly<Record<Exclude<Answer["type"], "accepted">, string>> = {
  unknown: "This node is no member of the pool it claims time of, or the claim is not its own.",
  reopen: "The pool does not know this session any more; begin a new one.",
  early: "This slot is counted already; come in the next one.",
  wait: "The pool's time and the claim's do not fit; wait, and use the slot in this answer.",
  behind: "The pool remembers more ticks of this session; go on from the receipt in this answer.",
};

/** The heartbeat calls of galaxy.pool.v1.Registry. */
export function pootRpcs(poot: Poot): ServiceRpcs<typeof RegistryService> {
  const heartbeat = async (request: HeartbeatRequest, call: Call): Promise<HeartbeatReply> => {
    if (!call.caller) throw unauthenticated();
    return replyOf(await poot.heartbeatAside(call.caller, heartbeatOf(request)));
  };
  return { heartbeat, heartbeatStream: heartbeat };
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
