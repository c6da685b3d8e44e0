import type { Config } from "./config.ts";
import type { Durable } from "./durable.ts";
import type { AlarmKind, Effect, Execution, TimerId, Token } from "./events.ts";
import type { NewView, Proposal, Unsigned, Wish } from "./messages.ts";
import type { Committee } from "./quorum.ts";
import type { Block, Cert, Hash, Header, Ms, TC, View, Vote } from "./types.ts";

/**
 * A replica after some number of steps. `step` takes a state over: it changes the replica in place,
 * which is what makes it fast, and gives a new state; the old one is spent, and `step` refuses it. So
 * what comes out depends on the events alone, and the same events always give the same (S14).
 */
export interface State {
  readonly steps: number;
  readonly replica: Readonly<Replica>;
}

/** How a view was entered (§6.1). */
export type EnteredBy = "cert" | "tc" | "timer" | "boot";

/** What a leader said in one view. */
export interface Proposals {
  /** The first one that came, or a whole copy of it; the only one I may vote for (V5). */
  readonly first: Proposal;
  /** It can never have my vote. */
  isRefused: boolean;
}

/** What is certified in a view. */
export interface Certified {
  readonly block: Hash;
  P: Cert | null;
  C: Cert | null;
}

/** A block above my committed one, with its body. */
export interface KnownBlock {
  readonly block: Block;
  /** All blocks between it and my committed block are here too. */
  isRooted: boolean;
  /** The disk has it, batches included; what holds no batches need not wait for this (V10). */
  isStored: boolean;
}

/** How far I am with leading my view (§6.3). */
export interface Lead {
  readonly view: View;
  readonly since: Ms;
  /** `waiting` for locks, `fetching` the parent, `building` a payload; `barren`: there was none. */
  stage: "open" | "waiting" | "fetching" | "building" | "barren";
  /** I have waited for the locks of others as long as I have to. */
  hasWaited: boolean;
  /** The parent's body did not come in time. */
  isBodiless: boolean;
  /** The time that commit votes have (§7.4). */
  grace: "unused" | "running" | "over";
  /** Nothing happened for long (`idleMsMax`). */
  isHeartbeat: boolean;
  /** What the payload is being built on. */
  parent: Hash | null;
}

/** A timer that is set; a later `dueAt` is waited for when it fires (`timers.ts`). */
export interface Armed {
  readonly generation: number;
  readonly firesAt: Ms;
  dueAt: Ms;
}

/** A block I have asked for. */
export interface Fetching {
  attempts: number;
  dueAt: Ms;
}

/** Everything a replica is (section 4). Every collection has a bound (L9), named where it is filled. */
export interface Replica {
  config: Config;
  now: Ms;
  steps: number;
  /** Of the step that is being made. */
  effects: Effect[];

  committee: Committee;
  durable: Durable;
  /** False without `validator init`: nothing is written that could be mistaken for a record (§4.1). */
  readonly isRecorded: boolean;
  /** My index in this epoch; null without a vote, or without the right to use it. */
  me: number | null;
  /** Why I vote no more; null while I may. */
  halted: AlarmKind | null;
  /** The newest Persist, and the newest that a Send can wait for. */
  lastToken: Token;
  firmToken: Token | null;

  view: View;
  enteredBy: EnteredBy;
  /** The timeout certificate that brought me here. */
  entry: TC | null;
  /** Views since the last commit that ended without a certificate. */
  fails: number;
  /** The first view of the present span, and when it began (§7.3). */
  span: { view: View; at: Ms };
  status: "active" | "idle";
  timers: Map<TimerId, Armed>;
  generation: number;
  /** The view whose timer has fired; it is not set again in that view. */
  timedOut: View | null;
  /** The view for which I have sent a NewView, and again because its leader waits. */
  greeted: View;
  greetedAgain: View;
  /** When I send everything again, and how often I have since the last view or commit (§5.2). */
  resendAt: Ms;
  resends: number;
  /** How many more proposals of mine have failed than found a quorum since (§8.5). */
  failedLeads: number;

  votes: Map<View, Map<number, Vote>>;
  commitVotes: Map<View, Map<number, Vote>>;
  /** The first certificate of each kind in a view; both are for one block (S3). */
  certs: Map<View, Certified>;
  proposals: Map<View, Proposals>;
  /** When the proposal of my view is no longer too far in the future (§10.5). */
  heldUntil: Ms | null;
  /** The highest of each signer, and the (f+1)-th and Q-th highest view wished for. */
  wishes: Map<number, Wish>;
  wished: { some: View; quorum: View };
  /** When another replica last said that it wishes for a view above mine. */
  calledAt: Ms;
  newViews: Map<View, Map<number, NewView>>;
  lead: Lead | null;
  /** My proposal, to be sent again with its own justify and entry. */
  proposal: Unsigned<Proposal> | null;

  committed: { hash: Hash; header: Header };
  /** The newest committed blocks by height, to tell an old certificate from a fork. */
  history: Map<number, Hash>;
  /** The highest commit certificate whose blocks I do not have all. */
  uncommitted: Cert | null;
  /** What it lacked when it was tried last; it is tried again when the version has changed. */
  stuck: { cert: Cert; version: number; missing: Hash | null } | null;
  /** Counts changes of blocks, links and sets. */
  version: number;
  blocks: Map<Hash, KnownBlock>;
  blockBytes: number;
  /** When so many blocks are held, what is not needed is looked for. */
  blocksBound: number;
  /** Headers whose bodies I do not hold: of a sync that is too long, of an epoch proof. */
  links: Map<Hash, Header>;
  fetching: Map<Hash, Fetching>;
  isCatchingUp: boolean;

  executed: Execution;
  /** Executed heights that a header can still name (§10.4). */
  executions: Map<number, Execution>;
  /** Sets of validators I know by their hash: wanted by the application, or proven by a peer. */
  sets: Map<Hash, Execution["pendingValidators"]>;
  hasWork: boolean;
  isClockHealthy: boolean;
  /** When a peer was last answered out of turn, by sort of answer. */
  answered: Map<string, Ms>;
  /** Evidence that was reported. */
  offences: Set<string>;
}
