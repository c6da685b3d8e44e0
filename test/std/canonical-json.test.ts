import { describe, expect, test } from "bun:test";
import { type CanonicalValue, canonicalBytes, canonicalJson } from "@/std/canonical-json.ts";

describe("canonical JSON", () => {
  test.each<[CanonicalValue, string]>([
    [null, "null"],
    [true, "true"],
    [false, "false"],
    [0, "0"],
    [-0, "0"],
    [2 ** 53 - 1, "9007199254740991"],
    [-7, "-7"],
    [[], "[]"],
    [{}, "{}"],
    [[1, "a", [null]], '[1,"a",[null]]'],
    [{ b: 1, a: { d: 2, c: 3 } }, '{"a":{"c":3,"d":2},"b":1}'],
    ['\u20ac$\u000f\nA\'B"\\\\"/', '"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'],
  ])("spells %j as %s", (value, text) => {
    expect(canonicalJson(value)).toBe(text);
  });

  test("orders names by code unit, as the example of RFC 8785 does", () => {
    const names = ["\u20ac", "\r", "\ufb33", "1", "\u{1f600}", "\u0080", "\u00f6"];
    const value = Object.fromEntries(names.map((name) => [name, 0]));
    expect(Object.keys(JSON.parse(canonicalJson(value)))).toEqual([
      "1",
      "\r",
      "\u0080",
      "\u00f6",
      "\u20ac",
      "\u{1f600}",
      "\ufb33",
    ]);
  });

  test.each([0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])("has no spelling for %p", (n) => {
    expect(() => canonicalJson([n])).toThrow("safe integer");
  });

  test("has no spelling for half a letter, in a value or a name", () => {
    expect(() => canonicalJson("\ud800")).toThrow("surrogate");
    expect(() => canonicalJson({ "\udc00": 1 })).toThrow("surrogate");
  });

  test("is UTF-8 in bytes", () => {
    expect([...canonicalBytes("é")]).toEqual([0x22, 0xc3, 0xa9, 0x22]);
  });
});
