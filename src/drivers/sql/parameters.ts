import { assert } from "@/std/assert.ts";
import { PoolError } from "@/std/errors.ts";
import { checkFailed } from "./refusals.ts";

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);

/** What both databases can be handed. */
export type Parameter = string | bigint | number | null | Uint8Array;

/** Parameters in the one form that both databases store alike. */
export function parametersOf(values: readonly unknown[]): Parameter[] {
  return values.map(parameterOf);
}

function parameterOf(value: unknown): Parameter {
  if (typeof value === "string") return textOf(value);
  if (typeof value === "bigint") return integerOf(value);
  if (typeof value === "number") return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (typeof value === "boolean") return value ? 1n : 0n;
  if (value === null || value instanceof Uint8Array) return value;
  assert(false, `a query has a parameter of type ${typeof value}`);
}

/** PostgreSQL cannot store NUL in a text and SQLite's functions stop at it, so neither is handed it. */
function textOf(text: string): string {
  if (!text.includes("\0")) return text;
  throw new PoolError("invalid", "database.text", "Text must not hold the character NUL.");
}

function integerOf(value: bigint): bigint {
  if (value >= INT64_MIN && value <= INT64_MAX) return value;
  throw checkFailed("integers have 64 bits");
}
