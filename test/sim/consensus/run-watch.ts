import type { Durable } from "@/core/consensus/durable.ts";
import type { Alarm, Effect, Event } from "@/core/consensus/events.ts";
import type { Evidence } from "@/core/consensus/evidence.ts";
import type { Message, Proposal } from "@/core/consensus/messages.ts";
import type { Committee } from "@/core/consensus/quorum.ts";
import type { State } from "@/core/consensus/state.ts";
import type { Block, Cert, Hash } from "@/core/consensus/types.ts";
import type { AppState } from "./application.ts";
import type { ConcordWatch } from "./concord-watch.ts";
import { EvidenceWatch } from "./evidence-watch.ts";
import { ExecutionWatch } from "./execution-watch.ts";
import type { Host } from "./host.ts";
import type { Journal } from "./journal.ts";
import type { SafetyWatch } from "./safety-watch.ts";
import { StateWatch } from "./state-watch.ts";
import type { Watch } from "./surroundings.ts";
import { promise } from "./violation.ts";

/** What a run was made of, added up. */
export interface Tally {
  events: number;
  commits: number;
  evidence: number;
  /** How often somebody honest heard a liar contradict itself. */
  heard: number;
  timeouts: number;
  restarts: number;
  lost: number;
  /** Timeout certificates all had to follow, and proposals all had to vote for (L2, L3). */
  followed: number;
  backed: number;
}

/** Nothing yet. */
export const EMPTY_TALLY: Tally = {
  events: 0,
  commits: 0,
  evidence: 0,
  heard: 0,
  timeouts: 0,
  restarts: 0,
  lost: 0,
  followed: 0,
  backed: 0,
};

/** Everything that looks on, and some counting. */
export class RunWatch implements Watch {
  readonly safety: SafetyWatch;
  readonly journal: Journal;
  readonly tally: Tally = { ...EMPTY_TALLY };
  /** When somebody last committed something nobody had, and when an honest process last spoke. */
  committedAt = 0;
  spokenAt = 0;
  /** When any of them last committed something, and when one last wished for another view. */
  advancedAt = 0;
  wishedAt = 0;
  /** Waits of leaders for the locks of others: none while honest leaders follow each other (L4). */
  leaderWaits = 0;
  /** By epoch, the highest view an honest process was in until the network healed. */
  readonly highest = new Map<number, number>();
  /** From when the network has healed. */
  concord: ConcordWatch | null = null;
  readonly #proposed = new Set<Hash>();
  readonly #states = new StateWatch();
  readonly #executions: ExecutionWatch;
  readonly #evidence: EvidenceWatch;
  /** The committee each process was last seen with; one it had before needs no second look. */
  readonly #committees: Committee[] = [];
  readonly #now: () => number;

  constructor(safety: SafetyWatch, journal: Journal, now: () => number) {
    this.safety = safety;
    this.#executions = new ExecutionWatch(safety.chain);
    this.#evidence = new EvidenceWatch(safety.liars);
    this.journal = journal;
    this.#now = now;
  }

  booted(host: Host, durable: Durable | null): void {
    this.tally.restarts += host.life > 1 ? 1 : 0;
    this.safety.booted(host, durable);
    if (!this.safety.isLiar(host)) this.#executions.look(host, host.app);
  }

  stepped(host: Host, event: Event, effects: readonly Effect[]): void {
    this.tally.events++;
    this.journal.add(this.#now(), host, event, effects);
    if (!host.state) return;
    const { committee } = host.state.replica;
    const isLiar = this.safety.isLiar(host);
    if (this.#committees[host.id] !== committee) {
      this.#committees[host.id] = committee;
      this.safety.ballots.open(committee, isLiar);
    }
    if (isLiar) return;
    this.#evidence.stepped(host, event, effects);
    this.tally.heard = this.#evidence.heard;
    this.#states.check(host, host.state);
    if (this.concord) this.concord.stepped(host);
    else this.#noteView(host.state.replica);
    for (const effect of effects) if (isLeaderWait(effect, host.config.deltaMs)) this.leaderWaits++;
  }

  persisted(host: Host, durable: Durable): void {
    if (!this.safety.isLiar(host)) this.safety.persisted(host, durable);
  }

  sealed(host: Host, message: Message): void {
    if (message.type === "status" || this.safety.isLiar(host)) return;
    this.spokenAt = this.#now();
    if (message.type === "wish") {
      this.tally.timeouts++;
      this.wishedAt = this.#now();
    }
    this.safety.sealed(host, message);
    if (message.type === "proposal") this.#onProposal(host, message);
  }

  #noteView({ view, committee: { epoch } }: State["replica"]): void {
    if (view > (this.highest.get(epoch) ?? 0)) this.highest.set(epoch, view);
  }

  #onProposal(host: Host, proposal: Proposal): void {
    const { hash } = proposal.block;
    if (this.#proposed.has(hash)) return;
    this.#proposed.add(hash);
    this.concord?.proposed(host, proposal);
  }

  committed(host: Host, blocks: readonly Block[], cert: Cert): void {
    const height = this.safety.chain.length;
    this.safety.committed(host, blocks, cert);
    if (!this.safety.isLiar(host)) this.advancedAt = this.#now();
    if (this.safety.chain.length === height) return;
    this.tally.commits = this.safety.chain.length - 1;
    this.committedAt = this.#now();
  }

  executed(host: Host, state: AppState): void {
    if (!this.safety.isLiar(host)) this.#executions.look(host, state);
    this.safety.executed(host, state);
  }

  reported(host: Host, evidence: Evidence): void {
    this.tally.evidence++;
    this.safety.reported(host, evidence);
  }

  alarmed(host: Host, { alarm, why }: Alarm): void {
    promise(this.safety.isLiar(host), "alarm", () => `${host.id} alarms ${alarm}: ${why}`);
  }
}

/** A wait for locks, of 2Δ; one for the body of a parent, of Δ, is something else. */
function isLeaderWait(effect: Effect, deltaMs: number): boolean {
  return effect.type === "set_timer" && effect.timer === "leader_wait" && effect.ms > deltaMs;
}
