import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { detailOf, entryBytes, entryHash, entryText } from "@/core/audit/entry.ts";
import { leafHash } from "@/core/audit/merkle.ts";
import { toHex } from "@/std/bytes.ts";
import { entryOf } from "./world.ts";

describe("an entry of the log", () => {
  test("is canonical JSON with its number, on one line", () => {
    const entry = entryOf(3, { subject: "a\nb", detail: '{"kind":"main","uses":2}' });
    expect(entryText(entry)).toBe(
      '{"action":"token.created","actor":"operator:local","at":"2023-11-14T22:13:20.003Z",' +
        '"detail":{"kind":"main","uses":2},"number":"3","subject":"a\\nb"}',
    );
    expect(toHex(entryHash(entry))).toBe(toHex(leafHash(entryBytes(entry))));
  });

  test.each([
    ["a detail with a space", '{"uses": 3}'],
    ["a detail in another order", '{"b":1,"a":2}'],
    ["a detail with a fraction", '{"uses":3.5}'],
    ["a detail that is no JSON", "{uses"],
    ["a detail with half a character", '{"a":"\\ud800"}'],
  ])("%s was not written by us, and makes another leaf", (_, detail) => {
    expect(detailOf(detail)).toBe(detail);
    expect(toHex(entryHash(entryOf(3, { detail })))).not.toBe(toHex(entryHash(entryOf(3))));
  });

  test("a time beyond the calendar makes a leaf of its own and breaks nothing", () => {
    expect(entryText(entryOf(1, { atMs: 2n ** 62n }))).toContain('"at":"4611686018427387904"');
  });

  test("two entries that differ in anything have different leaves", () => {
    const entries = fc.record({
      number: fc.bigInt({ min: 1n, max: 2n ** 62n }),
      atMs: fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n }),
      actor: fc.string(),
      action: fc.string(),
      subject: fc.string(),
      detail: fc.oneof(fc.string(), fc.constant('{"uses":3}')),
    });
    fc.assert(
      fc.property(entries, entries, (one, other) => {
        const isSame = Bun.deepEquals(one, other);
        expect(toHex(entryHash(one)) === toHex(entryHash(other))).toBe(isSame);
      }),
    );
  });
});
