import type { Caller } from "@/core/caller.ts";
import type { NodeId, PoolId } from "@/core/ids.ts";
import type { ClosedCredits, NodeCredit } from "@/core/poot/booking.ts";
import type { HeartbeatBytes } from "@/core/poot/heartbeat.ts";
import { dropHealth } from "@/core/poot/membership.ts";
import type { Proof } from "@/core/poot/proof.ts";
import { intervalFirstSlot, type Slot } from "@/core/poot/slot.ts";
import type { SlotCounts } from "@/core/poot/slot-state.ts";
import { isRefusal } from "@/std/errors.ts";
import { Closer } from "./closer.ts";
import { poolSlotsToday, slotsOfDay, slotsToday } from "./days.ts";
import { createFigures, type Figures, showState } from "./figures.ts";
import { type HeartbeatAnswer, Heartbeats } from "./heartbeats.ts";
import { creditsAfter, creditsOfNode, intervalsOf } from "./history.ts";
import { Judging } from "./judging.ts";
import { dayOfSlot } from "./node-book.ts";
import type { PootParts, PootState } from "./parts.ts";
import { type NodeTime, nodeTime, type ProofRequest, proofOf } from "./proofs.ts";
import { pruneIntervals } from "./pruning.ts";
import { type IntervalRange, readLastCursor } from "./records.ts";
import { type Recount, Recounter } from "./recount.ts";
import { openState, readMemory, rememberPool } from "./state.ts";
import { acceptTime, keepTime, renewMasters, requireBehind, rewindTime } from "./time-acts.ts";

declare module "@/kernel/events.ts" {
  interface EventMap {
    /** A node was heard in a session it had left: told each time, and once means little. */
    "node.doubled": { readonly node: NodeId };
    "interval.closed": { readonly pool: PoolId; readonly firstSlot: Slot };
  }
}

/** The pool's time, behind its guard. */
export interface PoolTimeNow {
  readonly nowMs: number;
  readonly slot: Slot;
  readonly slotSeconds: number;
  readonly slotsPerInterval: number;
  readonly epoch: number;
  /** While false, nothing is accepted, credited or issued. */
  readonly trusted: boolean;
  /** A sentence for the operator, naming the command that helps. */
  readonly waitReason?: string;
}

/** What the ledger says of the same credits: what they are worth by its own figures, and what is booked. */
export interface LedgerFigures {
  readonly recomputedMicroUsdt: bigint;
  readonly ledgerMicroUsdt: bigint;
}

type CompareCredits = (
  pool: PoolId,
  node: NodeId | undefined,
  credits: readonly NodeCredit[],
) => Promise<LedgerFigures | undefined>;

/** A recount, and the ledger's word when it has one and the whole history was asked for. */
export interface Calculation extends Recount {
  readonly ledger: LedgerFigures | undefined;
  readonly isEqual: boolean;
}

const CREDIT_PAGES = 50;
const WAIT_SENTENCES = {
  behind:
    "The clock is behind the highest slot ever seen. Set it right, or run `galaxy-pool clock rewind`.",
  jumped:
    "The clock has jumped far ahead. If it is right now, run `galaxy-pool clock accept`; else set it right.",
} as const;

/** Takes heartbeats, keeps presence, closes intervals into credits. */
export class Poot {
  readonly #parts: PootParts;
  readonly #state: PootState;
  readonly #figures: Figures;
  readonly #heartbeats: Heartbeats;
  readonly #judging: Judging;
  readonly #closer: Closer;
  #compare: CompareCredits | undefined;
  #bookedUntil: bigint | undefined;

  private constructor(state: PootState, cursor: bigint) {
    this.#parts = state.parts;
    this.#state = state;
    this.#figures = createFigures(state.parts.metrics);
    this.#heartbeats = new Heartbeats(state, this.#figures);
    this.#judging = new Judging(state);
    this.#closer = new Closer({
      state,
      figures: this.#figures,
      cursor,
      reload: (memory) => readMemory(state, memory),
    });
    showState(state.parts.metrics, state);
  }

  /**
   * Proof of operational time as the disk knows it; the tables must be there. Refuses another length
   * of slot or interval than the data was begun with (`poot.slots_fixed`).
   */
  static async open(parts: PootParts): Promise<Poot> {
    const state = await openState(parts);
    const poot = new Poot(state, await readLastCursor(parts.database));
    for (const { id } of parts.registry.listPools()) await poot.addPool(id);
    return poot;
  }

  poolTime(): PoolTimeNow {
    const { waiting, epoch } = this.#state.poolClock.step();
    const time = {
      nowMs: this.#parts.clock.now(),
      slot: this.#state.poolClock.shownSlot,
      ...this.#parts.settings,
      epoch,
      trusted: waiting === undefined,
    };
    return waiting === undefined ? time : { ...time, waitReason: WAIT_SENTENCES[waiting] };
  }

  /** Judges a heartbeat; refuses bytes that are none (`poot.malformed`). No disk is touched. */
  heartbeat(caller: Caller, bytes: HeartbeatBytes): HeartbeatAnswer {
    return this.#heartbeats.take(caller, bytes);
  }

  /** The same, its signature checked beside the event loop: for heartbeats that come over the network. */
  heartbeatAside(caller: Caller, bytes: HeartbeatBytes): Promise<HeartbeatAnswer> {
    return this.#heartbeats.takeAside(caller, bytes);
  }

  /** Looks at the clock, judges slots that have ended; true when an interval may have ended, too. */
  tick(): boolean {
    this.#state.poolClock.step();
    const ended = this.#state.poolClock.takeEnded();
    this.#judging.observe(ended);
    return ended.length > 0;
  }

  /** Closes all intervals that have ended. */
  closeDue(): Promise<void> {
    return this.#closer.closeDue();
  }

  /** At a graceful stop: closes what is complete; the rest is in the receipts. */
  async flush(): Promise<void> {
    this.tick();
    await this.closeDue();
    await this.#closer.alone(() => keepTime(this.#state));
  }

  /**
   * A few times a day: keeps pool time, renews receipt masters, and forgets what is old. What the
   * disk refuses waits for the next time.
   */
  async tend(): Promise<void> {
    await this.#closer.alone(() => keepTime(this.#state));
    try {
      await this.#closer.alone(async () => renewMasters(this.#state));
      await this.prune();
    } catch (error) {
      if (!isRefusal(error)) throw error;
      this.#parts.log.warn({ code: error.code }, "old intervals were not forgotten");
    }
  }

  /** Begins to remember a pool. */
  async addPool(pool: PoolId): Promise<void> {
    this.#judging.expectMembers(await rememberPool(this.#state, pool));
    for (const { id, status } of this.#parts.registry.nodesOf(pool)) {
      if (status === "suspended") this.noteSuspended(pool, id);
    }
  }

  /** Forgets a pool that was deleted. */
  dropPool(pool: PoolId): void {
    this.#state.pools.delete(pool);
  }

  /** Notes that a node is no member of a pool any more: its rows are still credited. */
  noteLeft(pool: PoolId, node: NodeId): void {
    const memory = this.#state.pools.get(pool);
    if (!memory) return;
    memory.pending.delete(node);
    dropHealth(memory.health, node);
    if (!memory.presence.nodes.has(node)) return;
    memory.leftIn.set(node, this.#state.poolClock.time.highestSlot);
  }

  /** Notes that a node is a member of a pool, for the first time or again. */
  noteJoined(pool: PoolId, node: NodeId): void {
    const memory = this.#state.pools.get(pool);
    memory?.leftIn.delete(node);
    memory?.pending.delete(node);
    memory?.backIn.set(node, this.#state.poolClock.time.highestSlot);
  }

  /** Notes that nothing is expected of a node for now. */
  noteSuspended(pool: PoolId, node: NodeId): void {
    const memory = this.#state.pools.get(pool);
    if (!memory) return;
    dropHealth(memory.health, node);
    memory.backIn.set(node, undefined);
  }

  /** Notes that a node is a member again when it was suspended. */
  noteChanged(pool: PoolId, node: NodeId): void {
    const { backIn } = this.#state.pools.get(pool) ?? {};
    if (!backIn?.has(node) || backIn.get(node) !== undefined) return;
    if (this.#parts.registry.findNode(node)?.status !== "member") return;
    backIn.set(node, this.#state.poolClock.time.highestSlot);
  }

  /** How many intervals of a pool have ended and wait to be closed. */
  intervalsBehind(): number {
    const { slotsPerInterval } = this.#parts.settings;
    const open = intervalFirstSlot(this.#state.poolClock.time.highestSlot, slotsPerInterval);
    const behind = [...this.#state.pools.values()].map(({ closedUntil, presence }) => {
      const began = intervalFirstSlot(presence.startSlot, slotsPerInterval);
      return (open - Math.max(closedUntil, began)) / slotsPerInterval;
    });
    return Math.max(0, ...behind);
  }

  /** Who keeps the tariff says what a specialization weighs; 1000 before. */
  weighWith(weightOf: (specialization: string) => number): void {
    this.#state.weightOf = weightOf;
  }

  /** Closed intervals after a cursor, oldest first, a page of them; empty when there are no more. */
  creditsAfter(cursor: bigint, limit = CREDIT_PAGES): Promise<readonly ClosedCredits[]> {
    return creditsAfter(this.#parts.database, cursor, limit);
  }

  /** The credits of one node in intervals that begin in a range of slots, both ends included. */
  creditsOf(range: IntervalRange, node: NodeId): Promise<readonly ClosedCredits[]> {
    return creditsOfNode(this.#parts.database, range, node);
  }

  /** The ledger has booked up to a cursor: nothing after it is ever forgotten. */
  bookedUntil(cursor: bigint): void {
    this.#bookedUntil = cursor;
  }

  /** A node's slots since midnight (UTC) at its pool, the open interval included. */
  today(node: NodeId): SlotCounts {
    const { pool } = this.#parts.registry.getNode(node);
    return slotsToday(this.#state, pool, node);
  }

  /** A node's slots in the 24 hours from a moment on; of today, the open interval included. */
  async day(node: NodeId, dayStartMs: number): Promise<SlotCounts> {
    const { pool } = this.#parts.registry.getNode(node);
    const { slotSeconds } = this.#parts.settings;
    const today = dayOfSlot(this.#state.poolClock.time.highestSlot, slotSeconds);
    if (dayStartMs === today * 86_400_000) return slotsToday(this.#state, pool, node);
    return slotsOfDay(this.#state, { pool, node, dayStartMs });
  }

  /** The slots of all members of a pool since midnight. */
  dayOfPool(pool: PoolId): SlotCounts {
    return poolSlotsToday(this.#state, pool);
  }

  /** A node's newest proof and its interval table. */
  nodeTime(request: ProofRequest): Promise<NodeTime> {
    return nodeTime(this.#state, request);
  }

  /** The proof anybody can check offline; refuses while there is none (`poot.no_proof`). */
  proof(request: ProofRequest): Promise<Proof> {
    return proofOf(this.#state, request);
  }

  /** Who keeps the money compares recomputed credits with the books. */
  compareWith(compare: CompareCredits): void {
    this.#compare = compare;
  }

  /** Computes credits again from what is stored; it never writes. */
  async calculate(range: {
    readonly pool: PoolId;
    readonly node: NodeId | undefined;
    readonly from: Slot;
    readonly to: Slot;
  }): Promise<Calculation> {
    const { pool, node, from, to } = range;
    const { database } = this.#parts;
    const recounter = new Recounter(pool, from);
    for await (const interval of intervalsOf(database, { pool, from: 0, to }, node)) {
      recounter.add(interval);
    }
    const { result } = recounter;
    const isWhole = from === 0 && to >= this.#state.poolClock.time.highestSlot;
    const ledger = isWhole ? await this.#compare?.(pool, node, result.credits) : undefined;
    const isEqual = result.stored.cu === result.recomputed.cu && result.differences.length === 0;
    return { ...result, ledger, isEqual: isEqual && isSettledIn(ledger) };
  }

  /** An administrator believes the clock; refuses one that is behind (`clock.behind`). */
  acceptClock(caller: Caller): Promise<void> {
    return this.#closer.alone(() => acceptTime(this.#state, caller));
  }

  /**
   * An administrator begins a new time epoch; refuses a clock that is believed (`clock.right`). What
   * was heard in the old one is paid first, because no receipt of it is good afterwards.
   */
  async rewindClock(caller: Caller): Promise<void> {
    await this.#closer.alone(async () => {
      requireBehind(this.#state);
      await this.#closer.closeEpoch();
      await rewindTime(this.#state, caller);
    });
    for (const memory of this.#state.pools.values()) this.#judging.expectMembers(memory);
  }

  /** Intervals older than 90 days become the newest CLAIM and ACK of each session. */
  async prune(): Promise<void> {
    if (this.#state.poolClock.step().waiting !== undefined) return;
    return this.#closer.alone(() => pruneIntervals(this.#parts, this.#bookedUntil));
  }
}

function isSettledIn(ledger: LedgerFigures | undefined): boolean {
  return ledger === undefined || ledger.recomputedMicroUsdt === ledger.ledgerMicroUsdt;
}
