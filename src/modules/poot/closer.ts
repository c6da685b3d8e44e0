import type { NodeId } from "@/core/ids.ts";
import type { CloseContext, ClosedNode, CloseNode } from "@/core/poot/closing.ts";
import { closeInterval } from "@/core/poot/interval.ts";
import { encodeIntervalBlob } from "@/core/poot/interval-blob.ts";
import type { SessionMarks } from "@/core/poot/marks.ts";
import { dropHealth } from "@/core/poot/membership.ts";
import { forgetNode, settleNode } from "@/core/poot/presence.ts";
import { type Interval, intervalFirstSlot, intervalLastSlot, type Slot } from "@/core/poot/slot.ts";
import { countedWeight } from "@/core/specialization.ts";
import { sameBytes } from "@/std/bytes.ts";
import { isRefusal } from "@/std/errors.ts";
import type { Figures } from "./figures.ts";
import { addPlanned, addToDay, keptSessions, type NodeBook, plannedBefore } from "./node-book.ts";
import type { PootState } from "./parts.ts";
import { bookOf, membershipIn, type PoolMemory } from "./pool-memory.ts";
import {
  insertInterval,
  insertOpens,
  readLastCursor,
  saveBooks,
  saveHighestSlot,
} from "./records.ts";

/** How many nodes are closed before others get their turn: about two milliseconds. */
const NODES_PER_TURN = 50;

/** What a closed interval is about to change. */
interface Closing {
  readonly memory: PoolMemory;
  readonly context: CloseContext;
  readonly nodes: readonly ClosedNode[];
  readonly books: ReadonlyMap<NodeId, NodeBook>;
}

/** What the closer works with. */
export interface CloserParts {
  readonly state: PootState;
  readonly figures: Figures;
  /** The number of the newest interval on the disk. */
  readonly cursor: bigint;
  /** Reads again what the disk holds of a pool, when somebody else has closed for it. */
  readonly reload: (memory: PoolMemory) => Promise<void>;
}

/** Closes intervals, one pool at a time: everything of all its nodes in one commit. */
export class Closer {
  readonly #parts: CloserParts;
  #cursor: bigint;
  #running: Promise<void> = Promise.resolve();

  constructor(parts: CloserParts) {
    this.#parts = parts;
    this.#cursor = parts.cursor;
  }

  /** Closes all intervals that have ended; while the clock is not believed, none. */
  closeDue(): Promise<void> {
    const run = this.#running.then(() => this.#closeDue());
    this.#running = run.catch(() => {});
    return run;
  }

  /** Waits for what is under way, and keeps others out until `act` is done. */
  async alone<Result>(act: () => Promise<Result>): Promise<Result> {
    const run = this.#running.then(act);
    this.#running = run.then(
      () => {},
      () => {},
    );
    return run;
  }

  async #closeDue(): Promise<void> {
    const { poolClock, pools } = this.#parts.state;
    if (poolClock.time.waiting !== undefined) return;
    for (const memory of pools.values()) {
      await this.#closePool(memory);
      await othersTurn();
    }
  }

  async #closePool(memory: PoolMemory): Promise<void> {
    const { poolClock, parts } = this.#parts.state;
    const { slotsPerInterval } = parts.settings;
    const { highestSlot, epoch } = poolClock.time;
    const open = intervalFirstSlot(highestSlot, slotsPerInterval);
    let firstSlot = this.#firstToClose(memory, highestSlot);
    for (; firstSlot < open; firstSlot += slotsPerInterval) {
      const beganMs = parts.clock.monotonic();
      if (!(await this.#close(memory, { epoch, firstSlot, slots: slotsPerInterval }))) return;
      this.#parts.figures.closed((parts.clock.monotonic() - beganMs) / 1000);
    }
  }

  /** Intervals of which nothing is remembered are never written: their slots are a gap. */
  #firstToClose({ presence, closedUntil }: PoolMemory, now: Slot): Slot {
    const { slotsPerInterval } = this.#parts.state.parts.settings;
    const began = intervalFirstSlot(presence.startSlot, slotsPerInterval);
    const forgotten = now - presence.windowSlots;
    const remembered = intervalFirstSlot(forgotten, slotsPerInterval) + slotsPerInterval;
    return Math.max(closedUntil, began, remembered);
  }

  async #close(memory: PoolMemory, interval: Interval): Promise<boolean> {
    const { authority } = this.#parts.state.parts;
    const context: CloseContext = {
      interval,
      slotSeconds: this.#parts.state.parts.settings.slotSeconds,
      key: authority.poolKey(memory.pool),
      notLooked: this.#parts.state.poolClock.notLookedIn(interval),
      gapFrom: Math.min(memory.closedUntil, interval.firstSlot),
    };
    const nodes = await this.#closeNodes(memory, context);
    const closing = { memory, context, nodes, books: this.#booksAfter(memory, context, nodes) };
    if (nodes.length > 0 && !(await this.#commit(closing))) return false;
    this.#settle(closing);
    return true;
  }

  async #closeNodes(memory: PoolMemory, context: CloseContext): Promise<ClosedNode[]> {
    const closed: ClosedNode[] = [];
    const candidates = this.#candidates(memory, context.interval);
    for (let at = 0; at < candidates.length; at += NODES_PER_TURN) {
      const turn = candidates.slice(at, at + NODES_PER_TURN);
      const part = closeInterval(context, turn);
      for (const node of part.nodes) if (isWorthWriting(node, memory)) closed.push(node);
      for (const left of part.leftOut) {
        this.#parts.state.parts.log.error({ ...left }, "a node was left out of a close");
      }
      this.#parts.figures.leftOut(part.leftOut.length);
      await othersTurn();
    }
    return closed;
  }

  /** Nodes with rows to settle, and members whose slots have states. */
  #candidates(memory: PoolMemory, interval: Interval): CloseNode[] {
    const nodes = new Set<NodeId>(memory.presence.nodes.keys());
    for (const node of memory.books.nodes()) nodes.add(node);
    return [...nodes].flatMap((node) => this.#candidate(memory, node, interval) ?? []);
  }

  #candidate(memory: PoolMemory, id: NodeId, interval: Interval): CloseNode | undefined {
    const { registry, settings } = this.#parts.state.parts;
    const node = registry.findNode(id);
    const presence = memory.presence.nodes.get(id);
    if (!node) return undefined;
    const membership = membershipIn(node, memory.pool);
    if (membership !== "member" && !presence) return undefined;
    const book = bookOf(memory, id, this.#registeredSlot(node.registeredSlot));
    const weight = this.#parts.state.weightOf(node.specialization);
    return {
      node: id,
      membership,
      rows: presence?.sessions ?? [],
      window: presence?.window,
      marks: book.marks,
      sessions: book.sessions,
      weightPermille: countedWeight(weight, node.specializationApproved),
      healthPermille: node.healthPermille,
      plannedBefore: plannedBefore(book, interval.firstSlot, settings.slotSeconds),
      statesUntil:
        membership === "left" ? (memory.leftIn.get(id) ?? interval.firstSlot - 1) : undefined,
    };
  }

  /** A node registered in an earlier epoch counts from this one's first slot. */
  #registeredSlot(slot: Slot): Slot {
    const { epochSlot, poolClock } = this.#parts.state;
    return poolClock.time.epoch === 0 ? slot : Math.min(slot, epochSlot);
  }

  #booksAfter(
    memory: PoolMemory,
    { interval, gapFrom, slotSeconds }: CloseContext,
    nodes: readonly ClosedNode[],
  ): ReadonlyMap<NodeId, NodeBook> {
    const now = intervalLastSlot(interval);
    const books = new Map<NodeId, NodeBook>();
    for (const { node, marks, sessions, rows, slots, recovered } of nodes) {
      const before = bookOf(memory, node, interval.firstSlot);
      const gap = {
        from: Math.max(gapFrom, marks.firstOpenSlot ?? now),
        to: interval.firstSlot - 1,
      };
      books.set(node, {
        marks,
        sessions: keptSessions(sessions, now, slotSeconds),
        creditedIn: rows.length > 0 ? Number(this.#cursor + 1n) : before.creditedIn,
        today: addToDay(before.today, { slots, recovered, gap, slotSeconds }),
        planned: addPlanned(before.planned, slots, slotSeconds),
      });
    }
    return books;
  }

  /** Whether the interval is on the disk now. What is refused is tried again with the next slot. */
  async #commit(closing: Closing): Promise<boolean> {
    const { state } = this.#parts;
    const { memory, context } = closing;
    const { interval } = context;
    try {
      await state.parts.database.commit(await this.#writes(closing));
      this.#cursor += 1n;
      return true;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      const where = { pool: memory.pool, firstSlot: interval.firstSlot, code: error.code };
      state.parts.log.warn(where, "an interval was not closed");
      if (error.kind === "conflict") await this.#readAgain(memory);
      return false;
    }
  }

  /** Somebody else has closed: what is on the disk is what counts. */
  async #readAgain(memory: PoolMemory): Promise<void> {
    this.#cursor = await readLastCursor(this.#parts.state.parts.database);
    await this.#parts.reload(memory);
  }

  async #writes({ memory, context, nodes, books }: Closing) {
    const { database, clock } = this.#parts.state.parts;
    const { interval, gapFrom, slotSeconds, key } = context;
    const poolKey = key.publicKey;
    const blob = encodeIntervalBlob({ interval, slotSeconds, gapFrom, poolKey, nodes });
    await othersTurn();
    const epoch = BigInt(interval.epoch);
    const opens = nodes.flatMap(({ node, opens }) => opens.map((open) => ({ node, ...open })));
    return [
      insertInterval(database, {
        id: this.#cursor + 1n,
        epoch,
        pool: memory.pool,
        first_slot: BigInt(interval.firstSlot),
        closed_at: BigInt(clock.now()),
        blob,
      }),
      ...insertOpens(database, opens),
      saveBooks(database, { pool: memory.pool, epoch, blob: memory.books.blobWith(books) }),
      saveHighestSlot(database, interval.epoch, this.#parts.state.poolClock.time.highestSlot),
    ];
  }

  /** The memory follows the disk. */
  #settle({ memory, context, nodes, books }: Closing): void {
    const { state } = this.#parts;
    const { interval } = context;
    memory.closedUntil = interval.firstSlot + interval.slots;
    for (const [node, book] of books) memory.books.set(node, book);
    for (const node of nodes) settleNode(memory.presence, node);
    this.#forgetGone(memory, interval);
    if (nodes.length === 0) return;
    this.#count(nodes);
    const told = { pool: memory.pool, firstSlot: interval.firstSlot };
    state.parts.events.tell("interval.closed", told);
  }

  #forgetGone(memory: PoolMemory, interval: Interval): void {
    for (const id of memory.presence.nodes.keys()) {
      const node = this.#parts.state.parts.registry.findNode(id);
      const membership = node && membershipIn(node, memory.pool);
      if (membership !== "left" && membership !== "removed") continue;
      if ((memory.leftIn.get(id) ?? 0) > intervalLastSlot(interval)) continue;
      forgetNode(memory.presence, id);
      dropHealth(memory.health, id);
      memory.leftIn.delete(id);
    }
  }

  #count(nodes: readonly ClosedNode[]): void {
    const { figures } = this.#parts;
    for (const { slots, recovered, rows } of nodes) {
      if (slots) figures.slots(slots);
      if (recovered > 0) figures.recovered(recovered);
      for (const { ticks } of rows) if (ticks > 0) figures.credited(ticks);
    }
  }
}

/** A node of which nothing was heard or paid and that is not counted changes nothing. */
function isWorthWriting({ node, rows, slots, sessions }: ClosedNode, memory: PoolMemory): boolean {
  if (rows.length > 0 || slots !== undefined) return true;
  const before = memory.books.get(node)?.sessions ?? [];
  return sessions.some((session) => !before.some((other) => isSameMark(session, other)));
}

function isSameMark(one: SessionMarks, other: SessionMarks): boolean {
  return one.credited === other.credited && sameBytes(one.session, other.session);
}

/** Lets everybody else who waits go first: heartbeats do not wait for a whole pool. */
function othersTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
