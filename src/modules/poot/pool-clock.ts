import {
  acceptClock,
  type ClockReading,
  type EndedSlots,
  type PoolTime,
  rewindClock,
  type StoredTime,
  shownSlot,
  startPoolTime,
  stepPoolTime,
  type TimeStep,
} from "@/core/poot/pool-time.ts";
import { type Interval, intervalLastSlot, type Slot } from "@/core/poot/slot.ts";
import type { Clock } from "@/ports/clock.ts";

/** Slots whose looking is remembered; enough for every interval that can still be closed. */
const REMEMBERED_SLOTS = 4096;

/** The pool's clock behind its guard, and in which slots the pool was looking. */
export class PoolClock {
  readonly #clock: Clock;
  readonly #looked = new Set<Slot>();
  #ended: EndedSlots[] = [];
  #time: PoolTime;

  constructor(clock: Clock, stored: StoredTime) {
    this.#clock = clock;
    this.#time = startPoolTime(stored, this.#reading());
  }

  /** Pool time now; every reading is taken into account. */
  step(): PoolTime {
    return this.#take(stepPoolTime(this.#time, this.#reading()));
  }

  /** Pool time as it was at the last step. */
  get time(): PoolTime {
    return this.#time;
  }

  /** The slot to show to a node: what the clock says, believed or not. */
  get shownSlot(): Slot {
    return shownSlot(this.#time);
  }

  /** Slots that have ended since this was asked last. */
  takeEnded(): readonly EndedSlots[] {
    const ended = this.#ended;
    this.#ended = [];
    return ended;
  }

  /** Slots of an interval in which the pool was not looking. */
  notLookedIn(interval: Interval): Set<Slot> {
    const slots = new Set<Slot>();
    for (let slot = interval.firstSlot; slot <= intervalLastSlot(interval); slot++) {
      if (!this.#looked.has(slot)) slots.add(slot);
    }
    return slots;
  }

  /** What accepting the clock would come to; refuses one that is behind (`clock.behind`). */
  accepted(): PoolTime {
    return acceptClock(this.#time, this.#reading()).time;
  }

  /** An administrator believes the clock; refuses one that is behind (`clock.behind`). */
  accept(): PoolTime {
    return this.#take(acceptClock(this.#time, this.#reading()));
  }

  /** What a rewind would begin; `begin` makes it so once it is stored. */
  rewound(): PoolTime {
    return rewindClock(this.#time, this.#reading());
  }

  /** A new time epoch: nothing of the one before was looked at. */
  begin(time: PoolTime): void {
    this.#time = time;
    this.#looked.clear();
    this.#ended = [];
  }

  #take({ time, ended }: TimeStep): PoolTime {
    this.#time = time;
    for (const slots of ended) {
      this.#ended.push(slots);
      if (slots.isLooked) this.#remember(slots);
    }
    return time;
  }

  #remember({ from, to }: EndedSlots): void {
    for (let slot = from; slot <= to; slot++) this.#looked.add(slot);
    for (const slot of this.#looked) {
      if (slot > to - REMEMBERED_SLOTS) return;
      this.#looked.delete(slot);
    }
  }

  #reading(): ClockReading {
    return { wallMs: this.#clock.now(), monotonicMs: this.#clock.monotonic() };
  }
}
