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
export function entryText({ number, atMs, detail, ...act }: AuditEntry): string {
  return entryLine({ number: `${number}`, at: timeOf(atMs), detail: detailOf(detail), ...act });
}

/** An act as it is shown: times as text, the detail as a value. */
export interface ShownEntry {
  readonly number: string;
  readonly at: string;
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  readonly detail: CanonicalValue;
}

/** The line of an act as it is shown: its leaf. */
export function entryLine({ number, at, actor, action, subject, detail }: ShownEntry): string {
  return canonicalJson({
    number,
    at,
    actor: actor.toWellFormed(),
    action: action.toWellFormed(),
    subject: subject.toWellFormed(),
    detail,
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

/** RFC 3339, or the number where the calendar ends. */
export function timeOf(atMs: bigint): string {
  const isTime = atMs >= -TIME_MS_MAX && atMs <= TIME_MS_MAX;
  return isTime ? new Date(Number(atMs)).toISOString() : `${atMs}`;
}
