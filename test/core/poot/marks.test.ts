import { describe, expect, test } from "bun:test";
import { mayBeForgotten, SESSION_MARKS_MAX, type SessionMarks } from "@/core/poot/marks.ts";
import type { PresenceRow } from "@/core/poot/row.ts";

const known: readonly SessionMarks[] = Array.from({ length: SESSION_MARKS_MAX }, (_, at) => ({
  session: new Uint8Array(16).fill(at + 1),
  credited: 1,
  seen: 100 + at,
}));

function rowOf(session: number, slot: number): PresenceRow {
  return { session: new Uint8Array(16).fill(session), slot } as PresenceRow;
}

describe("a row without marks", () => {
  test.each([
    ["older than all that are kept", rowOf(200, 100), known, true],
    ["younger than one that is kept", rowOf(200, 101), known, false],
    ["of a session that is kept", rowOf(1, 50), known, false],
    ["while there is room for more", rowOf(200, 50), known.slice(1), false],
  ])("%s: forgotten %p", (_, row, marks, forgotten) => {
    expect(mayBeForgotten(row, marks)).toBe(forgotten);
  });
});
