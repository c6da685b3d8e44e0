import type { Durable } from "./durable.ts";
import type { AlarmKind, Execution, TimerId, Token } from "./events.ts";
import type { NewView, Proposal, Wish } from "./messages.ts";
import type { Committee } from "./quorum.ts";
import type { Block, Cert, Hash, Header, Ms, PublicKey, TC, View, Vote } from "./types.ts";

/** Everything a replica is; `step(state, event, config)` gives the next one and the effects. */
export interface State {
  readonly committee: Committee;
  readonly durable: Durable;
  readonly volatile: Volatile;
}

/** How a view was entered (§6.1). */
export type EnteredBy = "cert" | "tc" | "timer" | "boot";

/** The votes of one kind in one view, the first of each signer. */
export type Votes = ReadonlyMap<number, Vote>;

/** What a leader said in one view: the first proposal, and the hash of another that shows it lied. */
export interface Proposals {
  readonly first: Proposal;
  readonly second: Hash | null;
}

/** A block I hold, and whether it is on stable storage. */
export interface KnownBlock {
  readonly block: Block;
  readonly isStored: boolean;
}

/** What is forgotten in a crash (section 4). Every collection has a bound (L9). */
export interface Volatile {
  /** My index in this epoch, null without a vote. */
  readonly me: number | null;
  readonly now: Ms;
  readonly view: View;
  readonly enteredBy: EnteredBy;
  /** The certificate that brought me here, kept to be sent again. */
  readonly entry: TC | null;
  /** Views since the last commit that ended by timeout. */
  readonly fails: number;
  /** Counted up whenever a timer is set or cancelled. */
  readonly generations: ReadonlyMap<TimerId, number>;
  readonly timers: ReadonlySet<TimerId>;
  readonly status: "active" | "idle";
  readonly lastToken: Token;
  /** Views from view − 2 on, and from view − 8 on (§6.1). */
  readonly votes: ReadonlyMap<View, Votes>;
  readonly commitVotes: ReadonlyMap<View, Votes>;
  /** Up to view + 2n. */
  readonly proposals: ReadonlyMap<View, Proposals>;
  /** By signer, its highest. */
  readonly wishes: ReadonlyMap<number, Wish>;
  readonly newViews: ReadonlyMap<View, ReadonlyMap<number, NewView>>;
  /** When the views of the present span began (§7.3), for E > 1. */
  readonly spanStart: { readonly view: View; readonly at: Ms };
  /** The view in which I wait to propose (§6.3), and that in which a payload is being built. */
  readonly waitingLeader: View | null;
  readonly building: View | null;
  /** My proposal of this view, to be sent again with its own justify and entry. */
  readonly proposal: Omit<Proposal, "sig"> | null;
  /** From the newest committed block upwards. */
  readonly blocks: ReadonlyMap<Hash, KnownBlock>;
  /** By their missing parent. */
  readonly orphans: ReadonlyMap<Hash, Block>;
  readonly fetching: ReadonlySet<Hash>;
  readonly committed: Header;
  /** Commit certificates whose blocks are still being fetched. */
  readonly uncommitted: Cert | null;
  readonly executed: Execution;
  readonly hasWork: boolean;
  readonly isClockHealthy: boolean;
  /** Resends since the last progress; each waits twice as long (§5.2). */
  readonly resends: number;
  /** When a peer was last answered out of turn (§7.3). */
  readonly rescued: ReadonlyMap<PublicKey, Ms>;
  /** Ids of evidence that was reported. */
  readonly offences: ReadonlySet<string>;
  /** Why I vote no more; null while I do. */
  readonly halted: AlarmKind | null;
}
