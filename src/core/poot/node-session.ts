import { sameBytes } from "@/std/bytes.ts";
import { type SigningKey, sha256 } from "@/std/crypto.ts";
import { decodeAck, verifyAck } from "./ack.ts";
import { encodeClaim, signClaim } from "./claim.ts";
import type { ClaimAndReceipt, HeartbeatBytes } from "./heartbeat.ts";
import { NO_HASH } from "./message.ts";
import { decodeOpen, encodeOpen, OPEN_EXCLUSIVE, sessionIdOf, signOpen } from "./open.ts";
import { decodeReceipt, type Receipt } from "./receipt.ts";
import type { Slot, Ticks } from "./slot.ts";

/** Who the node is, to which pool it speaks, and how. */
export interface NodeIdentity {
  readonly key: SigningKey;
  readonly poolKey: Uint8Array;
  readonly slotSeconds: number;
  /** Whether the node promises to prove its time to this pool only. */
  readonly isExclusive: boolean;
}

/** The node's side of a session: a value; every step gives the next one. */
export interface NodeSession {
  readonly open: Uint8Array;
  readonly session: Uint8Array;
  readonly startSlot: Slot;
  /** Until the first ACK the OPEN is sent with every heartbeat. */
  readonly isAcknowledged: boolean;
  /** The CLAIM that waits for its answer. */
  readonly pending: PendingClaim | undefined;
  /** CLAIMs never answered; one of them may have been accepted all the same. Oldest first. */
  readonly unanswered: readonly Uint8Array[];
  /** The newest RECEIPT, and the CLAIM it answers. */
  readonly newest: NewestReceipt | undefined;
  /** What is handed in of the session before. */
  readonly handIn: ClaimAndReceipt | undefined;
  /** The newest ACK, of whatever session. */
  readonly ack: Uint8Array | undefined;
}

interface PendingClaim {
  readonly claim: Uint8Array;
  readonly madeIn: Slot;
}

interface NewestReceipt extends ClaimAndReceipt {
  readonly ticks: Ticks;
  readonly slot: Slot;
}

/** What a node carries over a restart. */
export interface NodeMemory {
  readonly last: ClaimAndReceipt | undefined;
  readonly ack: Uint8Array | undefined;
}

/** What the node has to say of itself in a heartbeat. */
export interface ClaimFacts {
  /** The pool's slot as the node computes it. */
  readonly slot: Slot;
  readonly healthPermille: number;
  readonly flags: number;
}

/** The pool's answer, as it came over the wire. */
export interface NodeAnswer {
  readonly type: "accepted" | "unknown" | "reopen" | "early" | "wait" | "behind";
  /** The pool's slot. */
  readonly slot: Slot;
  readonly receipt?: Uint8Array | undefined;
  readonly ack?: Uint8Array | undefined;
}

/** The session after a step, and the heartbeat to send; none when the slot is already proven. */
export interface NextClaim {
  readonly session: NodeSession;
  readonly heartbeat: HeartbeatBytes | undefined;
}

/** CLAIMs without an answer that are kept: the oldest, and the newest of the others. */
const UNANSWERED_MAX = 8;

/** Begins a session in the pool's slot; a restarted node always does. */
export function startSession(who: NodeIdentity, slot: Slot, memory: NodeMemory): NodeSession {
  const open = signOpen(
    {
      nodeKey: who.key.publicKey,
      poolKey: who.poolKey,
      startSlot: slot,
      slotSeconds: who.slotSeconds,
      flags: who.isExclusive ? OPEN_EXCLUSIVE : 0,
      prev: memory.last ? sha256(memory.last.claim) : NO_HASH,
    },
    who.key,
  );
  return {
    open: encodeOpen(open),
    session: sessionIdOf(open),
    startSlot: slot,
    isAcknowledged: false,
    pending: undefined,
    unanswered: [],
    newest: undefined,
    handIn: memory.last,
    ack: memory.ack,
  };
}

/** What the node has to keep over a restart: its newest CLAIM and RECEIPT, and the newest ACK. */
export function memoryOf(session: NodeSession): NodeMemory {
  const { newest, handIn, ack } = session;
  const last = newest ? { claim: newest.claim, receipt: newest.receipt } : handIn;
  return { last, ack };
}

/**
 * The heartbeat to send now. A CLAIM without an answer is repeated as it is until the next slot
 * ends; then a new one takes its place, or a new session if none was ever answered.
 */
export function nextClaim(session: NodeSession, who: NodeIdentity, facts: ClaimFacts): NextClaim {
  const { pending, newest } = session;
  if (pending && facts.slot <= pending.madeIn + 1) return send(session, pending.claim);
  if (newest && isProven(newest, facts.slot)) return { session, heartbeat: undefined };
  if (!newest && facts.slot !== session.startSlot) {
    return nextClaim(startSession(who, facts.slot, memoryOf(session)), who, facts);
  }
  const claim = makeClaim(session, who, facts);
  const next = { ...giveUp(session), pending: { claim, madeIn: facts.slot } };
  return send(next, claim);
}

/** A RECEIPT from further ahead means that the pool's clock was set back: only asking helps. */
function isProven(newest: NewestReceipt, slot: Slot): boolean {
  return newest.slot === slot || newest.slot === slot + 1;
}

/** The session after the pool's answer to the CLAIM that waits. */
export function onAnswer(session: NodeSession, who: NodeIdentity, answer: NodeAnswer): NodeSession {
  const heard = answer.ack ? onAck(session, who, answer.ack) : session;
  switch (answer.type) {
    case "unknown":
      return heard;
    case "reopen":
      return startSession(who, answer.slot, memoryOf(heard));
    case "behind": {
      const taken = takeReceipt(heard, answer.receipt);
      return taken ?? startSession(who, answer.slot, memoryOf(heard));
    }
    default:
      return takeReceipt(heard, answer.receipt) ?? giveUp(heard);
  }
}

function send(session: NodeSession, claim: Uint8Array): NextClaim {
  const { isAcknowledged, open, handIn, newest } = session;
  const receipt = newest?.receipt;
  const heartbeat = isAcknowledged
    ? { claim, receipt }
    : { open, claim, receipt, handedIn: handIn };
  return { session, heartbeat };
}

function makeClaim(session: NodeSession, who: NodeIdentity, facts: ClaimFacts): Uint8Array {
  const { newest } = session;
  const claim = signClaim(
    {
      session: session.session,
      nodeKey: who.key.publicKey,
      poolKey: who.poolKey,
      fromSlot: session.startSlot,
      toSlot: facts.slot,
      ticks: (newest?.ticks ?? 0) + 1,
      receiptHash: newest ? sha256(newest.receipt) : NO_HASH,
      healthPermille: facts.healthPermille,
      flags: facts.flags,
      prev: newest ? sha256(newest.claim) : NO_HASH,
    },
    who.key,
  );
  return encodeClaim(claim);
}

function giveUp(session: NodeSession): NodeSession {
  const { pending, unanswered } = session;
  if (!pending) return session;
  const all = [...unanswered, pending.claim];
  if (all.length > UNANSWERED_MAX) all.splice(1, 1);
  return { ...session, pending: undefined, unanswered: all };
}

/**
 * Takes a RECEIPT that is newer than ours and answers a CLAIM we know. The node cannot check the
 * MAC, and need not: a RECEIPT that is not the pool's is only answered `reopen`.
 */
function takeReceipt(session: NodeSession, bytes: Uint8Array | undefined): NodeSession | undefined {
  const receipt = bytes && decodeReceipt(bytes);
  if (!receipt || !sameBytes(receipt.session, session.session)) return undefined;
  if (receipt.ticks <= (session.newest?.ticks ?? 0)) return undefined;
  const claim = findClaim(session, receipt);
  if (!claim) return undefined;
  const newest = { claim, receipt: bytes, ticks: receipt.ticks, slot: receipt.slot };
  return { ...session, newest, pending: undefined, unanswered: [] };
}

function findClaim({ pending, unanswered }: NodeSession, receipt: Receipt): Uint8Array | undefined {
  const sent = pending ? [pending.claim, ...unanswered] : unanswered;
  return sent.find((claim) => sameBytes(sha256(claim), receipt.claimHash));
}

/**
 * The first ACK of this session ends the sending of its OPEN, and of what was handed in. The ACK of
 * the session before may come many times, and even name the slot in which this one started.
 */
function onAck(session: NodeSession, who: NodeIdentity, bytes: Uint8Array): NodeSession {
  const ack = decodeAck(bytes);
  if (!verifyAck(ack, who.poolKey) || !sameBytes(ack.nodeKey, who.key.publicKey)) return session;
  const heard = { ...session, ack: newerAck(session.ack, bytes) };
  const isOfSessionBefore = sameBytes(ack.claimHash, decodeOpen(session.open).prev);
  if (isOfSessionBefore) return { ...heard, handIn: undefined };
  if (ack.slot < session.startSlot) return heard;
  return { ...heard, isAcknowledged: true, handIn: undefined };
}

/** A pool restored from a backup may state less than it has signed; the higher word is kept. */
function newerAck(kept: Uint8Array | undefined, ack: Uint8Array): Uint8Array {
  const isKept = kept && decodeAck(kept).creditTotal > decodeAck(ack).creditTotal;
  return isKept ? kept : ack;
}
