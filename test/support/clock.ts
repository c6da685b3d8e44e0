import type { Clock } from "@/ports/clock.ts";

interface Timer {
  dueMs: number;
  readonly everyMs: number | undefined;
  readonly callback: () => void;
}

/** A clock that stands still until a test turns it. */
export class TestClock implements Clock {
  #wallMs: number;
  #monotonicMs = 0;
  readonly #timers = new Set<Timer>();

  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#wallMs = startMs;
  }

  now(): number {
    return this.#wallMs;
  }

  monotonic(): number {
    return this.#monotonicMs;
  }

  after(ms: number, callback: () => void): () => void {
    return this.#add({ dueMs: this.#monotonicMs + ms, everyMs: undefined, callback });
  }

  every(ms: number, callback: () => void): () => void {
    return this.#add({ dueMs: this.#monotonicMs + ms, everyMs: Math.max(1, ms), callback });
  }

  /** Lets time pass: both clocks go on, and what falls due runs in order, at its own moment. */
  advance(ms: number): void {
    const endMs = this.#monotonicMs + ms;
    for (let next = this.#nextDue(endMs); next; next = this.#nextDue(endMs)) {
      this.#goTo(Math.max(next.dueMs, this.#monotonicMs));
      if (next.everyMs === undefined) this.#timers.delete(next);
      else next.dueMs += next.everyMs;
      next.callback();
    }
    this.#goTo(endMs);
  }

  /** Lets time pass, and after each step what was waiting for it: promises that settle meanwhile. */
  async pass(ms: number, stepMs = ms): Promise<void> {
    for (let leftMs = ms; leftMs > 0; leftMs -= stepMs) {
      this.advance(Math.min(stepMs, leftMs));
      await settled();
    }
  }

  /** Sets the wall clock forward or back, as a time server does; no timer notices. */
  jump(ms: number): void {
    this.#wallMs += ms;
  }

  /** Lets time pass while the process stands still: what fell due runs late, when it is over. */
  stall(ms: number): void {
    this.#goTo(this.#monotonicMs + ms);
    this.advance(0);
  }

  /** Forgets all timers, as the end of a process does. */
  forgetTimers(): void {
    this.#timers.clear();
  }

  /** How many timers wait. */
  get waiting(): number {
    return this.#timers.size;
  }

  #add(timer: Timer): () => void {
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  #nextDue(endMs: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.dueMs <= endMs && (!next || timer.dueMs < next.dueMs)) next = timer;
    }
    return next;
  }

  #goTo(monotonicMs: number): void {
    this.#wallMs += monotonicMs - this.#monotonicMs;
    this.#monotonicMs = monotonicMs;
  }
}

/** Once around the event loop: what was due in it has run. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
