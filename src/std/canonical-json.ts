import { assert } from "./assert.ts";
import { utf8 } from "./bytes.ts";

/** What has exactly one spelling: no fractions, no undefined; amounts travel as decimal text. */
export type CanonicalValue =
  | string
  | number
  | boolean
  | null
  | readonly CanonicalValue[]
  | { readonly [name: string]: CanonicalValue };

/** The one spelling of a value (RFC 8785): names in the order of code units, no spaces. */
export function canonicalJson(value: CanonicalValue): string {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "string") return textOf(value);
  if (typeof value === "number") return integerOf(value);
  if (isList(value)) return `[${value.map(canonicalJson).join(",")}]`;
  const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([name, field]) => `${textOf(name)}:${canonicalJson(field)}`).join(",")}}`;
}

/** The bytes that are hashed and signed. */
export function canonicalBytes(value: CanonicalValue): Uint8Array {
  return utf8(canonicalJson(value));
}

function textOf(text: string): string {
  assert(text.isWellFormed(), "canonical text has no lone surrogate");
  return JSON.stringify(text);
}

function integerOf(value: number): string {
  assert(Number.isSafeInteger(value), "a canonical number is a safe integer");
  return String(value === 0 ? 0 : value);
}

/** `Array.isArray` does not narrow read-only arrays; this does. */
function isList(value: object): value is readonly CanonicalValue[] {
  return Array.isArray(value);
}
