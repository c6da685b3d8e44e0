import type { NodeId } from "@/core/ids.ts";
import type { CloseContext, ClosedNode, CloseNode } from "@/core/poot/closing.ts";
import { closeInterval } from "@/core/poot/interval.ts";
import { IntervalBlobWriter } from "@/core/poot/interval-blob.ts";
import { dropHealth } from "@/core/poot/membership.ts";
import { forgetNode, forgetSilent, settleNode } from "@/core/poot/presence.ts";
import { type Interval, intervalFirstSlot, intervalLastSlot, type Slot } from "@/core/poot/slot.ts";
import { isRefusal } from "@/std/errors.ts";
import { candidatesOf, closeNodeOf } from "./candidates.ts";
import type { Figures } from "./figures.ts";
import { bookAfter, type PackedBook, packBook } from "./node-book.ts";
import type { PootState } from "./parts.ts";
import { bookOf, membershipIn, type PoolMemory } from "./pool-memory.ts";
import {
  insertInterval,
  insertOpens,
  readLastCursor,
  saveBooks,
  saveHighestSlot,
} from "./records.ts";
import { inTurns, othersTurn } from "./turns.ts";

/** After so many nodes others get their turn: about two milliseconds. */
const NODES_PER_TURN = 50;

/** What a closed interval is about to change. */
interface Closing {
  readonly memory: PoolMemory;
  readonly context: CloseContext;
  readonly nodes: readonly ClosedNode[];
  readonly books: ReadonlyMap<NodeId, PackedBook>;
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

  /** Closes all that was heard, the interval that runs included: its time epoch ends. Within `alone`. */
  async closeEpoch(): Promise<void> {
    const { poolClock, pools, parts } = this.#parts.state;
    const { slotsPerInterval } = parts.settings;
    const open = intervalFirstSlot(poolClock.time.highestSlot, slotsPerInterval);
    for (const memory of pools.values()) {
      if (memory.presence.nodes.size > 0) await this.#closePool(memory, open + slotsPerInterval);
    }
  }

  async #closeDue(): Promise<void> {
    const { poolClock, pools, parts } = this.#parts.state;
    if (poolClock.time.waiting !== undefined) return;
    for (const memory of pools.values()) {
      const { highestSlot } = poolClock.time;
      const { slotsPerInterval } = parts.settings;
      await this.#closePool(memory, intervalFirstSlot(highestSlot, slotsPerInterval));
      await othersTurn();
    }
  }

  async #closePool(memory: PoolMemory, until: Slot): Promise<void> {
    const { poolClock, parts } = this.#parts.state;
    const { slotsPerInterval } = parts.settings;
    const { highestSlot, epoch } = poolClock.time;
    let firstSlot = this.#firstToClose(memory, highestSlot);
    for (; firstSlot < until; firstSlot += slotsPerInterval) {
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
    const closing = {
      memory,
      context,
      nodes,
      books: await this.#booksAfter(memory, context, nodes),
    };
    if (nodes.length > 0 && !(await this.#commit(closing))) return false;
    await this.#settle(closing);
    return true;
  }

  async #closeNodes(memory: PoolMemory, context: CloseContext): Promise<ClosedNode[]> {
    const { interval } = context;
    const closed: ClosedNode[] = [];
    await inTurns(candidatesOf(memory), NODES_PER_TURN, (id) => {
      const node = closeNodeOf(this.#parts.state, memory, { id, interval });
      if (node) closed.push(...this.#closeNode(context, node));
    });
    return closed;
  }

  #closeNode(context: CloseContext, node: CloseNode): ClosedNode[] {
    const { nodes, leftOut } = closeInterval(context, [node]);
    const { log } = this.#parts.state.parts;
    for (const left of leftOut) log.error({ ...left }, "a node was left out of a close");
    if (leftOut.length > 0) this.#parts.figures.leftOut(leftOut.length);
    return nodes.filter((closed) => isWorthWriting(closed, node));
  }

  async #booksAfter(
    memory: PoolMemory,
    context: CloseContext,
    nodes: readonly ClosedNode[],
  ): Promise<ReadonlyMap<NodeId, PackedBook>> {
    const books = new Map<NodeId, PackedBook>();
    await inTurns(nodes, NODES_PER_TURN, (closed) => {
      const before = bookOf(memory, closed.node, context.interval.firstSlot);
      const cursor = Number(this.#cursor + 1n);
      books.set(closed.node, packBook(bookAfter(before, closed, { context, cursor })));
    });
    return books;
  }

  /** Whether the interval is on the disk now. What is refused is tried again with the next slot. */
  async #commit(closing: Closing): Promise<boolean> {
    const { state } = this.#parts;
    const { memory, context } = closing;
    const { interval } = context;
    try {
      const { highestSlot } = state.poolClock.time;
      await state.parts.database.commit(await this.#writes(closing, highestSlot));
      state.storedSlot = highestSlot;
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

  async #writes({ memory, context, nodes, books }: Closing, highestSlot: Slot) {
    const { database, clock } = this.#parts.state.parts;
    const { interval, gapFrom, slotSeconds, key } = context;
    const head = { interval, slotSeconds, gapFrom, poolKey: key.publicKey };
    const writer = new IntervalBlobWriter(head, nodes.length);
    await inTurns(nodes, NODES_PER_TURN, (node) => writer.add(node));
    const epoch = BigInt(interval.epoch);
    const opens = nodes.flatMap(({ node, opens }) => opens.map((open) => ({ node, ...open })));
    return [
      insertInterval(database, {
        id: this.#cursor + 1n,
        epoch,
        pool: memory.pool,
        first_slot: BigInt(interval.firstSlot),
        closed_at: BigInt(clock.now()),
        blob: writer.done(),
      }),
      ...insertOpens(database, opens),
      saveBooks(database, { pool: memory.pool, epoch, blob: memory.books.blobWith(books) }),
      saveHighestSlot(database, interval.epoch, highestSlot),
    ];
  }

  /** The memory follows the disk. */
  async #settle({ memory, context, nodes, books }: Closing): Promise<void> {
    const { state } = this.#parts;
    const { interval } = context;
    memory.closedUntil = interval.firstSlot + interval.slots;
    for (const [node, book] of books) memory.books.set(node, book);
    await inTurns(nodes, NODES_PER_TURN, (node) => {
      settleNode(memory.presence, node);
      forgetSilent(memory.presence, node, interval.firstSlot);
    });
    this.#forgetGone(memory, interval);
    forgetBack(memory, interval);
    if (nodes.length === 0) return;
    this.#count(nodes);
    const told = { pool: memory.pool, firstSlot: interval.firstSlot };
    state.parts.events.tell("interval.closed", told);
  }

  #forgetGone(memory: PoolMemory, interval: Interval): void {
    for (const id of memory.presence.nodes.keys()) {
      const node = this.#parts.state.parts.registry.findNode(id);
      const membership = node ? membershipIn(node, memory.pool) : "removed";
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

/** Who came back before the interval ended is a member like others in the next one. */
function forgetBack({ backIn }: PoolMemory, interval: Interval): void {
  for (const [node, slot] of backIn) {
    if (slot !== undefined && slot <= intervalLastSlot(interval)) backIn.delete(node);
  }
}

/** A node of which nothing was heard or paid and that is not counted changes nothing. */
function isWorthWriting({ rows, slots, sessions }: ClosedNode, before: CloseNode): boolean {
  return rows.length > 0 || slots !== undefined || sessions !== before.sessions;
}
