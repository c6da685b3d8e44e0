import { describe, expect, test } from "bun:test";
import {
  areValidators,
  faultsOf,
  indexOf,
  leaderOf,
  newCommittee,
  quorumOf,
} from "@/core/consensus/quorum.ts";
import type { Hash, PublicKey } from "@/core/consensus/types.ts";
import { AssertionError } from "@/std/assert.ts";
import { hashOf } from "./world.ts";

const EVERY_N = Array.from({ length: 100 }, (_, at) => at + 1);

function committeeOf(n: number, genesis: Hash) {
  const validators = EVERY_N.slice(0, n).map((byte) => hashOf(byte) as string as PublicKey);
  return newCommittee({ epoch: 1, validators, genesis, genesisHeight: 0 });
}

describe("quorums", () => {
  test.each([
    [1, 1],
    [2, 2],
    [3, 2],
    [4, 3],
    [5, 4],
    [6, 4],
    [7, 5],
    [10, 7],
    [16, 11],
    [31, 21],
    [100, 67],
  ])("of %d validators are %d, as the specification says", (n, quorum) => {
    expect(quorumOf(n)).toBe(quorum);
  });

  test("two quorums share more than f, and the honest are a quorum, for 1 to 100 validators", () => {
    for (const n of EVERY_N) {
      const f = faultsOf(n);
      expect(3 * f + 1).toBeLessThanOrEqual(n);
      expect(3 * (f + 1) + 1).toBeGreaterThan(n);
      expect(2 * quorumOf(n) - n).toBeGreaterThan(f);
      expect(quorumOf(n)).toBeLessThanOrEqual(n - f);
      // One less would not do: either two of them might share only liars, or one is no majority.
      expect(2 * (quorumOf(n) - 1) - n).toBeLessThanOrEqual(f);
    }
  });

  test("are 2f + 1 when there are 3f + 1 validators", () => {
    for (const n of EVERY_N.filter((count) => count % 3 === 1)) {
      expect(quorumOf(n)).toBe(2 * faultsOf(n) + 1);
    }
  });
});

describe("a committee", () => {
  test("leads in turns, from a place the genesis decides", () => {
    const committee = committeeOf(4, `00000006${"0".repeat(56)}` as Hash);
    expect([1, 2, 3, 4, 5, 2 ** 52].map((view) => leaderOf(committee, view))).toEqual([
      3, 0, 1, 2, 3, 2,
    ]);
  });

  test("knows the index of a member, and that others have none", () => {
    const committee = committeeOf(4, hashOf(9));
    expect(indexOf(committee, hashOf(1) as string as PublicKey)).toBe(0);
    expect(indexOf(committee, hashOf(3) as string as PublicKey)).toBe(2);
    expect(indexOf(committee, hashOf(5) as string as PublicKey)).toBeNull();
  });

  test.each([
    ["nobody", []],
    ["somebody twice", [hashOf(1), hashOf(2), hashOf(1)]],
    ["more than a bitmap can name", Array.from({ length: 257 }, (_, at) => `${at}`)],
  ])("is not made of %s", (_, keys) => {
    const validators = keys as string[] as PublicKey[];
    expect(areValidators(validators)).toBe(false);
    expect(() =>
      newCommittee({ epoch: 1, validators, genesis: hashOf(9), genesisHeight: 0 }),
    ).toThrow(AssertionError);
  });

  test("has up to 256 members", () => {
    const validators = Array.from({ length: 256 }, (_, at) => `${at}` as PublicKey);
    expect(areValidators(validators)).toBe(true);
  });
});
