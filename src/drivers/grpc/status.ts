import { create, type DescMessage, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { Metadata, status as Status } from "@grpc/grpc-js";
import { ErrorInfoSchema, RetryInfoSchema, StatusSchema } from "@/proto/refusal_pb.ts";
import { type PoolError, REFUSALS, type RefusalDetails } from "@/std/errors.ts";
import { scrub } from "@/std/scrub.ts";

/** How grpc-js wants to be told that a call did not go well. */
export interface StatusReply {
  readonly code: number;
  readonly details: string;
  readonly metadata: Metadata;
}

const DOMAIN = "galaxy-pool";

/** A refusal on the wire: its kind as the status code, its code in a google.rpc.ErrorInfo. */
export function statusOf(refusal: PoolError): StatusReply {
  const { kind, code, message, details } = refusal;
  const metadata = new Metadata();
  const sentence = scrub(message.toWellFormed());
  const info = create(ErrorInfoSchema, {
    reason: code,
    domain: DOMAIN,
    metadata: textsOf(details),
  });
  const retry = details.retryAfterSeconds;
  const status = create(StatusSchema, {
    code: REFUSALS[kind].grpc,
    message: sentence,
    details: [packed(ErrorInfoSchema, info), ...(retry === undefined ? [] : [retryIn(retry)])],
  });
  metadata.set("grpc-status-details-bin", Buffer.from(toBinary(StatusSchema, status)));
  return { code: status.code, details: sentence, metadata };
}

/** A fault of ours: the caller learns nothing about it. */
export function internalStatus(): StatusReply {
  const details = "Something went wrong in the pool itself; its log says more.";
  return { code: Status.INTERNAL, details, metadata: new Metadata() };
}

function retryIn(seconds: number) {
  const whole = Math.floor(seconds);
  const retryDelay = { seconds: BigInt(whole), nanos: Math.round((seconds - whole) * 1e9) };
  return packed(RetryInfoSchema, create(RetryInfoSchema, { retryDelay }));
}

function packed<Schema extends DescMessage>(schema: Schema, message: MessageShape<Schema>) {
  const typeUrl = `type.googleapis.com/${schema.typeName}`;
  return { typeUrl, value: toBinary(schema, message) };
}

/** Figures and names as text; what is more than one word stays at home. */
function textsOf({ retryAfterSeconds: _, ...rest }: RefusalDetails): Record<string, string> {
  const texts = Object.entries(rest).filter(([, value]) =>
    ["string", "number", "bigint", "boolean"].includes(typeof value),
  );
  const named = texts.map(([name, value]) => [name, String(value).toWellFormed()]);
  return JSON.parse(scrub(JSON.stringify(Object.fromEntries(named))));
}
