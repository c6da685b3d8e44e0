import { nodeIdOf } from "@/core/ids.ts";
import { type AcceptContext, type Answer, acceptHeartbeat } from "@/core/poot/accept.ts";
import { type Claim, encodeClaim, signClaim } from "@/core/poot/claim.ts";
import type { CloseContext, CloseNode } from "@/core/poot/closing.ts";
import { type HeartbeatBytes, readHeartbeat } from "@/core/poot/heartbeat.ts";
import { newNodeMarks } from "@/core/poot/marks.ts";
import { NO_HASH } from "@/core/poot/message.ts";
import { encodeOpen, type Open, sessionIdOf, signOpen } from "@/core/poot/open.ts";
import type { PresenceTable } from "@/core/poot/presence.ts";
import { decodeReceipt, type ReceiptMasters } from "@/core/poot/receipt.ts";
import type { PresenceRow } from "@/core/poot/row.ts";
import { type SigningKey, sha256, signingKey } from "@/std/crypto.ts";

/** A key pair from one byte. */
export function keyOf(seed: number): SigningKey {
  return signingKey(new Uint8Array(32).fill(seed));
}

export const NODE = keyOf(1);
export const OTHER = keyOf(2);
export const POOL = keyOf(9);
export const OTHER_POOL = keyOf(8);
export const T = 30;
/** A slot in 2026; 100 is the first slot of an interval of ten. */
export const S = 59_000_000;

export const MASTERS: ReceiptMasters = {
  current: { keyId: 7, secret: new Uint8Array(32).fill(77) },
};

/** The pool at a slot, with the node asking. */
export function at(now: number, change: Partial<AcceptContext> = {}): AcceptContext {
  return {
    now,
    isWaiting: false,
    slotSeconds: T,
    poolKey: POOL.publicKey,
    masters: MASTERS,
    node: nodeIdOf(NODE.publicKey),
    nodeKey: NODE.publicKey,
    membership: "member",
    ...change,
  };
}

export function openOf(startSlot: number, change: Partial<Open> = {}, key = NODE): Open {
  const open = {
    nodeKey: key.publicKey,
    poolKey: POOL.publicKey,
    startSlot,
    slotSeconds: T,
    flags: 0,
    prev: NO_HASH,
  };
  return signOpen({ ...open, ...change }, key);
}

/** The first heartbeat of a session. */
export function first(open: Open, change: Partial<Claim> = {}, key = NODE): HeartbeatBytes {
  const claim = {
    session: sessionIdOf(open),
    nodeKey: key.publicKey,
    poolKey: POOL.publicKey,
    fromSlot: open.startSlot,
    toSlot: open.startSlot,
    ticks: 1,
    receiptHash: NO_HASH,
    healthPermille: 1000,
    flags: 0,
    prev: NO_HASH,
  };
  return { open: encodeOpen(open), claim: encodeClaim(signClaim({ ...claim, ...change }, key)) };
}

/** The heartbeat that stands on a RECEIPT. */
export function next(
  receipt: Uint8Array,
  toSlot: number,
  change: Partial<Claim> = {},
  key = NODE,
): HeartbeatBytes {
  const said = decodeReceipt(receipt);
  const claim = {
    session: said.session,
    nodeKey: key.publicKey,
    poolKey: POOL.publicKey,
    fromSlot: said.openSlot,
    toSlot,
    ticks: said.ticks + 1,
    receiptHash: sha256(receipt),
    healthPermille: 1000,
    flags: 0,
    prev: said.claimHash,
  };
  return { claim: encodeClaim(signClaim({ ...claim, ...change }, key)), receipt };
}

/** What the pool answers to these bytes. */
export function ask(table: PresenceTable, context: AcceptContext, bytes: HeartbeatBytes): Answer {
  return acceptHeartbeat(table, context, readHeartbeat(bytes));
}

/** The RECEIPT of an answer; the test fails when there is none. */
export function receiptOf(answer: Answer): Uint8Array {
  if ("receipt" in answer && answer.receipt) return answer.receipt;
  throw new Error(`the answer is ${answer.type}, without a RECEIPT`);
}

/** Heartbeats in a session from one slot to another; the last RECEIPT. */
export function live(table: PresenceTable, from: number, to: number): Uint8Array {
  let receipt = receiptOf(ask(table, at(from), first(openOf(from))));
  for (let slot = from + 1; slot <= to; slot++) {
    receipt = receiptOf(ask(table, at(slot), next(receipt, slot)));
  }
  return receipt;
}

/** The close of ten slots. */
export function closing(firstSlot: number, change: Partial<CloseContext> = {}): CloseContext {
  return {
    interval: { epoch: 0, firstSlot, slots: 10 },
    slotSeconds: T,
    key: POOL,
    notLooked: new Set(),
    gapFrom: firstSlot,
    ...change,
  };
}

/** A node at the close, registered at slot S. */
export function closeNodeOf(table: PresenceTable, change: Partial<CloseNode> = {}): CloseNode {
  const node = change.node ?? nodeIdOf(NODE.publicKey);
  const presence = table.nodes.get(node);
  return {
    node,
    membership: "member",
    rows: presence?.sessions ?? [],
    window: presence?.window,
    marks: newNodeMarks(S),
    sessions: [],
    weightPermille: 1000,
    healthPermille: 1000,
    plannedBefore: 0,
    ...change,
  };
}

/** A row that fits its claim, as another replica might have left it. */
export function rowOf(ticks: number, slot: number, openSlot: number, key = NODE): PresenceRow {
  const open = openOf(openSlot, {}, key);
  const { claim } = first(open, { ticks, toSlot: slot }, key);
  return { session: sessionIdOf(open), ticks, slot, openSlot, claim, open: encodeOpen(open) };
}
