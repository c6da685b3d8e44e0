import { describe, expect, test } from "bun:test";
import {
  bitmapOf,
  compareRank,
  genesisCert,
  hasSigned,
  higherOf,
} from "@/core/consensus/certificates.ts";
import * as samples from "./samples.ts";
import { symbolicWorld } from "./world.ts";

describe("a rank", () => {
  test.each([
    ["a later view", { epoch: 1, view: 3 }, { epoch: 1, view: 2 }, 1],
    ["an earlier view", { epoch: 1, view: 2 }, { epoch: 1, view: 3 }, -1],
    ["the same view", { epoch: 1, view: 2 }, { epoch: 1, view: 2 }, 0],
    ["a later epoch, whatever the view", { epoch: 2, view: 0 }, { epoch: 1, view: 9 }, 1],
    ["an earlier epoch, whatever the view", { epoch: 1, view: 9 }, { epoch: 2, view: 0 }, -1],
  ])("compares %s", (_, a, b, sign) => {
    expect(Math.sign(compareRank(a, b))).toBe(sign);
  });

  test("of two certificates the higher is taken, and the one we have when they are equal", () => {
    const { cert } = samples;
    const same = { ...cert, kind: "C" } as const;
    const later = { ...cert, view: 10 };
    expect(higherOf(cert, same)).toBe(cert);
    expect(higherOf(cert, later)).toBe(later);
    expect(higherOf(later, cert)).toBe(later);
  });
});

describe("a certificate", () => {
  test("says who signed it, in the order of the bits", () => {
    const cert = { ...samples.cert, bitmap: bitmapOf([0, 7, 8, 12], 13) };
    expect(cert.bitmap).toEqual(Uint8Array.of(0x81, 0x11));
    const signers = Array.from({ length: 30 }, (_, at) => at).filter((at) => hasSigned(cert, at));
    expect(signers).toEqual([0, 7, 8, 12]);
  });

  test("of the genesis has no signer, and ranks below all others of its epoch", () => {
    const { committee } = symbolicWorld(4);
    const genesis = genesisCert(committee, "C");
    expect(genesis).toMatchObject({ view: 0, epoch: 1, height: 0, block: committee.genesis });
    expect(hasSigned(genesis, 0)).toBe(false);
    expect(compareRank(genesis, { epoch: 1, view: 1 })).toBeLessThan(0);
  });
});
