import { sameBytes } from "@/std/bytes.ts";
import { type Ack, decodeAck, verifyAck } from "./ack.ts";
import { type Claim, claimHashOf, decodeClaim, verifyClaim } from "./claim.ts";
import { OVER_CREDIT_SLACK } from "./evidence.ts";
import { decodeOpen, type Open, sessionIdOf, verifyOpen } from "./open.ts";
import type { Proof, ProofInterval } from "./proof.ts";

/** One thing a verifier looked at, with a sentence for the person who asked. */
export interface ProofCheck {
  readonly name: string;
  readonly ok: boolean;
  readonly sentence: string;
}

/** The two public keys a verifier has to know; everything else is in the proof. */
export interface ProofKeys {
  readonly poolKey: Uint8Array;
  readonly nodeKey: Uint8Array;
}

/** Whether every check of a proof holds. */
export function isProven(checks: readonly ProofCheck[]): boolean {
  return checks.every((check) => check.ok);
}

/** Checks a proof against two keys; refuses bytes that are no messages (`poot.malformed`). */
export function verifyProof(proof: Proof, keys: ProofKeys): readonly ProofCheck[] {
  const read: ReadProof = {
    proof,
    keys,
    open: decodeOpen(proof.open),
    claim: decodeClaim(proof.claim),
    ack: decodeAck(proof.ack),
  };
  return CHECKS.map(({ name, holds, yes, no }) => {
    const ok = holds(read);
    return { name, ok, sentence: ok ? yes : no };
  });
}

interface ReadProof {
  readonly proof: Proof;
  readonly keys: ProofKeys;
  readonly open: Open;
  readonly claim: Claim;
  readonly ack: Ack;
}

interface CheckRule {
  readonly name: string;
  readonly holds: (read: ReadProof) => boolean;
  readonly yes: string;
  readonly no: string;
}

const CHECKS: readonly CheckRule[] = [
  {
    name: "keys",
    holds: areKeysRight,
    yes: "Every message names the node and the pool that were asked for.",
    no: "A message names another node or another pool.",
  },
  {
    name: "open",
    holds: ({ open }) => verifyOpen(open),
    yes: "The node signed the OPEN that began the session.",
    no: "The node's signature on the OPEN does not hold.",
  },
  {
    name: "claim",
    holds: ({ claim }) => verifyClaim(claim),
    yes: "The node signed the newest CLAIM.",
    no: "The node's signature on the CLAIM does not hold.",
  },
  {
    name: "session",
    holds: isOneSession,
    yes: "The CLAIM belongs to the session of the OPEN.",
    no: "The CLAIM does not belong to the session of the OPEN.",
  },
  {
    name: "ack",
    holds: ({ ack, keys }) => verifyAck(ack, keys.poolKey),
    yes: "The pool signed the ACK.",
    no: "The pool's signature on the ACK does not hold.",
  },
  {
    name: "acknowledged",
    holds: ({ ack, claim }) =>
      sameBytes(ack.claimHash, claimHashOf(claim)) && ack.ticks === claim.ticks,
    yes: "The ACK acknowledges this CLAIM with all its ticks.",
    no: "The ACK acknowledges another CLAIM or other ticks.",
  },
  {
    name: "plausible",
    holds: ({ ack, open }) => ack.ticks <= ack.slot - open.startSlot + OVER_CREDIT_SLACK,
    yes: "There are no more ticks than slots since the session began.",
    no: "There are more ticks than slots since the session began; the pool credits too much.",
  },
  {
    name: "total",
    holds: ({ ack, proof }) => ack.creditTotal === proof.creditTotal,
    yes: "The credit total is the one the pool signed.",
    no: "The credit total is not the one the pool signed.",
  },
  {
    name: "table",
    holds: isTableSound,
    yes: "The interval table is in order and adds up to the credit total.",
    no: "The interval table is out of order or does not add up to the credit total.",
  },
];

function areKeysRight({ keys, proof, open, claim, ack }: ReadProof): boolean {
  const isNode = [proof, open, claim, ack].every((part) => sameBytes(part.nodeKey, keys.nodeKey));
  return isNode && [proof, open, claim].every((part) => sameBytes(part.poolKey, keys.poolKey));
}

function isOneSession({ open, claim, proof }: ReadProof): boolean {
  if (open.slotSeconds !== proof.slotSeconds) return false;
  return sameBytes(claim.session, sessionIdOf(open)) && claim.fromSlot === open.startSlot;
}

/** A range of intervals may hold less than the total, never more. */
function isTableSound({ proof }: ReadProof): boolean {
  const { intervals, slotsPerInterval, creditTotal, isComplete } = proof;
  if (!intervals.every((row) => isRowSound(row, slotsPerInterval))) return false;
  if (!intervals.every((row, at) => at === 0 || isAfter(row, intervals[at - 1]))) return false;
  const ticks = intervals.reduce((sum, row) => sum + row.ticks, 0);
  return isComplete ? ticks === creditTotal : ticks <= creditTotal;
}

function isRowSound(row: ProofInterval, slotsPerInterval: number): boolean {
  const figures = [row.up, row.down, row.unobserved, row.planned, row.ticks, row.recovered];
  if (!figures.every((figure) => Number.isSafeInteger(figure) && figure >= 0)) return false;
  if (row.firstSlot % slotsPerInterval !== 0) return false;
  return row.up + row.down + row.unobserved + row.planned <= slotsPerInterval;
}

function isAfter(row: ProofInterval, before: ProofInterval | undefined): boolean {
  if (!before || row.epoch > before.epoch) return true;
  return row.epoch === before.epoch && row.firstSlot > before.firstSlot;
}
