import { fromBinary } from "@bufbuild/protobuf";
import { type ServiceError, status as Status } from "@grpc/grpc-js";
import { ErrorInfoSchema, RetryInfoSchema, StatusSchema } from "@/proto/refusal_pb.ts";
import { PoolError, REFUSALS, type RefusalDetails, type RefusalKind } from "@/std/errors.ts";

const DOMAIN = "galaxy-pool";
const KINDS = new Map(
  Object.entries(REFUSALS).map(([kind, { grpc }]) => [grpc as number, kind as RefusalKind]),
);

/** What gRPC says of a call that failed, in our words: the pool's own refusal where it is one. */
export function refusalOf(error: ServiceError, address: string): PoolError {
  const kind = KINDS.get(error.code) ?? "internal";
  const told = toldIn(error);
  if (told) return new PoolError(kind, told.code, error.details, told.details, error);
  return withoutCode(error, kind, address);
}

/** The refusal for a pool nobody answers for. */
export function unreachable(address: string, cause?: unknown): PoolError {
  const message = `The pool at ${address} cannot be reached; check the address, and that it runs.`;
  return new PoolError("unavailable", "pool.unreachable", message, {}, cause);
}

function withoutCode(error: ServiceError, kind: RefusalKind, address: string): PoolError {
  const { code, details } = error;
  if (code === Status.UNAVAILABLE || code === Status.CANCELLED) return unreachable(address, error);
  if (code === Status.DEADLINE_EXCEEDED) {
    const message = `The pool at ${address} did not answer in time; try again later.`;
    return new PoolError("deadline", "pool.timeout", message, {}, error);
  }
  const message = details || `The pool at ${address} refused without saying why.`;
  return new PoolError(kind, "pool.refused", message, {}, error);
}

/** The code and details in grpc-status-details-bin; undefined when a stranger wrote it, or nobody. */
function toldIn(error: ServiceError): { code: string; details: RefusalDetails } | undefined {
  const [bytes] = error.metadata?.get("grpc-status-details-bin") ?? [];
  if (!(bytes instanceof Uint8Array)) return undefined;
  try {
    const { details } = fromBinary(StatusSchema, bytes);
    const packedIn = (typeName: string) =>
      details.find(({ typeUrl }) => typeUrl.endsWith(`/${typeName}`))?.value;
    const info = fromBinary(ErrorInfoSchema, packedIn(ErrorInfoSchema.typeName) ?? bytes);
    if (info.domain !== DOMAIN) return undefined;
    const retry = packedIn(RetryInfoSchema.typeName);
    return { code: info.reason, details: { ...info.metadata, ...(retry && delayIn(retry)) } };
  } catch {
    return undefined;
  }
}

function delayIn(bytes: Uint8Array): RefusalDetails {
  const { retryDelay } = fromBinary(RetryInfoSchema, bytes);
  if (!retryDelay) return {};
  return { retryAfterSeconds: Number(retryDelay.seconds) + retryDelay.nanos / 1e9 };
}
