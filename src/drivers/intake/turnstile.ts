import type { Caller } from "@/core/caller.ts";
import type { Clock } from "@/ports/clock.ts";
import type { Intake, RequestClass } from "@/ports/intake.ts";
import type { Random } from "@/ports/random.ts";
import { isLoopback, networkOf } from "@/std/network.ts";
import type { Level } from "./pressure.ts";
import { overloaded, tooOften } from "./refusals.ts";
import { type Rate, TokenBuckets } from "./token-buckets.ts";
import { type LineTerms, type ShedReason, WaitingLine } from "./waiting-line.ts";

/** A class that may have to wait. */
export type WaitingClass = Exclude<RequestClass, "probe">;

/** In the order in which they pass. */
export const WAITING_CLASSES = ["heartbeat", "admin", "enrol", "read", "export"] as const;

/** What the turnstile is made of. */
export interface TurnstileParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly lines: Readonly<Record<WaitingClass, LineTerms>>;
  readonly rates: Readonly<Record<"address" | "caller" | "node", Rate>>;
  /** How many flows of each kind are remembered. */
  readonly flowsMax: number;
  /** Whether callers on this machine are counted too. */
  readonly countsLoopback: boolean;
  /** A turn of the event loop that took longer is a sign of overload. */
  readonly lagMs: number;
  readonly onShed: (of: RequestClass, reason: ShedReason | "rate") => void;
}

/** How long one turn of the event loop may be filled with what can wait, before heartbeats are heard. */
const TURN_MS = 50;
const ASK_EVERY_MS = 5;
/** How much of a turn one that waited takes; of one turn there is as much as the most expensive. */
const WEIGHTS: Readonly<Record<WaitingClass, number>> = {
  heartbeat: 1,
  admin: 2,
  enrol: 4,
  read: 1,
  export: 8,
};
const WEIGHT_A_TURN = 8;
const LAGGING_MS = 1_000;
const CAN_WAIT: readonly RequestClass[] = ["read", "export"];
const KEEPS_ALIVE: readonly RequestClass[] = ["heartbeat", "admin"];

/**
 * The intake on one thread: what is expensive is let in a little at a time, and between two turns the
 * event loop hears whoever else is there. Nothing runs while nothing waits.
 */
export class Turnstile implements Intake {
  readonly countsLoopback: boolean;
  readonly #parts: TurnstileParts;
  readonly #lines: Readonly<Record<WaitingClass, WaitingLine>>;
  readonly #buckets: Readonly<Record<"address" | "caller" | "node", TokenBuckets>>;
  #level: Level = "calm";
  #turnMs: number | undefined;
  #lag = { ms: 0, atMs: Number.NEGATIVE_INFINITY };
  #cancelSweep: (() => void) | undefined;

  constructor(parts: TurnstileParts) {
    const { lines, rates, flowsMax } = parts;
    this.#parts = parts;
    this.countsLoopback = parts.countsLoopback;
    this.#lines = {
      heartbeat: new WaitingLine(lines.heartbeat),
      admin: new WaitingLine(lines.admin),
      enrol: new WaitingLine(lines.enrol),
      read: new WaitingLine(lines.read),
      export: new WaitingLine(lines.export),
    };
    this.#buckets = {
      address: new TokenBuckets(rates.address, flowsMax),
      caller: new TokenBuckets(rates.caller, flowsMax),
      node: new TokenBuckets(rates.node, flowsMax),
    };
  }

  knock(address: string, of: RequestClass): void {
    if (this.#isSpared(address)) return;
    const seconds = this.#buckets.address.take(networkOf(address), this.#parts.clock.monotonic());
    if (seconds > 0) throw this.#tooOften("limit.address", seconds, of);
  }

  recognise(caller: Caller, address: string, of: RequestClass): void {
    if (this.#isSpared(address)) return;
    const buckets = caller.type === "node" ? this.#buckets.node : this.#buckets.caller;
    const seconds = buckets.take(caller.id, this.#parts.clock.monotonic());
    if (seconds > 0) throw this.#tooOften("limit.caller", seconds, of);
  }

  enter(of: RequestClass): Promise<void> | undefined {
    if (of === "probe") return undefined;
    const line = this.#lines[of];
    if (of === "heartbeat" && line.isFree) {
      line.take();
      return undefined;
    }
    const now = this.#parts.clock.monotonic();
    this.#requireCalm(of, now);
    // Who comes passes by those who wait: Bun sends a large answer in one piece only when it is given
    // at once, so a line that nobody may pass would cost several times the work and never end.
    if (line.isPassable && this.#hasTime(now)) {
      line.take();
      return undefined;
    }
    return this.#wait(of, now);
  }

  leave(of: RequestClass): void {
    if (of === "probe") return;
    const line = this.#lines[of];
    line.leave();
    if (line.waiting > 0) this.#beginTurn(this.#parts.clock.monotonic());
  }

  isFull(): boolean {
    return this.#level === "full";
  }

  /** How short memory is, from whoever watches it. */
  press(level: Level): void {
    this.#level = level;
  }

  /** What stands in each line now. */
  lines(): readonly { readonly of: WaitingClass; readonly line: WaitingLine }[] {
    return WAITING_CLASSES.map((of) => ({ of, line: this.#lines[of] }));
  }

  /** How long the last turn took that had something to do. */
  get lagMs(): number {
    return this.#lag.ms;
  }

  #isSpared(address: string): boolean {
    return !this.countsLoopback && isLoopback(address);
  }

  #tooOften(code: "limit.address" | "limit.caller", seconds: number, of: RequestClass) {
    this.#parts.onShed(of, "rate");
    return tooOften(code, seconds + this.#parts.random.fraction());
  }

  /** Sheds early what can wait, while memory is short or the loop is behind. */
  #requireCalm(of: WaitingClass, nowMs: number): void {
    const canWait = CAN_WAIT.includes(of);
    const isTight = this.#level === "tight" && canWait;
    if (isTight || (this.#level === "full" && !KEEPS_ALIVE.includes(of))) {
      throw this.#shed(of, "memory");
    }
    const { ms, atMs } = this.#lag;
    const isBehind = ms > this.#parts.lagMs && nowMs - atMs < LAGGING_MS;
    if (isBehind && canWait) throw this.#shed(of, "lag");
  }

  #shed(of: WaitingClass, reason: ShedReason) {
    this.#parts.onShed(of, reason);
    return overloaded(of, 1 + 4 * this.#parts.random.fraction());
  }

  #wait(of: WaitingClass, nowMs: number): Promise<void> {
    const place = Promise.withResolvers<void>();
    const shed = (reason: ShedReason): void => place.reject(this.#shed(of, reason));
    const isIn = this.#lines[of].wait({ sinceMs: nowMs, go: place.resolve, shed });
    if (!isIn) throw this.#shed(of, "full");
    this.#beginTurn(nowMs);
    this.#sweepLater();
    return place.promise;
  }

  /** Whether this turn is over is asked only now and then: the question costs a round of the loop. */
  #hasTime(nowMs: number): boolean {
    if (this.#turnMs !== undefined) return nowMs - this.#turnMs < TURN_MS;
    if (nowMs - this.#lag.atMs >= ASK_EVERY_MS) this.#beginTurn(nowMs);
    return true;
  }

  #beginTurn(nowMs: number): void {
    if (this.#turnMs !== undefined) return;
    this.#turnMs = nowMs;
    setImmediate(() => this.#endTurn());
  }

  #endTurn(): void {
    const now = this.#parts.clock.monotonic();
    this.#lag = { ms: now - (this.#turnMs ?? now), atMs: now };
    this.#turnMs = undefined;
    this.#serve(now);
    if (this.lines().some(({ line }) => line.canServe)) this.#beginTurn(now);
  }

  /** Lets in who waited, the important first, as much as a turn holds. */
  #serve(nowMs: number): void {
    let left = WEIGHT_A_TURN;
    for (const { of, line } of this.lines()) {
      while (line.canServe && left >= WEIGHTS[of]) {
        line.serve(nowMs);
        left -= WEIGHTS[of];
      }
    }
  }

  /** Who waits for a place that nobody leaves is sent away in time all the same. */
  #sweepLater(): void {
    if (this.#cancelSweep) return;
    const ages = WAITING_CLASSES.map((of) => this.#parts.lines[of].ageMs);
    this.#cancelSweep = this.#parts.clock.after(Math.min(...ages), () => {
      this.#cancelSweep = undefined;
      for (const { line } of this.lines()) line.shedOld(this.#parts.clock.monotonic());
      if (this.lines().some(({ line }) => line.waiting > 0)) this.#sweepLater();
    });
  }
}
