import { sameBytes } from "@/std/bytes.ts";
import { sha256 } from "@/std/crypto.ts";
import { isRefusal } from "@/std/errors.ts";
import { encodeAck, signAck } from "./ack.ts";
import { type Claim, decodeClaim } from "./claim.ts";
import type {
  CloseContext,
  ClosedInterval,
  ClosedNode,
  CloseNode,
  CreditRow,
  LeftOut,
  Settled,
  StoredOpen,
} from "./closing.ts";
import {
  creditOf,
  inSlotOrder,
  mayBeForgotten,
  type NodeMarks,
  raiseSession,
  type SessionMarks,
  sessionMarksOf,
} from "./marks.ts";
import { observe } from "./observe.ts";
import type { PresenceRow } from "./row.ts";
import { SLOT_MAX, type Ticks } from "./slot.ts";

/** Health below this is paid as none. */
export const HEALTH_PAID_MIN_PERMILLE = 500;

/** Closes an interval: rows of the presence table become credits (poot.md, section 4). */
export function closeInterval(context: CloseContext, nodes: readonly CloseNode[]): ClosedInterval {
  const leftOut: LeftOut[] = [];
  const closed = nodes.map((node) => {
    const reason = unbookable(node);
    if (reason !== undefined) leftOut.push({ node: node.node, reason });
    return reason === undefined ? closeNode(context, node) : leaveOut(context, node);
  });
  return { interval: context.interval, gapFrom: context.gapFrom, nodes: closed, leftOut };
}

function closeNode(context: CloseContext, node: CloseNode): ClosedNode {
  const settled = settleRows(context, node);
  return { node: node.node, ...settled, ...observe(context, node, settled) };
}

/** Nothing is settled, but what was seen of the node's slots is written all the same. */
function leaveOut(context: CloseContext, node: CloseNode): ClosedNode {
  const settled = settleRows(context, { ...node, rows: [] });
  const seen = { ...node, rows: node.rows.filter(isRowSound) };
  return { node: node.node, ...settled, ...observe(context, seen, settled) };
}

function settleRows(context: CloseContext, node: CloseNode): Settled {
  let settled: Settled = { rows: [], opens: [], marks: node.marks, sessions: node.sessions };
  for (const row of inSlotOrder(node.rows)) {
    const session = sessionMarksOf(row, settled.sessions);
    if (row.ticks > session.credited) settled = settleRow(context, node, { settled, row, session });
  }
  return settled;
}

/** A row that is still to settle, and what was settled before it. */
interface OpenRow {
  readonly settled: Settled;
  readonly row: PresenceRow;
  readonly session: SessionMarks;
}

/** The row of who does not earn raises the marks all the same: nothing comes back later. */
function settleRow(
  context: CloseContext,
  node: CloseNode,
  { settled, row, session }: OpenRow,
): Settled {
  const sessions = withSession(settled.sessions, raiseSession(session, row));
  if (!mayEarn(node, row)) {
    return { ...settled, sessions, marks: raiseNode(settled.marks, row, 0) };
  }
  if (mayBeForgotten(row, node.sessions)) return { ...settled, sessions };
  const ticks = creditOf(row, session, settled.marks.lastSlot);
  const { marks } = settled;
  return {
    rows: [...settled.rows, creditRow(context, { ...node, marks }, { row, ticks })],
    opens: row.open ? [...settled.opens, storedOpen(row, row.open)] : settled.opens,
    marks: raiseNode(marks, row, ticks),
    sessions,
  };
}

/** Rows heard while the node was pending never earn, whatever became of it since. */
function mayEarn({ membership }: CloseNode, row: PresenceRow): boolean {
  return row.isPending !== true && (membership === "member" || membership === "left");
}

function storedOpen({ session }: PresenceRow, open: Uint8Array): StoredOpen {
  return { session, open };
}

/** The node's marks after a row was settled, paid or not. */
function raiseNode(marks: NodeMarks, row: PresenceRow, ticks: Ticks): NodeMarks {
  const lastSlot = Math.max(marks.lastSlot, row.slot);
  return { ...marks, lastSlot, creditTotal: marks.creditTotal + ticks };
}

function creditRow(
  context: CloseContext,
  { marks, weightPermille, healthPermille }: CloseNode,
  { row, ticks }: { readonly row: PresenceRow; readonly ticks: Ticks },
): CreditRow {
  const { nodeKey, healthPermille: ownHealth } = decodeClaim(row.claim);
  const creditTotal = marks.creditTotal + ticks;
  const claimHash = sha256(row.claim);
  const ack = { claimHash, nodeKey, ticks: row.ticks, creditTotal, slot: row.slot };
  return {
    session: row.session,
    fromSlot: Math.min(marks.lastSlot + 1, row.slot),
    toSlot: row.slot,
    ticks,
    weightPermille,
    healthPermille: paidHealth(Math.min(healthPermille, ownHealth)),
    claim: row.claim,
    ack: encodeAck(signAck(ack, context.key)),
  };
}

function paidHealth(permille: number): number {
  return permille < HEALTH_PAID_MIN_PERMILLE ? 0 : permille;
}

function withSession(known: readonly SessionMarks[], raised: SessionMarks): SessionMarks[] {
  return [...known.filter((other) => !sameBytes(other.session, raised.session)), raised];
}

/** Why a node cannot be booked. Its rows stay where they are; the others never wait for it. */
function unbookable(node: CloseNode): string | undefined {
  if (node.refusal !== undefined) return node.refusal;
  if (!isWithin(node.weightPermille, 0xffff)) return "the weight is not a number of thousandths";
  if (!isWithin(node.healthPermille, 1000)) return "the health is not a number of thousandths";
  if (!node.rows.every(isRowSound)) return "a row does not fit its claim";
  return undefined;
}

function isWithin(value: number, max: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= max;
}

function isRowSound(row: PresenceRow): boolean {
  const claim = findClaim(row.claim);
  if (!claim || claim.ticks !== row.ticks || !isWithin(row.slot, SLOT_MAX)) return false;
  return isWithin(row.openSlot, row.slot) && sameBytes(claim.session, row.session);
}

/** The only catch of this folder: one bad row must not refuse the close of all the others. */
function findClaim(bytes: Uint8Array): Claim | undefined {
  try {
    return decodeClaim(bytes);
  } catch (thrown) {
    if (!isRefusal(thrown)) throw thrown;
    return undefined;
  }
}
