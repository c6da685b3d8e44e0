import type { Proposal } from "@/core/consensus/messages.ts";
import { quorumOf } from "@/core/consensus/quorum.ts";
import type { Block, Hash } from "@/core/consensus/types.ts";
import type { Agenda } from "./agenda.ts";
import type { Ballots } from "./ballots.ts";
import type { Host } from "./host.ts";
import { promise } from "./violation.ts";

/** What a look at L2 and L3 needs. */
export interface ConcordTerms {
  readonly agenda: Agenda;
  readonly ballots: Ballots;
  readonly deltaMs: number;
  readonly syncPeriod: number;
  /** By epoch, the highest view of anybody honest before all was well. */
  readonly highest: ReadonlyMap<number, number>;
  /** When no disk is as slow any more as it may be before all is well. */
  readonly from: number;
  /** Where it is counted how often there was something to look at. */
  readonly tally: { followed: number; backed: number };
  /** Those whose progress is promised: honest all the time, and up. */
  readonly correct: readonly Host[];
}

/**
 * L2 and L3: once messages arrive within Δ, all follow a timeout certificate together, and what an
 * honest leader then proposes has the votes of a quorum, in the time one way there and one to the disk
 * take. Only whoever is in no position to vote is not counted: of another epoch, without the parent's
 * body or its execution, or catching up.
 */
export class ConcordWatch {
  readonly #terms: ConcordTerms;
  readonly #views = new Map<number, string>();

  constructor(terms: ConcordTerms) {
    this.#terms = terms;
    for (const host of terms.correct) this.#hasMoved(host);
  }

  /** Whatever a correct process has entered by a timeout certificate, all have 2Δ later. */
  stepped(host: Host): void {
    if (!this.#hasMoved(host) || !host.state) return;
    const { view, committee, enteredBy } = host.state.replica;
    if (enteredBy !== "tc") return;
    const { epoch } = committee;
    const voters = this.#voters(epoch);
    if (!voters.includes(host)) return;
    const { agenda, deltaMs } = this.#terms;
    agenda.after(2 * deltaMs, () => this.#haveFollowed({ host, voters, epoch, view }));
  }

  #hasMoved({ id, state }: Host): boolean {
    const where = state ? `${state.replica.committee.epoch} ${state.replica.view}` : "";
    if (this.#views.get(id) === where) return false;
    this.#views.set(id, where);
    return true;
  }

  #haveFollowed({ host: { id }, voters, epoch, view }: Followed): void {
    this.#terms.tally.followed++;
    for (const { id: other, state } of voters) {
      const { view: at = 0, committee } = state?.replica ?? {};
      const hasFollowed = at >= view || (committee !== undefined && committee.epoch > epoch);
      promise(
        hasFollowed,
        "L2",
        () => `${id} entered ${view} by a timeout 2Δ ago, ${other} is in ${at}`,
      );
    }
  }

  /** A correct leader proposes for the first time in a view: a quorum of those in it votes for that. */
  proposed(host: Host, { block }: Proposal): void {
    const { epoch, view, justifyView } = block.header;
    const { enteredBy, committee } = host.state?.replica ?? {};
    const { agenda, deltaMs, from } = this.#terms;
    const knowsLocks = justifyView === view - 1 || view >= this.#newFrom(epoch);
    if (agenda.now < from || !knowsLocks || enteredBy === "boot" || committee?.epoch !== epoch)
      return;
    const voters = this.#voters(epoch);
    if (!voters.includes(host)) return;
    const able = voters.filter((other) => isAble(other, block));
    const quorum = quorumOf(committee.validators.length);
    if (able.length < quorum) return;
    agenda.after(1.5 * deltaMs, () => this.#haveVoted(block, able, quorum));
  }

  /**
   * The first view of a span nobody was in before all was well. Of an older one a leader may have heard
   * in another life of those who tell it their locks, and they have higher ones in this life.
   */
  #newFrom(epoch: number): number {
    const { highest, syncPeriod } = this.#terms;
    return Math.ceil((highest.get(epoch) ?? 0) / syncPeriod) * syncPeriod + 1;
  }

  #haveVoted(block: Block, able: readonly Host[], quorum: number): void {
    const { epoch, view } = block.header;
    // Time was up before the votes came, or a later view was reached without this one.
    const isOver = able.some((one) => !isWaiting(one, epoch, view));
    const votes = this.#terms.ballots.votersOf(epoch, view, block.hash);
    if (isOver && votes.size < quorum) return;
    this.#terms.tally.backed++;
    promise(votes.size >= quorum, "L3", () => {
      const silent = able.filter(({ key }) => !votes.has(key)).map(({ id }) => id);
      return `an honest leader proposed in ${view} 1.5Δ ago, ${silent.join(" and ")} did not vote`;
    });
  }

  #voters(epoch: number): readonly Host[] {
    return this.#terms.correct.filter(({ state, key }) => {
      const committee = state?.replica.committee;
      return committee?.epoch === epoch && committee.validators.includes(key);
    });
  }
}

/** A view that a process has entered by a timeout certificate, beside these. */
interface Followed {
  readonly host: Host;
  readonly voters: readonly Host[];
  readonly epoch: number;
  readonly view: number;
}

/** Whether it is in the view of the block and has what a vote needs besides it. */
function isAble(host: Host, { header }: Block): boolean {
  if (!host.state) return false;
  const { view, isCatchingUp, timedOut } = host.state.replica;
  const isReady = !isCatchingUp && host.app.height >= header.execHeight && timedOut !== view;
  const isDated = header.timestampMs <= host.now + host.config.driftMsMax;
  return isReady && isDated && view === header.view && reaches(host, header.parent);
}

function reaches({ blocks, committed }: Host, from: Hash): boolean {
  const { height } = committed.header;
  let block = blocks.get(from);
  while (block && block.header.height > height) block = blocks.get(block.header.parent);
  return block !== undefined;
}

/** Whether it is still in that view, with time left. */
function isWaiting({ state }: Host, epoch: number, view: number): boolean {
  if (!state) return false;
  const { replica } = state;
  return replica.committee.epoch === epoch && replica.view === view && replica.timedOut !== view;
}
