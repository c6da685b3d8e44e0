import { PoolError } from "./errors.ts";

const PATTERN = /^\d{4}-\d{2}-\d{2}([Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2}))?$/;

/**
 * Milliseconds since 1970 of a text in RFC 3339, or of a date, which stands for its first moment in
 * UTC. Refuses what is neither (`request.invalid`); `path` says where the text came from.
 */
export function readTime(text: string, path: string): number {
  const ms = PATTERN.test(text) ? Date.parse(text.toUpperCase()) : Number.NaN;
  if (!Number.isNaN(ms) && sameDate(ms, text)) return ms;
  const message = "must be a date, like 2026-01-31, or a time, like 2026-01-31T12:00:00Z";
  throw new PoolError("invalid", "request.invalid", `The time ${message}.`, {
    errors: [{ path, message }],
  });
}

/** The thirtieth of February is none, although it can be counted to. */
function sameDate(ms: number, text: string): boolean {
  return text.length > 10 || new Date(ms).toISOString().slice(0, 10) === text;
}
