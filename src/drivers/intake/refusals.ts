import type { RequestClass } from "@/ports/intake.ts";
import { PoolError } from "@/std/errors.ts";

const WHO = { "limit.address": "this address", "limit.caller": "these credentials" } as const;

/** Somebody asks more often than the limits allow. */
export function tooOften(code: keyof typeof WHO, retryAfterSeconds: number): PoolError {
  const message = `Too many requests from ${WHO[code]}; slow down, then try again.`;
  return new PoolError("exhausted", code, message, { retryAfterSeconds });
}

/** There is more to do than time or memory for it. */
export function overloaded(of: RequestClass, retryAfterSeconds: number): PoolError {
  const message = `The pool has too much to do for requests of the class ${of}; try again later.`;
  return new PoolError("unavailable", "pool.overloaded", message, {
    class: of,
    retryAfterSeconds,
  });
}
