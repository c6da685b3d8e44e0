import type { TimerFired, TimerId } from "./events.ts";
import type { Armed, Replica } from "./state.ts";
import type { Ms } from "./types.ts";

/**
 * One timer of each kind. A timer that is put off is not set anew: it fires, is found not to be due,
 * and is set for the rest. So a replica that makes progress all the time hardly ever sets one.
 */

/** Wants a timer at this time, sooner or later than it was wanted before. */
export function arm(replica: Replica, timer: TimerId, dueAt: Ms): void {
  const armed = replica.timers.get(timer);
  if (armed === undefined || dueAt < armed.firesAt) set(replica, timer, dueAt);
  else armed.dueAt = dueAt;
}

/** Wants it no more. */
export function cancel(replica: Replica, timer: TimerId): void {
  if (replica.timers.delete(timer)) replica.effects.push({ type: "cancel_timer", timer });
}

export function isArmed(replica: Replica, timer: TimerId): boolean {
  return replica.timers.has(timer);
}

/** Whether a timer that fired is one that was wanted now. */
export function isDue(replica: Replica, { timer, generation }: TimerFired): boolean {
  const armed = replica.timers.get(timer);
  if (armed?.generation !== generation) return false;
  replica.timers.delete(timer);
  const left = leftOf(replica, armed);
  if (left <= 0) return true;
  set(replica, timer, replica.now + left);
  return false;
}

/** The shorter of two answers: a clock that stands still or jumps must not stop a timer for ever. */
function leftOf({ now }: Replica, { firesAt, dueAt }: Armed): Ms {
  return Math.min(dueAt - firesAt, dueAt - now);
}

function set(replica: Replica, timer: TimerId, dueAt: Ms): void {
  const generation = ++replica.generation;
  const ms = Math.ceil(Math.max(0, dueAt - replica.now));
  replica.timers.set(timer, { generation, firesAt: replica.now + ms, dueAt });
  replica.effects.push({ type: "set_timer", timer, generation, ms });
}
