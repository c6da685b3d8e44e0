import { assert } from "@/std/assert.ts";
import { updateActivity } from "./activity.ts";
import { tryCommit } from "./commit.ts";
import type { Config } from "./config.ts";
import { onEpochProof } from "./epoch-sync.ts";
import type { Effect, Event, TimerFired } from "./events.ts";
import { onExecuted } from "./execution.ts";
import { onGraceEnded, onLeaderWaited, onLongIdle, onPayloadReady, tryPropose } from "./leader.ts";
import { onMessage } from "./message.ts";
import { onViewTimeout } from "./pacemaker.ts";
import { boundBlocks } from "./pruning.ts";
import { boot } from "./recovery.ts";
import { onBlockStored, tryVote } from "./replica.ts";
import { sendStatus } from "./rescue.ts";
import { onResend, sendNewView } from "./resend.ts";
import type { Replica, State } from "./state.ts";
import { onFetchTimeout, updateFetching, updateLag } from "./sync.ts";
import { arm, isDue } from "./timers.ts";

/** What a step gives: the next state, and what the runtime has to do, in this order. */
export interface Stepped {
  readonly state: State;
  readonly effects: readonly Effect[];
}

/**
 * One step of a replica (§5.1): no I/O, no clock, no dice. The first event is `boot`, without a state.
 * The state that is given is used up: a step changes it in place, and refuses one that is used up.
 */
export function step(state: State | null, event: Event, config: Config): Stepped {
  const replica = begin(state, event, config);
  react(replica, event);
  finish(replica);
  return { state: { steps: ++replica.steps, replica }, effects: replica.effects };
}

function begin(state: State | null, event: Event, config: Config): Replica {
  if (state === null) {
    assert(event.type === "boot", "a replica boots first");
    return boot(event, config);
  }
  const replica = state.replica as Replica;
  assert(state.steps === replica.steps, "a state is used once");
  replica.config = config;
  replica.now = event.now;
  replica.effects = [];
  return replica;
}

function react(replica: Replica, event: Event): void {
  switch (event.type) {
    case "message":
      onMessage(replica, event.from, event.message);
      break;
    case "timer":
      if (isDue(replica, event)) onTimer(replica, event);
      break;
    case "payload_ready":
      onPayloadReady(replica, event);
      break;
    case "block_stored":
      onBlockStored(replica, event.hash);
      break;
    case "executed":
      onExecuted(replica, event);
      break;
    case "work":
      onWork(replica, event.pending);
      break;
    case "clock_health":
      replica.isClockHealthy = event.ok;
      break;
    case "epoch_start":
      onEpochProof(replica, event.proof);
      break;
    case "boot":
      assert(replica.steps === 0, "a replica boots once");
  }
}

function onWork(replica: Replica, pending: boolean): void {
  replica.hasWork = pending;
  if (replica.lead?.stage === "barren") replica.lead.stage = "open";
}

function onTimer(replica: Replica, { timer }: TimerFired): void {
  switch (timer) {
    case "view":
      onViewTimeout(replica);
      break;
    case "leader_wait":
      onLeaderWaited(replica);
      break;
    case "commit_grace":
      onGraceEnded(replica);
      break;
    case "resend":
      onResend(replica);
      break;
    case "fetch":
      onFetchTimeout(replica);
      break;
    case "idle_block":
      onLongIdle(replica);
      break;
    case "status":
      sendStatus(replica, "all");
      arm(replica, "status", replica.now + replica.config.statusIntervalMs);
      break;
    case "block_interval":
    case "held_proposal":
      break; // What they were waiting for is tried after every step.
  }
}

/** What may have become possible, whatever the event was (§5.1, 4). Each finds out by itself. */
function finish(replica: Replica): void {
  tryCommit(replica);
  tryVote(replica);
  updateLag(replica);
  updateActivity(replica);
  greet(replica);
  tryPropose(replica);
  boundBlocks(replica);
  updateFetching(replica);
}

/** Tells the leader of a new view what I know, unless its proposal brought me here (§6.1, 3). */
function greet(replica: Replica): void {
  const { greeted, view, proposals } = replica;
  if (greeted >= view) return;
  if (proposals.has(view)) replica.greeted = view;
  else sendNewView(replica);
}
