import { EMPTY_PAYLOAD } from "./block.ts";
import { headerOf, rootOf } from "./blocks.ts";
import { send } from "./emit.ts";
import { closingAbove, nextSetAt } from "./epoch-end.ts";
import type { PayloadReady } from "./events.ts";
import { executionFor } from "./execution.ts";
import { propose } from "./proposing.ts";
import { leaderOf } from "./quorum.ts";
import { leaderWaitOf } from "./spans.ts";
import type { Lead, Replica } from "./state.ts";
import { arm } from "./timers.ts";
import { type Header, type Ms, NO_HASH } from "./types.ts";
import { isTailOpen } from "./work.ts";

/** Leading a view (§6.3). It is tried after every step; each stage waits for what is still missing. */

/** Whether I lead the view I am in. */
export function isLeading({ committee, me, view }: Replica): boolean {
  return me !== null && leaderOf(committee, view) === me;
}

/** Goes on with my proposal as far as it goes. */
export function tryPropose(replica: Replica): void {
  const { durable, view, isCatchingUp } = replica;
  if (!isLeading(replica) || durable.lastProposedView >= view || isCatchingUp) return;
  if (replica.status === "idle") return;
  const lead = leadOf(replica);
  if (!knowsLocks(replica, lead)) awaitLocks(replica, lead);
  else if (lead.stage !== "building" || lead.parent !== durable.highCert.block)
    tryExtend(replica, lead);
}

function tryExtend(replica: Replica, lead: Lead): void {
  const { block } = replica.durable.highCert;
  const parent = headerOf(replica, block) ?? reportedHeader(replica);
  if (parent !== null && isReadyToExtend(replica, lead)) extend(replica, lead, parent);
}

function leadOf(replica: Replica): Lead {
  const { lead, view, now } = replica;
  if (lead?.view === view) return lead;
  replica.lead = newLead(view, now);
  return replica.lead;
}

function newLead(view: number, since: Ms): Lead {
  return {
    view,
    since,
    stage: "open",
    hasWaited: false,
    isBodiless: false,
    grace: "unused",
    isHeartbeat: false,
    parent: null,
  };
}

/**
 * No lock above my highest certificate can stop the proposal: either it is of the view before, or I
 * have heard from everybody, or all the honest have had the time to tell (2, 4).
 */
function knowsLocks({ durable, view, newViews, committee }: Replica, lead: Lead): boolean {
  const heard = newViews.get(view)?.size ?? 0;
  return (
    durable.highCert.view === view - 1 ||
    lead.hasWaited ||
    heard === committee.validators.length - 1
  );
}

/** The timeout certificate that brought me here was passed on when I took it (3). */
function awaitLocks(replica: Replica, lead: Lead): void {
  if (lead.stage === "waiting") return;
  lead.stage = "waiting";
  const { highTC } = replica.durable;
  if (replica.enteredBy === "boot" && highTC?.view === replica.view)
    send(replica, "all", { type: "tc", tc: highTC });
  arm(replica, "leader_wait", replica.now + leaderWaitOf(replica));
}

/** The header of my highest certificate's block, from who told me of the certificate (5). */
function reportedHeader({ newViews, view, durable }: Replica): Header | null {
  for (const { highCert, highHeader } of newViews.get(view)?.values() ?? [])
    if (highCert.block === durable.highCert.block && highHeader !== null) return highHeader;
  return null;
}

/** The body of the parent may take Δ to come; after that an empty block on its header is enough (5). */
function isReadyToExtend(replica: Replica, lead: Lead): boolean {
  if (lead.isBodiless || rootOf(replica, replica.durable.highCert.block).type === "rooted")
    return true;
  if (lead.stage !== "fetching") arm(replica, "leader_wait", replica.now + replica.config.deltaMs);
  lead.stage = "fetching";
  return false;
}

/** Something to order, an end of the epoch, or a tail that stays open (6); else silence. */
function extend(replica: Replica, lead: Lead, parent: Header): void {
  const isClosing = closingAbove(replica, replica.durable.highCert.block, parent) !== null;
  const hasContent = replica.hasWork && lead.stage !== "barren" && !isClosing;
  const ends = !isClosing && nextSetAt(replica, executionFor(replica, parent).execHeight) !== null;
  const isWanted = hasContent || ends || lead.isHeartbeat || isTailOverdue(replica, lead);
  if (!isWanted) return;
  const isHeldBack = parent.height - replica.executed.height > replica.config.unexecutedMax;
  if (isTooEarly(replica, lead, { parent, isHeldBack })) return;
  if (hasContent && !isHeldBack && !lead.isBodiless) buildPayload(replica, lead);
  else propose(replica, parent, { payload: EMPTY_PAYLOAD, evidenceRoot: NO_HASH });
}

/** Commit votes have 2Δ in my own view; then one empty block makes the tail final (§7.4). */
function isTailOverdue(replica: Replica, lead: Lead): boolean {
  if (!isTailOpen(replica)) return false;
  if (lead.grace === "over") return true;
  lead.grace = "running";
  arm(replica, "commit_grace", lead.since + replica.config.commitGraceMs);
  return false;
}

/** Whether the block before is too young (§7.4), or the application too far behind for more (§10.4). */
function isTooEarly(
  replica: Replica,
  { since }: Lead,
  { parent, isHeldBack }: { readonly parent: Header; readonly isHeldBack: boolean },
): boolean {
  const interval = Math.max(
    blockIntervalOf(replica),
    isHeldBack ? replica.config.commitGraceMs : 0,
  );
  const dueAt = Math.min(parent.timestampMs, since) + interval;
  if (dueAt > replica.now) arm(replica, "block_interval", dueAt);
  return dueAt > replica.now;
}

/** Doubles with each proposal of mine that finds no quorum, as far as τ0 leaves room for it (§8.5). */
function blockIntervalOf({ config, failedLeads }: Replica): Ms {
  const { blockIntervalMsMin, deltaMs, timeoutMs } = config;
  if (failedLeads === 0) return blockIntervalMsMin;
  const doubled = Math.max(blockIntervalMsMin, deltaMs / 2) * 2 ** failedLeads;
  return Math.max(blockIntervalMsMin, Math.min(doubled, timeoutMs - 7 * deltaMs));
}

function buildPayload(replica: Replica, lead: Lead): void {
  const { view, config, durable } = replica;
  const parent = durable.highCert.block;
  lead.stage = "building";
  lead.parent = parent;
  const { blockTxsMax: txsMax, blockBytesMax: bytesMax } = config;
  replica.effects.push({ type: "build_payload", view, parent, txsMax, bytesMax });
}

/** The payload is there (7); it is for the highest certificate of when it was asked for. */
export function onPayloadReady(replica: Replica, ready: PayloadReady): void {
  const { lead, durable } = replica;
  if (lead?.view !== ready.view || lead.stage !== "building") return;
  lead.stage = ready.payload === null ? "barren" : "open";
  const parent = headerOf(replica, durable.highCert.block);
  if (ready.payload === null || parent === null || lead.parent !== durable.highCert.block) return;
  const { payload, evidenceRoot } = ready;
  propose(replica, parent, { payload, evidenceRoot });
}

/** The wait of my stage is over. */
export function onLeaderWaited({ lead }: Replica): void {
  if (lead?.stage === "waiting") lead.hasWaited = true;
  if (lead?.stage === "fetching") lead.isBodiless = true;
}

/** Commit votes have had their time. */
export function onGraceEnded({ lead }: Replica): void {
  if (lead?.grace === "running") lead.grace = "over";
}

/** Silence has lasted for as long as it may (`idleMsMax`). */
export function onLongIdle(replica: Replica): void {
  if (isLeading(replica) && replica.durable.lastProposedView < replica.view)
    leadOf(replica).isHeartbeat = true;
}
