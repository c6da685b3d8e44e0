import type { Durable } from "./durable.ts";
import type { Evidence } from "./evidence.ts";
import type { Message, Outgoing } from "./messages.ts";
import type { Committee } from "./quorum.ts";
import type {
  Block,
  Cert,
  EpochProof,
  Hash,
  Header,
  Ms,
  Payload,
  PublicKey,
  View,
} from "./types.ts";

/**
 * What goes into `step` and what comes out (section 5). The core has no clock: every event says when
 * it happens, by a clock that never runs back while the process lives.
 */
export type Event = { readonly now: Ms } & (
  | Boot
  | Received
  | TimerFired
  | PayloadReady
  | BlockStored
  | Executed
  | Work
  | ClockHealth
  | EpochStart
);

/** The first event: what was found on disk (§8.2). */
export interface Boot {
  readonly type: "boot";
  /** Null without `validator init`: an observer, whatever the configuration says (§4.1). */
  readonly durable: Durable | null;
  readonly committee: Committee;
  /** The newest committed header, the genesis of the epoch at first. */
  readonly committed: Header;
  /** Stored blocks above it, parents first. */
  readonly blocks: readonly Block[];
  readonly executed: Execution;
  /**
   * The application after the heights before, lowest first, from the `execHeight` of the committed header
   * on; as far as it is known. Who leads next may have executed less than I have, and needs my vote.
   */
  readonly executedBefore: readonly Execution[];
}

/** The application after a height, and the validators it wants from the next epoch on, if others. */
export interface Execution {
  readonly height: number;
  readonly root: Hash;
  readonly pendingValidators: readonly PublicKey[] | null;
}

/**
 * A message that is decoded, whose signatures hold (`isVerified`), from a peer whose channel is
 * authenticated, or from myself once the token of its Send was durable. One of another epoch
 * (`epochOf`) cannot be verified and is given as it is: only its epoch is looked at. So what was
 * verified, or was not, by another committee than that of the state has to be looked at again.
 */
export interface Received {
  readonly type: "message";
  readonly from: PublicKey;
  readonly message: Message;
}

/** The timers a replica may have, one of each. */
export type TimerId =
  | "view"
  | "leader_wait"
  | "commit_grace"
  | "block_interval"
  | "held_proposal"
  | "resend"
  | "fetch"
  | "status"
  | "idle_block";

export interface TimerFired {
  readonly type: "timer";
  readonly timer: TimerId;
  /** As given when it was set; an older one is stale and means nothing. */
  readonly generation: number;
}

/** The answer to BuildPayload; null when there is nothing to order. */
export interface PayloadReady {
  readonly type: "payload_ready";
  readonly view: View;
  readonly payload: Payload | null;
  readonly evidenceRoot: Hash;
}

/** The block, body included, is on stable storage; only a block with batches has to wait for it. */
export interface BlockStored {
  readonly type: "block_stored";
  readonly hash: Hash;
}

export interface Executed extends Execution {
  readonly type: "executed";
}

/** Whether the mempool holds an admissible transaction that is not on the branch (§7.4). */
export interface Work {
  readonly type: "work";
  readonly pending: boolean;
}

/** Whether my clock can be believed (§10.5). */
export interface ClockHealth {
  readonly type: "clock_health";
  readonly ok: boolean;
}

/** How my epoch ended, from a peer or made of my own chain; `step` checks it (§10.3). */
export interface EpochStart {
  readonly type: "epoch_start";
  readonly proof: EpochProof;
}

/** Names a Persist, so that a Send can wait for it; they count up from 1 in each process. */
export type Token = number;

/** What the runtime has to do, in this order (section 5). */
export type Effect =
  | Persist
  | Send
  | SetTimer
  | CancelTimer
  | BuildPayload
  | StoreBlock
  | Fetch
  | Commit
  | SwitchEpoch
  | ServeEpochs
  | Readmit
  | Gossip
  | Report
  | Alarm
  | Trace;

/**
 * Writes the record, after every StoreBlock before it: it is durable only when they are, so that one
 * write and one sync are enough for a vote (§4.1). `lazy` may wait for the next one that may not.
 */
export interface Persist {
  readonly type: "persist";
  readonly durable: Durable;
  readonly token: Token;
  readonly lazy: boolean;
}

/**
 * Signs (`seal`) and sends, when the Persist of `after` and all before it are durable; null is at
 * once. What is for all, or names me, comes back to me as an event, and not earlier than it leaves.
 */
export interface Send {
  readonly type: "send";
  readonly to: "all" | readonly PublicKey[];
  readonly message: Outgoing;
  readonly after: Token | null;
}

/** Sets the timer anew, whatever it was. */
export interface SetTimer {
  readonly type: "set_timer";
  readonly timer: TimerId;
  readonly generation: number;
  readonly ms: Ms;
}

/** Idle means no timers, not timers nobody listens to (L8). */
export interface CancelTimer {
  readonly type: "cancel_timer";
  readonly timer: TimerId;
}

export interface BuildPayload {
  readonly type: "build_payload";
  readonly view: View;
  /** What the branch holds already is left out. */
  readonly parent: Hash;
  readonly txsMax: number;
  readonly bytesMax: number;
}

/** Answered by BlockStored when the block and all its batches are durable. */
export interface StoreBlock {
  readonly type: "store_block";
  readonly block: Block;
}

/** Gets a block and its ancestors above a height from one of these peers, the first that has it. */
export interface Fetch {
  readonly type: "fetch";
  readonly hash: Hash;
  readonly untilHeight: number;
  readonly from: readonly PublicKey[];
}

/**
 * Committed, oldest first; `cert` is for the last or a descendant of it (§6.6, §10.1). It is on disk
 * no earlier than the Persist before it: a chain may lag behind its record and never run ahead.
 */
export interface Commit {
  readonly type: "commit";
  readonly blocks: readonly Block[];
  readonly cert: Cert;
}

/** The epoch has ended; the proof is kept for ever, and served (§10.3). */
export interface SwitchEpoch {
  readonly type: "switch_epoch";
  readonly committee: Committee;
  readonly proof: EpochProof;
}

/** Sends a peer the proofs of how the epochs from this one on ended (§10.3). */
export interface ServeEpochs {
  readonly type: "serve_epochs";
  readonly to: PublicKey;
  readonly fromEpoch: number;
}

/** The transactions of an abandoned block go to the mempool and to all validators (§7.4). */
export interface Readmit {
  readonly type: "readmit";
  readonly block: Block;
}

/** Sends the oldest admissible transactions to all again (§5.2). */
export interface Gossip {
  readonly type: "gossip";
}

/** Keeps evidence; its leader may put it into a block. */
export interface Report {
  readonly type: "evidence";
  readonly evidence: Evidence;
}

/** What a person has to look at; the replica has stopped voting. */
export type AlarmKind = "safety" | "fork" | "amnesia" | "divergence";

export interface Alarm {
  readonly type: "alarm";
  readonly alarm: AlarmKind;
  readonly why: string;
}

/** A line for who reads along; it has no consequence. */
export interface Trace {
  readonly type: "trace";
  readonly what: string;
  readonly view: View;
}
