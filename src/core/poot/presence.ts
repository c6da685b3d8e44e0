import type { NodeId } from "@/core/ids.ts";
import { sameBytes } from "@/std/bytes.ts";
import type { ClosedNode } from "./closing.ts";
import type { ReadClaim } from "./heartbeat.ts";
import type { PresenceRow } from "./row.ts";
import type { Slot } from "./slot.ts";
import { newSlotWindow, type SlotWindow, windowSlotsFor } from "./slot-window.ts";

/**
 * What one process remembers of the heartbeats of one pool, in memory only: losing it costs no
 * tick, because each node carries its RECEIPT. It is changed in place; nothing here is copied.
 */
export interface PresenceTable {
  /** The slot in which this memory began. */
  readonly startSlot: Slot;
  readonly windowSlots: number;
  readonly nodes: Map<NodeId, NodePresence>;
}

/** What is remembered of one node. */
export interface NodePresence {
  /** Usually one; a restarted node has two until the next close. */
  sessions: SessionPresence[];
  /** The slot of the node's newest accepted OPEN. */
  openedSlot: Slot;
  readonly window: SlotWindow;
  /** The newest ACK, and whether an answer has carried it. */
  ack: Uint8Array | undefined;
  isAckTold: boolean;
}

/** A row with what is needed to answer again. */
export interface SessionPresence extends PresenceRow {
  readonly claimHash: Uint8Array;
  readonly receipt: Uint8Array;
  /** Whether the OPEN is known, here or in the store. */
  readonly isOpenKnown: boolean;
}

/** A node opens at most one session in so many slots. */
export const OPEN_EVERY_SLOTS = 2;
/** Sessions remembered per node; beyond it the one heard longest ago is forgotten. */
export const SESSIONS_MAX = 32;

/** An empty presence table; `startSlot` is the pool's slot now. */
export function newPresence(startSlot: Slot, slotsPerInterval: number): PresenceTable {
  return { startSlot, windowSlots: windowSlotsFor(slotsPerInterval), nodes: new Map() };
}

/** The first slot of which this table can say whether a node was heard in it. */
export function rememberedFrom(table: PresenceTable, now: Slot): Slot {
  return Math.max(table.startSlot, now - table.windowSlots + 1);
}

/** What is remembered of a session of a node. */
export function findSession(
  table: PresenceTable,
  node: NodeId,
  session: Uint8Array,
): SessionPresence | undefined {
  const known = table.nodes.get(node)?.sessions;
  return known?.find((other) => sameBytes(other.session, session));
}

/** What is remembered of a node, begun when there was nothing. Changes the table. */
export function rememberNode(table: PresenceTable, node: NodeId): NodePresence {
  const known = table.nodes.get(node);
  if (known) return known;
  const fresh: NodePresence = {
    sessions: [],
    openedSlot: -OPEN_EVERY_SLOTS,
    window: newSlotWindow(table.windowSlots),
    ack: undefined,
    isAckTold: true,
  };
  table.nodes.set(node, fresh);
  return fresh;
}

/** What an accepted CLAIM leaves behind. */
export interface Accepted {
  readonly claim: ReadClaim;
  readonly receipt: Uint8Array;
  readonly slot: Slot;
  readonly openSlot: Slot;
  readonly open: Uint8Array | undefined;
  readonly isPending: boolean;
}

/** Puts a row in the place of the session's former one. Changes the node's presence. */
export function rememberSession(presence: NodePresence, accepted: Accepted): void {
  const { value: claim, bytes, hash } = accepted.claim;
  const at = presence.sessions.findIndex((other) => sameBytes(other.session, claim.session));
  const former = presence.sessions[at];
  const open = former?.open ?? accepted.open?.slice();
  const row: SessionPresence = {
    session: former?.session ?? claim.session.slice(),
    ticks: claim.ticks,
    slot: accepted.slot,
    openSlot: accepted.openSlot,
    claim: bytes.slice(),
    claimHash: hash,
    receipt: accepted.receipt,
    open,
    isPending: accepted.isPending,
    isOpenKnown: open !== undefined || former?.isOpenKnown === true,
  };
  if (former) presence.sessions[at] = row;
  else presence.sessions.push(row);
  if (presence.sessions.length > SESSIONS_MAX) forgetOldest(presence);
}

/**
 * Notes what a close has committed: the ACK is told with the next answers, stored OPENs leave the
 * memory, and sessions that are settled and no longer the node's newest do too. Changes the table.
 */
export function settleNode(table: PresenceTable, closed: ClosedNode): void {
  const presence = table.nodes.get(closed.node);
  if (!presence) return;
  const ack = closed.rows.at(-1)?.ack;
  if (ack) {
    presence.ack = ack;
    presence.isAckTold = false;
  }
  const newest = Math.max(...presence.sessions.map((session) => session.slot));
  presence.sessions = presence.sessions
    .map((session) => withoutStoredOpen(session, closed))
    .filter((session) => session.slot === newest || !isSettled(session, closed));
}

/**
 * Forgets a node that was not heard for as long as its window reaches and has nothing left to
 * settle: it carries its RECEIPT, as after a restart of the pool. Changes the table.
 */
export function forgetSilent(table: PresenceTable, closed: ClosedNode, now: Slot): void {
  const presence = table.nodes.get(closed.node);
  if (!presence || presence.window.newest > now - table.windowSlots) return;
  if (!presence.sessions.every((session) => isSettled(session, closed))) return;
  forgetNode(table, closed.node);
}

/** Forgets a node that has left or was removed. Changes the table. */
export function forgetNode(table: PresenceTable, node: NodeId): void {
  table.nodes.delete(node);
}

function withoutStoredOpen(session: SessionPresence, closed: ClosedNode): SessionPresence {
  const isStored = closed.opens.some((open) => sameBytes(open.session, session.session));
  return isStored ? { ...session, open: undefined } : session;
}

function isSettled(session: SessionPresence, closed: ClosedNode): boolean {
  const marks = closed.sessions.find((other) => sameBytes(other.session, session.session));
  return marks !== undefined && session.ticks <= marks.credited;
}

function forgetOldest(presence: NodePresence): void {
  const oldest = Math.min(...presence.sessions.map((session) => session.slot));
  const at = presence.sessions.findIndex((session) => session.slot === oldest);
  presence.sessions.splice(at, 1);
}
