import { NotFoundError, ParseError, ValidationError } from "elysia";
import { isRefusal, PoolError, REFUSALS } from "@/std/errors.ts";
import { scrub } from "@/std/scrub.ts";

/** What went wrong in one place of a request. */
interface InputFault {
  readonly path: string;
  readonly message: string;
}

/** A refusal that HTTP spells with a status of its own, outside the twelve kinds. */
export class HttpRefusal extends Error {
  override readonly name = "HttpRefusal";
  readonly refusal: PoolError;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, refusal: PoolError, headers: Readonly<Record<string, string>> = {}) {
    super(refusal.message);
    this.status = status;
    this.refusal = refusal;
    this.headers = headers;
  }
}

/** The names of the statuses a problem may carry. */
const TITLES: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  409: "Conflict",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  429: "Too Many Requests",
  500: "Internal Server Error",
  501: "Not Implemented",
  503: "Service Unavailable",
  504: "Gateway Timeout",
};

const RETRY_AFTER_SECONDS = 5;

/**
 * What was thrown, as a refusal with its status; undefined when it is a fault of ours, about which
 * the caller learns nothing.
 */
export function refusalOf(thrown: unknown, url: string): HttpRefusal | undefined {
  if (thrown instanceof HttpRefusal) return thrown;
  if (thrown instanceof NotFoundError) return new HttpRefusal(404, routeUnknown());
  if (thrown instanceof ParseError) return new HttpRefusal(400, malformed());
  if (thrown instanceof ValidationError) {
    return thrown.type === "response" ? undefined : new HttpRefusal(400, invalid(thrown, url));
  }
  if (!isRefusal(thrown) || thrown.kind === "internal") return undefined;
  return new HttpRefusal(REFUSALS[thrown.kind].http, thrown, headersOf(thrown));
}

/** A fault of ours as the log may hold it: an answer that broke its own schema may hold secrets. */
export function loggable(fault: unknown): unknown {
  if (!(fault instanceof ValidationError)) return fault;
  const places = faultsOf(fault).map(({ path, message }) => `${path}: ${message}`);
  return new Error(`an answer breaks its own schema (${places.join("; ")})`);
}

/** The refusal a fault of ours is answered with. */
export function internalFault(): HttpRefusal {
  const message = "Something went wrong in the pool itself; its log says more under this instance.";
  return new HttpRefusal(500, new PoolError("internal", "internal", message));
}

/** The answer of a refusal (RFC 9457); the instance names the request, as the log does. */
export function problemResponse({ status, refusal, headers }: HttpRefusal, id: string): Response {
  const { errors, retryAfterSeconds: _, ...details } = refusal.details;
  const problem = {
    ...details,
    type: `urn:galaxy-pool:problem:${refusal.code}`,
    title: TITLES[status] ?? "Error",
    status,
    code: refusal.code,
    detail: refusal.message,
    instance: `urn:galaxy-pool:request:${id}`,
    ...(errors && { errors }),
  };
  const type = { "content-type": "application/problem+json" };
  return new Response(scrub(JSON.stringify(problem, bigintAsText)), {
    status,
    headers: { ...type, ...headers },
  });
}

/** No path like this. */
export function routeUnknown(): PoolError {
  return new PoolError(
    "not_found",
    "route.unknown",
    "There is nothing at this address; /docs lists what there is.",
  );
}

/** The path exists, but not for this method. */
export function methodNotAllowed(methods: readonly string[]): HttpRefusal {
  const allow = methods.join(", ");
  const message = `This address does not take that method; it takes ${allow}.`;
  return new HttpRefusal(405, new PoolError("invalid", "request.method_not_allowed", message), {
    allow,
  });
}

/** The body is not JSON by its own account. */
export function unsupportedMediaType(): HttpRefusal {
  const message = "Send the body as JSON, with Content-Type: application/json.";
  const refusal = new PoolError("invalid", "request.unsupported_media_type", message);
  return new HttpRefusal(415, refusal, { accept: "application/json" });
}

/** The body is larger than `http.max_body_bytes`. */
export function tooLarge(maxBytes: number): HttpRefusal {
  const message = `The body is too large; at most ${maxBytes} bytes are taken.`;
  return new HttpRefusal(413, new PoolError("invalid", "request.too_large", message));
}

function malformed(): PoolError {
  return new PoolError("invalid", "request.malformed", "The body is not valid JSON.");
}

function invalid(error: ValidationError, url: string): PoolError {
  const errors = isConversion(error) ? [conversionFault(error, url)] : faultsOf(error);
  const places = errors.map((fault) => fault.path).join(", ");
  const message = `The request is not as it should be: ${places}. See errors, and /docs.`;
  return new PoolError("invalid", "request.invalid", message, { errors });
}

/** A number of the query that is out of its limits: Elysia does not say which one it was. */
function isConversion(error: ValidationError): boolean {
  return error.type === "property";
}

function conversionFault(error: ValidationError, url: string): InputFault {
  const query = [...new URL(url).searchParams];
  const name = query.find(([, text]) => Number(text) === error.value)?.[0];
  const message = messageOf(error.all[0] ?? {});
  return { path: name === undefined ? "query" : `query.${name}`, message };
}

/** Where the input is wrong; what was sent is never repeated. */
function faultsOf(error: ValidationError): InputFault[] {
  const seen = new Map<string, InputFault>();
  for (const found of error.all) {
    if (!("path" in found)) continue;
    const path = `${error.type}${found.path.replaceAll("/", ".")}`;
    if (!seen.has(path)) seen.set(path, { path, message: messageOf(found) });
  }
  return seen.size > 0 ? [...seen.values()] : [{ path: error.type, message: "is not valid" }];
}

interface Wanted {
  readonly description?: string;
  readonly enum?: readonly unknown[];
  readonly type?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly anyOf?: readonly Wanted[];
}

function messageOf(found: object): string {
  const { message, schema } = found as { message?: string; schema?: Wanted };
  const text = (schema && wordsOf(schema)) ?? message ?? "is not valid";
  return schema?.description === undefined ? text : `${text}: ${schema.description}`;
}

/** What the checker has no words of its own for: one of a list, and numbers that may come as text. */
function wordsOf(schema: Wanted): string | undefined {
  if (schema.enum) return `Expected one of ${schema.enum.join(", ")}`;
  const number = schema.anyOf?.find(({ type }) => type === "integer" || type === "number");
  if (!number) return undefined;
  const least = number.minimum === undefined ? "" : ` from ${number.minimum}`;
  const most = number.maximum === undefined ? "" : ` to ${number.maximum}`;
  const kind = number.type === "integer" ? "a whole number" : "a number";
  return `Expected ${kind}${least}${most}`;
}

function headersOf(refusal: PoolError): Record<string, string> {
  if (refusal.kind === "unauthenticated") return { "www-authenticate": "Bearer" };
  if (refusal.kind !== "unavailable" && refusal.kind !== "exhausted") return {};
  const seconds = refusal.details.retryAfterSeconds ?? RETRY_AFTER_SECONDS;
  return { "retry-after": `${Math.ceil(seconds)}` };
}

function bigintAsText(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}
