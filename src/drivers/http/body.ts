import { tooLarge, unsupportedMediaType } from "./problems.ts";

/** Refuses a body that says it is too large or is not JSON, before a byte of it is read. */
export function requireSmallJson(request: Request, maxBytes: number): void {
  const length = request.headers.get("content-length");
  if (length !== null && Number(length) > maxBytes) throw tooLarge(maxBytes);
  if (request.body === null) return;
  const type = request.headers.get("content-type")?.split(";", 1)[0]?.trim().toLowerCase();
  if (type !== "application/json") throw unsupportedMediaType();
}
