import { sameBytes } from "@/std/bytes.ts";
import { decodeAck, verifyAck } from "./ack.ts";
import { claimHashOf, decodeClaim, verifyClaim } from "./claim.ts";
import { decodeOpen, sessionIdOf, verifyOpen } from "./open.ts";

/** E3: the pool has signed two different ACKs of one CLAIM. */
export interface Equivocation {
  readonly type: "E3";
  readonly poolKey: Uint8Array;
  readonly first: Uint8Array;
  readonly second: Uint8Array;
}

/** E4: the pool has credited more ticks than there were slots since the session began. */
export interface OverCredit {
  readonly type: "E4";
  readonly open: Uint8Array;
  readonly claim: Uint8Array;
  readonly ack: Uint8Array;
}

/** What shows an offence to anybody, by signatures alone (poot.md, section 6). */
export type Evidence = Equivocation | OverCredit;

/** Ticks a pool may credit beyond the slots between OPEN and ACK before it is an offence. */
export const OVER_CREDIT_SLACK = 2;

/** Whether the evidence proves what it says; refuses bytes that are no messages (`poot.malformed`). */
export function provesOffence(evidence: Evidence): boolean {
  return evidence.type === "E3" ? isEquivocation(evidence) : isOverCredit(evidence);
}

/** The equivocation in two ACKs of a pool, if there is one. */
export function findEquivocation(
  poolKey: Uint8Array,
  first: Uint8Array,
  second: Uint8Array,
): Equivocation | undefined {
  const evidence: Equivocation = { type: "E3", poolKey, first, second };
  return isEquivocation(evidence) ? evidence : undefined;
}

/** The over-credit in an OPEN, a CLAIM of its session and the ACK of that CLAIM, if there is one. */
export function findOverCredit(
  open: Uint8Array,
  claim: Uint8Array,
  ack: Uint8Array,
): OverCredit | undefined {
  const evidence: OverCredit = { type: "E4", open, claim, ack };
  return isOverCredit(evidence) ? evidence : undefined;
}

/** One CLAIM has one ACK for ever; Ed25519 gives one signature for it. */
function isEquivocation({ poolKey, first, second }: Equivocation): boolean {
  const a = decodeAck(first);
  const b = decodeAck(second);
  if (!sameBytes(a.claimHash, b.claimHash) || sameBytes(first, second)) return false;
  return verifyAck(a, poolKey) && verifyAck(b, poolKey);
}

/** A slot gives one tick, so ticks cannot outrun the slots since the OPEN. */
function isOverCredit(evidence: OverCredit): boolean {
  const open = decodeOpen(evidence.open);
  const claim = decodeClaim(evidence.claim);
  const ack = decodeAck(evidence.ack);
  if (ack.ticks <= ack.slot - open.startSlot + OVER_CREDIT_SLACK) return false;
  if (!sameBytes(claim.session, sessionIdOf(open))) return false;
  if (!sameBytes(claim.nodeKey, open.nodeKey) || !sameBytes(ack.nodeKey, open.nodeKey))
    return false;
  if (!sameBytes(claim.poolKey, open.poolKey)) return false;
  if (!sameBytes(ack.claimHash, claimHashOf(claim))) return false;
  return verifyOpen(open) && verifyClaim(claim) && verifyAck(ack, open.poolKey);
}
