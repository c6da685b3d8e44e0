import { utf8 } from "@/std/bytes.ts";
import { type CanonicalValue, canonicalJson } from "@/std/canonical-json.ts";
import { type Hash, leafHash } from "./merkle.ts";

/** One act, as the log keeps it. */
export interface AuditEntry {
  /** The row's own number; numbers rise, and may leave gaps. */
  readonly number: bigint;
  readonly atMs: bigint;
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  /** Canonical JSON. */
  readonly detail: string;
}

/** The bytes of an entry that are a leaf of the log: canonical JSON (RFC 8785), one line. */
export function entryBytes(entry: AuditEntry): Uint8Array {
  return utf8(entryText(entry));
}

/** The same as text. */
export function entryText({ number, atMs, actor, action, subject, detail }: AuditEntry): string {
  return canonicalJson({
    number: `${number}`,
    at: timeOf(atMs),
    actor: actor.toWellFormed(),
    action: action.toWellFormed(),
    subject: subject.toWellFormed(),
    detail: detailOf(detail),
  });
}

/** The leaf of an entry. */
export function entryHash(entry: AuditEntry): Hash {
  return leafHash(entryBytes(entry));
}

/**
 * What is kept of an act as a value. Text that is not canonical JSON was not written by us: as a text
 * it makes another leaf than it would have, so that a change of it is seen and breaks nothing.
 */
export function detailOf(text: string): CanonicalValue {
  try {
    const value = JSON.parse(text) as CanonicalValue;
    if (canonicalJson(value) === text) return value;
  } catch {
    // It is shown, and hashed, as the text it is.
  }
  return text.toWellFormed();
}

const TIME_MS_MAX = 8_640_000_000_000_000n;

function timeOf(atMs: bigint): string {
  const isTime = atMs >= -TIME_MS_MAX && atMs <= TIME_MS_MAX;
  return isTime ? new Date(Number(atMs)).toISOString() : `${atMs}`;
}
