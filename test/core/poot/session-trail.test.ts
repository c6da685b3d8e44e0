import { describe, expect, test } from "bun:test";
import type { NodeId } from "@/core/ids.ts";
import { noteSession, type SessionTrails } from "@/core/poot/session-trail.ts";

const NODE = "node" as NodeId;

/** Whether the node goes back, for each of the sessions named by a letter. */
function heard(letters: string, trails: SessionTrails = new Map()): boolean[] {
  return [...letters].map((letter) => {
    const session = new Uint8Array(16).fill(letter.charCodeAt(0));
    return noteSession(trails, NODE, session);
  });
}

describe("a node", () => {
  test.each([
    ["that goes on goes on", "aaaa", 0],
    ["that starts anew, and anew, never goes back", "aabbbcddd", 0],
    ["whose late answer comes after its new start goes back and on", "aabab", 2],
    ["that is two machines goes back each time", "ababababab", 8],
    ["that is three machines does too", "abcabcabc", 6],
  ])("%s", (_, letters, back) => {
    expect(heard(letters).filter(Boolean)).toHaveLength(back);
  });

  test("is remembered by its newest sessions only", () => {
    expect(heard("abcdefghia").at(-1)).toBe(false);
    expect(heard("abcdefgha").at(-1)).toBe(true);
  });

  test("is forgotten when ten thousand others were heard later", () => {
    const trails: SessionTrails = new Map();
    heard("ab", trails);
    for (let at = 0; at < 10_000; at++) noteSession(trails, `${at}` as NodeId, new Uint8Array(16));
    expect(trails.size).toBe(10_000);
    expect(heard("a", trails)).toEqual([false]);
  });
});
