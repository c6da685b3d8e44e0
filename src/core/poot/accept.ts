import type { NodeId } from "@/core/ids.ts";
import { sameBytes } from "@/std/bytes.ts";
import { sha256 } from "@/std/crypto.ts";
import { CLAIM_MAINTENANCE } from "./claim.ts";
import {
  type HandedIn,
  type Heartbeat,
  isOpenOfSession,
  type Read,
  type Signatures,
  verifyHeartbeat,
} from "./heartbeat.ts";
import type { Membership } from "./membership.ts";
import { NO_HASH } from "./message.ts";
import {
  findSession,
  type NodePresence,
  OPEN_EVERY_SLOTS,
  type PresenceTable,
  rememberNode,
  rememberSession,
  type SessionPresence,
} from "./presence.ts";
import {
  checkReceipt,
  isReceiptFresh,
  issueReceipt,
  type Receipt,
  type ReceiptMasters,
} from "./receipt.ts";
import type { Slot } from "./slot.ts";
import { noteHeard } from "./slot-window.ts";

/** The pool at the moment of a heartbeat, and who sends it. */
export interface AcceptContext {
  /** The pool's slot. */
  readonly now: Slot;
  /** Whether the pool's clock is not to be believed (section 1): nothing new is accepted. */
  readonly isWaiting: boolean;
  readonly slotSeconds: number;
  readonly poolKey: Uint8Array;
  readonly masters: ReceiptMasters;
  readonly node: NodeId;
  /** The key of the caller, as the transport has proven it. */
  readonly nodeKey: Uint8Array;
  readonly membership: Membership | undefined;
  /** The first slot that may earn, of a member that was pending: older sessions begin anew. */
  readonly memberFrom?: Slot | undefined;
}

/** What the pool says to a heartbeat; refusals travel in-band and a stream survives them. */
export type Answer =
  | {
      readonly type: "accepted";
      readonly receipt: Uint8Array;
      readonly ack: Uint8Array | undefined;
    }
  | { readonly type: "unknown" }
  | { readonly type: "reopen" }
  | { readonly type: "early" | "wait" | "behind"; readonly receipt: Uint8Array | undefined };

/** A heartbeat whose signatures were looked at, by whomever. */
export interface VerifiedHeartbeat extends Heartbeat {
  readonly signatures: Signatures;
}

/**
 * Judges a heartbeat and remembers it when it is accepted (poot.md, section 3). Changes the table.
 * Signatures are checked here; `acceptVerified` is for those who let a worker check them.
 */
export function acceptHeartbeat(
  table: PresenceTable,
  context: AcceptContext,
  heartbeat: Heartbeat,
): Answer {
  if (!isOfMember(context, heartbeat)) return { type: "unknown" };
  const signatures = verifyHeartbeat(heartbeat, isOpenKnown(table, context.node, heartbeat));
  return acceptVerified(table, context, { ...heartbeat, signatures });
}

/** Whether the OPEN of a running session is known, so that its signature is checked only once. */
export function isOpenKnown(table: PresenceTable, node: NodeId, heartbeat: Heartbeat): boolean {
  if (!heartbeat.receipt) return false;
  return findSession(table, node, heartbeat.claim.value.session)?.isOpenKnown === true;
}

/** The checks of section 3 in their order; the first that fails answers. Changes the table. */
export function acceptVerified(
  table: PresenceTable,
  context: AcceptContext,
  heartbeat: VerifiedHeartbeat,
): Answer {
  if (!heartbeat.signatures.claim || !isOfMember(context, heartbeat)) return { type: "unknown" };
  const { claim } = heartbeat;
  const known = findSession(table, context.node, claim.value.session);
  if (known && sameBytes(known.claimHash, claim.hash)) return sameAnswer(table, context, known);
  if (context.isWaiting) return { type: "wait", receipt: known?.receipt };
  if (!isFounded(context, heartbeat)) return { type: "reopen" };
  const refusal = untimely(table, context, heartbeat);
  if (refusal) return { type: refusal, receipt: known?.receipt };
  return accept(table, context, heartbeat);
}

/** Check 1, but for the signature: the caller's own claim, for this pool, from a member. */
function isOfMember(context: AcceptContext, { claim }: Heartbeat): boolean {
  if (context.membership !== "member" && context.membership !== "pending") return false;
  if (!sameBytes(claim.value.nodeKey, context.nodeKey)) return false;
  return sameBytes(claim.value.poolKey, context.poolKey);
}

/** Check 2: a repeated CLAIM gets the answer it got, in whatever slot it comes. */
function sameAnswer(table: PresenceTable, context: AcceptContext, known: SessionPresence): Answer {
  const ack = tellAck(rememberNode(table, context.node), true);
  return { type: "accepted", receipt: known.receipt, ack };
}

/** Check 3: a CLAIM stands on a new OPEN or on a RECEIPT of ours. */
function isFounded(context: AcceptContext, heartbeat: VerifiedHeartbeat): boolean {
  if (!heartbeat.receipt) return opensSession(context, heartbeat);
  if (isOfPendingTime(context, heartbeat.receipt)) return false;
  return isOurReceipt(context, heartbeat.receipt) && continues(heartbeat, heartbeat.receipt);
}

/** What is heard before a node is a member, or in the very slot in which it became one. */
function isBeforeAdmission({ membership, memberFrom = 0, now }: AcceptContext): boolean {
  return membership === "pending" || now < memberFrom;
}

/** A session of the time before a node was admitted counts ticks that never earn: it ends there. */
function isOfPendingTime(
  { membership, memberFrom = 0 }: AcceptContext,
  { value }: Read<Receipt>,
): boolean {
  return membership === "member" && value.openSlot < memberFrom;
}

/**
 * A session starts in the pool's slot now. An earlier start would count slots before it as another
 * session's and cost an honest node a tick at the close.
 */
function opensSession(context: AcceptContext, heartbeat: VerifiedHeartbeat): boolean {
  const { open, claim, signatures } = heartbeat;
  if (!open || !signatures.open || !isOpenOfSession(heartbeat)) return false;
  if (open.value.startSlot !== context.now) return false;
  if (open.value.slotSeconds !== context.slotSeconds) return false;
  if (!sameBytes(open.value.nodeKey, context.nodeKey)) return false;
  if (!sameBytes(open.value.poolKey, context.poolKey)) return false;
  if (claim.value.ticks !== 1 || claim.value.fromSlot !== open.value.startSlot) return false;
  return sameBytes(claim.value.receiptHash, NO_HASH) && sameBytes(claim.value.prev, NO_HASH);
}

function isOurReceipt(context: AcceptContext, receipt: Read<Receipt>): boolean {
  if (receipt.value.slotSeconds !== context.slotSeconds) return false;
  if (!isReceiptFresh(receipt.value, context.now)) return false;
  return checkReceipt(context.masters, receipt.bytes, context);
}

function continues({ claim }: Heartbeat, receipt: Read<Receipt>): boolean {
  const said = claim.value;
  if (!sameBytes(receipt.value.session, said.session)) return false;
  if (said.ticks !== receipt.value.ticks + 1) return false;
  if (said.fromSlot !== receipt.value.openSlot) return false;
  if (!sameBytes(said.prev, receipt.value.claimHash)) return false;
  return sameBytes(said.receiptHash, sha256(receipt.bytes));
}

/** Checks 4 and 5, and the limit on new OPENs: does it come in its time? */
function untimely(
  table: PresenceTable,
  context: AcceptContext,
  { claim, receipt }: Heartbeat,
): "early" | "wait" | "behind" | undefined {
  const { now } = context;
  const presence = table.nodes.get(context.node);
  const known = findSession(table, context.node, claim.value.session);
  if (!receipt && !known && presence && now - presence.openedSlot < OPEN_EVERY_SLOTS) {
    return "early";
  }
  if (receipt?.value.slot === now || known?.slot === now) return "early";
  if (Math.max(receipt?.value.slot ?? -1, known?.slot ?? -1) > now) return "wait";
  if (known && known.ticks >= claim.value.ticks) return "behind";
  return Math.abs(claim.value.toSlot - now) > 1 ? "wait" : undefined;
}

/** Step 6: the new RECEIPT's slot is the pool's; what the CLAIM says of slots never earns. */
function accept(
  table: PresenceTable,
  context: AcceptContext,
  heartbeat: VerifiedHeartbeat,
): Answer {
  const { claim, signatures } = heartbeat;
  const { ticks, fromSlot: openSlot, session, flags } = claim.value;
  const { now: slot, slotSeconds } = context;
  const fields = { slotSeconds, session, ticks, slot, openSlot, claimHash: claim.hash };
  const receipt = issueReceipt(context.masters, fields, context);
  const presence = rememberNode(table, context.node);
  const open = signatures.open && isOpenOfSession(heartbeat) ? heartbeat.open?.bytes : undefined;
  if (!heartbeat.receipt) presence.openedSlot = slot;
  if (open && heartbeat.handedIn) takeIn(presence, context, heartbeat);
  const isPending = isBeforeAdmission(context);
  rememberSession(presence, { claim, receipt, slot, openSlot, open, isPending });
  noteHeard(presence.window, slot, (flags & CLAIM_MAINTENANCE) !== 0);
  return { type: "accepted", receipt, ack: tellAck(presence, heartbeat.open !== undefined) };
}

/** What a restarted node hands in of its session before becomes a row at the RECEIPT's slot. */
function takeIn(
  presence: NodePresence,
  context: AcceptContext,
  { handedIn, signatures, claim }: VerifiedHeartbeat,
): void {
  if (!handedIn || !signatures.handedIn || !isOurs(context, handedIn)) return;
  const { slot, openSlot, session, ticks } = handedIn.receipt.value;
  if (sameBytes(session, claim.value.session)) return;
  const known = presence.sessions.find((other) => sameBytes(other.session, session));
  if (known && known.ticks >= ticks) return;
  const receipt = handedIn.receipt.bytes.slice();
  const isPending = isBeforeAdmission(context);
  const row = { claim: handedIn.claim, receipt, slot, openSlot, open: undefined, isPending };
  rememberSession(presence, row);
}

function isOurs(context: AcceptContext, { claim, receipt }: HandedIn): boolean {
  if (!sameBytes(claim.value.nodeKey, context.nodeKey)) return false;
  if (!sameBytes(claim.value.poolKey, context.poolKey)) return false;
  if (!sameBytes(claim.value.session, receipt.value.session)) return false;
  if (!sameBytes(claim.hash, receipt.value.claimHash)) return false;
  if (claim.value.ticks !== receipt.value.ticks || receipt.value.slot > context.now) return false;
  return isOurReceipt(context, receipt) && !isOfPendingTime(context, receipt);
}

/** The ACK rides on the first answer after a close, and on each while the node asks for it. */
function tellAck(presence: NodePresence, isAsked: boolean): Uint8Array | undefined {
  if (presence.isAckTold && !isAsked) return undefined;
  presence.isAckTold = true;
  return presence.ack;
}
