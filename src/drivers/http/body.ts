import { concat } from "@/std/bytes.ts";
import { PoolError } from "@/std/errors.ts";
import { tooLarge, unsupportedMediaType } from "./problems.ts";

/** Refuses a body that says it is too large or is not JSON, before a byte of it is read. */
export function requireSmallJson(request: Request, maxBytes: number): void {
  const length = request.headers.get("content-length");
  if (length !== null && Number(length) > maxBytes) throw tooLarge(maxBytes);
  if (request.body === null) return;
  const type = request.headers.get("content-type")?.split(";", 1)[0]?.trim().toLowerCase();
  if (type !== "application/json") throw unsupportedMediaType();
}

/** Refuses JSON that is no object: to a schema of optional fields a list looks like nothing at all. */
export function requireObject(body: unknown): void {
  if (body === undefined) return;
  if (typeof body === "object" && body !== null && !Array.isArray(body)) return;
  const errors = [{ path: "body", message: "Expected object" }];
  throw new PoolError("invalid", "request.invalid", "Send the body as one JSON object.", {
    errors,
  });
}

/** Whether a request has a body that does not say its size. */
export function isUnsized(request: Request): boolean {
  return (
    request.method !== "GET" && request.body !== null && !request.headers.has("content-length")
  );
}

/** The whole body; refuses as soon as it is larger than it may be. */
export async function readBounded(request: Request, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body ?? []) {
    length += chunk.length;
    if (length > maxBytes) throw tooLarge(maxBytes);
    chunks.push(chunk);
  }
  return concat(...chunks);
}
