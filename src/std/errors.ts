/** The twelve ways of saying no, and how HTTP and gRPC spell each (house.md, section 3). */
export const REFUSALS = {
  invalid: { http: 400, grpc: 3 },
  unauthenticated: { http: 401, grpc: 16 },
  denied: { http: 403, grpc: 7 },
  not_found: { http: 404, grpc: 5 },
  exists: { http: 409, grpc: 6 },
  conflict: { http: 409, grpc: 10 },
  precondition: { http: 409, grpc: 9 },
  exhausted: { http: 429, grpc: 8 },
  internal: { http: 500, grpc: 13 },
  unimplemented: { http: 501, grpc: 12 },
  unavailable: { http: 503, grpc: 14 },
  deadline: { http: 504, grpc: 4 },
} as const;

/** One of the twelve kinds of refusal. */
export type RefusalKind = keyof typeof REFUSALS;

/** What a refusal may carry besides its sentence; nothing here is secret. */
export interface RefusalDetails {
  /** Where the input was wrong. */
  readonly errors?: readonly { readonly path: string; readonly message: string }[];
  /** Seconds after which trying again makes sense. */
  readonly retryAfterSeconds?: number;
  /** Figures and names a program may want to read. */
  readonly [name: string]: unknown;
}

/**
 * A refusal: we understood and said no. `code` is public API (`pool.full`) and never renamed;
 * `message` is a sentence that says what, why and what to do, and holds no secrets.
 */
export class PoolError extends Error {
  override readonly name = "PoolError";
  readonly kind: RefusalKind;
  readonly code: string;
  readonly details: RefusalDetails;

  constructor(
    kind: RefusalKind,
    code: string,
    message: string,
    details: RefusalDetails = {},
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.kind = kind;
    this.code = code;
    this.details = details;
  }
}

/** Whether something thrown is a refusal of ours, as opposed to a fault. */
export function isRefusal(thrown: unknown): thrown is PoolError {
  return thrown instanceof PoolError;
}
