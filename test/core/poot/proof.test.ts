import { describe, expect, test } from "bun:test";
import { decodeAck, encodeAck, signAck } from "@/core/poot/ack.ts";
import { decodeClaim, encodeClaim, signClaim } from "@/core/poot/claim.ts";
import { findEquivocation, findOverCredit, provesOffence } from "@/core/poot/evidence.ts";
import { closeInterval } from "@/core/poot/interval.ts";
import { decodeOpen, encodeOpen } from "@/core/poot/open.ts";
import { newPresence } from "@/core/poot/presence.ts";
import type { Proof } from "@/core/poot/proof.ts";
import { countStates } from "@/core/poot/slot-state.ts";
import { isProven, verifyProof } from "@/core/poot/verify.ts";
import { sha256 } from "@/std/crypto.ts";
import {
  closeNodeOf,
  closing,
  live,
  NODE,
  OTHER,
  OTHER_POOL,
  openOf,
  POOL,
  S,
  T,
} from "./world.ts";

const KEYS = { poolKey: POOL.publicKey, nodeKey: NODE.publicKey };

/** The proof of ten slots, as a pool hands it out. */
function honestProof(): Proof {
  const table = newPresence(S, 10);
  live(table, S, S + 9);
  const result = closeInterval(closing(S), [closeNodeOf(table)]).nodes[0];
  const row = result?.rows[0];
  if (!result || !row) throw new Error("nothing was closed");
  const counts = countStates(result.slots?.states ?? []);
  return {
    ...KEYS,
    slotSeconds: T,
    slotsPerInterval: 10,
    open: encodeOpen(openOf(S)),
    claim: row.claim,
    ack: row.ack,
    creditTotal: 10,
    isComplete: true,
    intervals: [{ epoch: 0, firstSlot: S, ticks: 10, recovered: 0, ...counts }],
  };
}

const proof = honestProof();
const row = proof.intervals[0] ?? {
  epoch: 0,
  firstSlot: S,
  ticks: 10,
  recovered: 0,
  ...countStates([]),
};

function signedAck(change: Partial<ReturnType<typeof decodeAck>>, key = POOL): Uint8Array {
  return encodeAck(signAck({ ...decodeAck(proof.ack), ...change }, key));
}

function claimOf(change: Partial<ReturnType<typeof decodeClaim>>, key = NODE): Uint8Array {
  return encodeClaim(signClaim({ ...decodeClaim(proof.claim), ...change }, key));
}

function failed(change: Partial<Proof>, keys = KEYS): string[] {
  const checks = verifyProof({ ...proof, ...change }, keys);
  return checks.filter((check) => !check.ok).map((check) => check.name);
}

describe("a proof", () => {
  test("of an honest pool and an honest node holds, check by check, in sentences", () => {
    const checks = verifyProof(proof, KEYS);
    expect(isProven(checks)).toBe(true);
    expect(checks.map((check) => check.name)).toEqual([
      "keys",
      "open",
      "claim",
      "session",
      "ack",
      "acknowledged",
      "plausible",
      "total",
      "table",
    ]);
    expect(checks.every((check) => check.sentence.endsWith("."))).toBe(true);
  });

  test("of another node or another pool fails", () => {
    expect(failed({}, { ...KEYS, nodeKey: OTHER.publicKey })).toEqual(["keys"]);
    expect(failed({}, { ...KEYS, poolKey: OTHER_POOL.publicKey })).toEqual(["keys", "ack"]);
  });

  const forged = { ...decodeOpen(proof.open), signature: new Uint8Array(64) };
  const unsigned = { ...decodeClaim(proof.claim), signature: new Uint8Array(64) };
  const many = claimOf({ ticks: 13 });
  test.each([
    ["an OPEN nobody signed", { open: encodeOpen(forged) }, ["open"]],
    ["a CLAIM nobody signed", { claim: encodeClaim(unsigned) }, ["claim", "acknowledged"]],
    ["an OPEN of another session", { open: encodeOpen(openOf(S - 1)) }, ["session"]],
    ["other slots", { slotSeconds: 60 }, ["session"]],
    ["an ACK of another CLAIM", { ack: signedAck({ claimHash: sha256() }) }, ["acknowledged"]],
    ["an ACK of fewer ticks", { ack: signedAck({ ticks: 9 }) }, ["acknowledged"]],
    ["an ACK nobody signed", { ack: signedAck({}, OTHER) }, ["ack"]],
    [
      "more ticks than slots",
      { claim: many, ack: signedAck({ claimHash: sha256(many), ticks: 13 }) },
      ["plausible"],
    ],
    ["another total", { creditTotal: 11 }, ["total", "table"]],
    [
      "a total beyond the table",
      { ack: signedAck({ creditTotal: 11 }), creditTotal: 11 },
      ["table"],
    ],
    ["more slots than an interval has", { intervals: [{ ...row, down: 1 }] }, ["table"]],
    ["half a slot", { intervals: [{ ...row, up: 9.5 }] }, ["table"]],
    ["a count below zero", { intervals: [{ ...row, recovered: -1 }] }, ["table"]],
    ["an interval between intervals", { intervals: [{ ...row, firstSlot: S + 1 }] }, ["table"]],
    ["an interval twice", { intervals: [row, { ...row, ticks: 0 }] }, ["table"]],
  ])("with %s fails", (_, change, names) => {
    expect(failed(change)).toEqual(names);
  });

  test("of a range may hold less than the total, never more", () => {
    const ack = signedAck({ creditTotal: 500 });
    expect(failed({ ack, creditTotal: 500, isComplete: false })).toEqual([]);
    const less = signedAck({ creditTotal: 9 });
    expect(failed({ ack: less, creditTotal: 9, isComplete: false })).toEqual(["table"]);
  });

  test("may go over a new time epoch", () => {
    const intervals = [
      { ...row, ticks: 4 },
      { ...row, epoch: 1, firstSlot: S - 100, ticks: 6 },
    ];
    expect(failed({ intervals })).toEqual([]);
    expect(failed({ intervals: intervals.toReversed() })).toEqual(["table"]);
  });

  test("made of other bytes is refused", () => {
    expect(() => verifyProof({ ...proof, ack: proof.claim }, KEYS)).toThrow(
      expect.objectContaining({ code: "poot.malformed" }),
    );
  });
});

describe("evidence of equivocation", () => {
  const second = signedAck({ creditTotal: 9 });
  test("is two ACKs of one CLAIM that differ", () => {
    const evidence = findEquivocation(POOL.publicKey, proof.ack, second);
    expect(evidence?.type).toBe("E3");
    expect(evidence && provesOffence(evidence)).toBe(true);
  });

  test.each([
    ["the same ACK twice", proof.ack, proof.ack],
    ["ACKs of two CLAIMs", proof.ack, signedAck({ claimHash: sha256() })],
    ["an ACK of another pool", proof.ack, signedAck({ creditTotal: 9 }, OTHER_POOL)],
    ["a first ACK of another pool", signedAck({ creditTotal: 9 }, OTHER_POOL), proof.ack],
  ])("is not %s", (_, one, two) => {
    expect(findEquivocation(POOL.publicKey, one, two)).toBeUndefined();
  });
});

describe("evidence of too much credit", () => {
  function over(ticks: number, change: Partial<ReturnType<typeof decodeClaim>> = {}, key = NODE) {
    const claim = claimOf({ ticks, ...change }, key);
    const ack = signedAck({ claimHash: sha256(claim), ticks });
    return { claim, ack };
  }

  test.each([
    [11, false],
    [12, true],
  ])("with %d ticks in ten slots: %p", (ticks, proves) => {
    const { claim, ack } = over(ticks);
    const evidence = findOverCredit(proof.open, claim, ack);
    expect(evidence !== undefined).toBe(proves);
    if (evidence) expect(provesOffence(evidence)).toBe(true);
  });

  const { claim, ack } = over(500);
  const ofOther = over(500, { nodeKey: OTHER.publicKey }, OTHER);
  const atOther = over(500, { poolKey: OTHER_POOL.publicKey });
  const unsigned = encodeClaim({ ...decodeClaim(claim), signature: new Uint8Array(64) });
  const unsignedOpen = encodeOpen({ ...decodeOpen(proof.open), signature: new Uint8Array(64) });
  const foreignAck = signedAck({ claimHash: sha256(claim), ticks: 500, nodeKey: OTHER.publicKey });
  const ackOfOther = signedAck({ claimHash: sha256(claim), ticks: 500 }, OTHER_POOL);
  const ackOfUnsigned = signedAck({ claimHash: sha256(unsigned), ticks: 500 });
  test.each([
    ["an OPEN of another session", encodeOpen(openOf(S - 1)), claim, ack],
    ["a CLAIM of another node", proof.open, ofOther.claim, ofOther.ack],
    ["a CLAIM at another pool", proof.open, atOther.claim, atOther.ack],
    ["an ACK of another CLAIM", proof.open, claim, signedAck({ ticks: 500 })],
    ["an ACK for another node", proof.open, claim, foreignAck],
    ["an ACK of another pool", proof.open, claim, ackOfOther],
    ["a CLAIM nobody signed", proof.open, unsigned, ackOfUnsigned],
    ["an OPEN nobody signed", unsignedOpen, claim, ack],
  ])("does not come from %s", (_, open, said, acknowledged) => {
    expect(findOverCredit(open, said, acknowledged)).toBeUndefined();
  });
});
