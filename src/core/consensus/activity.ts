import { isLeading } from "./leader.ts";
import { sendNewView } from "./resend.ts";
import { measureSpan, viewEndOf } from "./spans.ts";
import type { Replica } from "./state.ts";
import { arm, cancel, isArmed } from "./timers.ts";
import type { Ms } from "./types.ts";
import { isWorkPending } from "./work.ts";

/** Being idle: no timers, no messages but Status (§7.4, L8). */

/** Becomes active or idle as there is work or not, and keeps the timers of an active replica set. */
export function updateActivity(replica: Replica): void {
  if (replica.me !== null && isWorkPending(replica)) keepBusy(replica);
  else rest(replica);
}

function keepBusy(replica: Replica): void {
  if (replica.status === "idle") wake(replica);
  if (replica.timedOut !== replica.view) arm(replica, "view", viewEndOf(replica));
  arm(replica, "resend", replica.resendAt);
  if (replica.heldUntil !== null) armHeld(replica, replica.heldUntil);
  cancel(replica, "idle_block");
}

/** A date is what a stranger says: no timer is set for longer than any view lasts. */
function armHeld(replica: Replica, until: Ms): void {
  arm(replica, "held_proposal", Math.min(until, replica.now + replica.config.timeoutMsMax));
}

function wake(replica: Replica): void {
  replica.status = "active";
  replica.timedOut = null;
  replica.resends = 0;
  replica.resendAt = replica.now + 2 * replica.config.deltaMs;
  measureSpan(replica);
  // A leader without C_{v−1} waits for everybody: it may have missed what I sent when I came here.
  if (replica.durable.highCert.view !== replica.view - 1) sendNewView(replica);
}

const NOT_WHEN_IDLE = [
  "view",
  "resend",
  "leader_wait",
  "commit_grace",
  "block_interval",
  "held_proposal",
] as const;

function rest(replica: Replica): void {
  const { idleMsMax } = replica.config;
  if (replica.status === "active") {
    replica.status = "idle";
    replica.fails = 0;
    replica.lead = null;
    for (const timer of NOT_WHEN_IDLE) cancel(replica, timer);
  }
  if (idleMsMax !== null && isLeading(replica) && !isArmed(replica, "idle_block"))
    arm(replica, "idle_block", replica.now + idleMsMax);
}
