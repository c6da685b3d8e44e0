import { PoolError } from "@/std/errors.ts";
import { type Slot, slotAt, slotStartMs } from "./slot.ts";

/** Both clocks of the host, read at the same moment. */
export interface ClockReading {
  /** Unix time; anybody on the network may have set it. */
  readonly wallMs: number;
  /** Time since some moment of this run; it never steps. */
  readonly monotonicMs: number;
}

/** Why nothing is accepted: the clock shows a slot that is past, or one that is too far ahead. */
export type WaitReason = "behind" | "jumped";

/** Pool time, guarded (poot.md, section 1). Each step gives the next one. */
export interface PoolTime {
  readonly slotSeconds: number;
  /** `clock rewind` begins a new one; intervals are keyed by it. */
  readonly epoch: number;
  /** The highest slot ever seen; while not waiting it is the pool's slot now. */
  readonly highestSlot: Slot;
  readonly waiting: WaitReason | undefined;
  /** The last reading that was believed; before the first, where the highest slot begins. */
  readonly believed: ClockReading;
  readonly hasRun: boolean;
  readonly last: ClockReading;
  /** For how long the pool has looked in the highest slot. */
  readonly lookedMs: number;
  /** The slot that had begun when this run started: what was heard in it before is forgotten. */
  readonly startedIn: Slot | undefined;
}

/** What the store knows of pool time at a start; no slot at the very first. */
export interface StoredTime {
  readonly slotSeconds: number;
  readonly epoch: number;
  readonly highestSlot: Slot | undefined;
}

/** A run of slots that have ended, both ends included, and whether the pool was looking. */
export interface EndedSlots {
  readonly from: Slot;
  readonly to: Slot;
  readonly isLooked: boolean;
}

/** One step of pool time. */
export interface TimeStep {
  readonly time: PoolTime;
  readonly ended: readonly EndedSlots[];
}

/** A forward jump beyond this needs `clock accept` while the pool runs ... */
export const JUMP_MAX_RUNNING_MS = 86_400_000;
/** ... and beyond this when it has just started. */
export const JUMP_MAX_START_MS = 30 * 86_400_000;
/** Steps further apart than slot / 10 are a stall: for that time the pool was not looking. */
const STALL_PARTS = 10;

/** Pool time at the start of the process. */
export function startPoolTime(stored: StoredTime, reading: ClockReading): PoolTime {
  const { slotSeconds, epoch, highestSlot } = stored;
  const slot = highestSlot ?? slotAt(reading.wallMs, slotSeconds);
  const time: PoolTime = {
    slotSeconds,
    epoch,
    highestSlot: slot,
    waiting: undefined,
    believed: { ...reading, wallMs: slotStartMs(slot, slotSeconds) },
    hasRun: highestSlot === undefined,
    last: reading,
    lookedMs: 0,
    startedIn: begunSlot(reading, slotSeconds),
  };
  const waiting = doubtOf(time, reading);
  return waiting ? { ...time, waiting } : time;
}

function begunSlot({ wallMs }: ClockReading, slotSeconds: number): Slot | undefined {
  const slot = slotAt(wallMs, slotSeconds);
  return wallMs > slotStartMs(slot, slotSeconds) ? slot : undefined;
}

/** The slot the clock shows, believed or not: what an answer tells a node that has to wait. */
export function shownSlot(time: PoolTime): Slot {
  return slotAt(time.last.wallMs, time.slotSeconds);
}

/** Takes a reading into account. It is asked at each heartbeat and at least each slot / 20. */
export function stepPoolTime(time: PoolTime, reading: ClockReading): TimeStep {
  const waiting = doubtOf(time, reading);
  if (waiting) return { time: { ...time, waiting, last: reading }, ended: [] };
  const slot = slotAt(reading.wallMs, time.slotSeconds);
  const looked = { fromMs: reading.wallMs - lookingMs(time, reading), toMs: reading.wallMs };
  const lookedBefore = time.lookedMs + within(looked, time.highestSlot, time.slotSeconds);
  const isSame = slot === time.highestSlot;
  const next: PoolTime = {
    ...time,
    highestSlot: slot,
    waiting: undefined,
    believed: reading,
    hasRun: true,
    last: reading,
    lookedMs: isSame ? lookedBefore : within(looked, slot, time.slotSeconds),
  };
  return { time: next, ended: isSame ? [] : endedSlots(time, slot, lookedBefore) };
}

/** An administrator says that the jump is right; refuses a clock that is behind (`clock.behind`). */
export function acceptClock(time: PoolTime, reading: ClockReading): TimeStep {
  if (doubtOf(time, reading) === "behind") {
    throw new PoolError(
      "precondition",
      "clock.behind",
      "The clock is behind the highest slot ever seen; set it right, or use `galaxy-pool clock rewind`.",
    );
  }
  return stepPoolTime({ ...time, believed: reading }, reading);
}

/**
 * An administrator says that the clock was ahead before: a new time epoch begins. The caller drops
 * the receipt masters and the presence table, and lets `lastSlot` of every node start anew.
 */
export function rewindClock(time: PoolTime, reading: ClockReading): PoolTime {
  const stored = { slotSeconds: time.slotSeconds, epoch: time.epoch + 1, highestSlot: undefined };
  return startPoolTime(stored, reading);
}

/** A clock before the highest slot is wrong; one far beyond what has passed may be, too. */
function doubtOf(time: PoolTime, reading: ClockReading): WaitReason | undefined {
  if (slotAt(reading.wallMs, time.slotSeconds) < time.highestSlot) return "behind";
  const passedMs = reading.monotonicMs - time.believed.monotonicMs;
  const jumpMaxMs = time.hasRun ? JUMP_MAX_RUNNING_MS : JUMP_MAX_START_MS;
  return reading.wallMs > time.believed.wallMs + passedMs + jumpMaxMs ? "jumped" : undefined;
}

/** For how long the pool has looked since the last step: all the time, or not at all in a stall. */
function lookingMs(time: PoolTime, reading: ClockReading): number {
  const passedMs = reading.monotonicMs - time.last.monotonicMs;
  const isStall = passedMs > (time.slotSeconds * 1000) / STALL_PARTS;
  return time.waiting || isStall || passedMs < 0 ? 0 : passedMs;
}

interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

function within({ fromMs, toMs }: Span, slot: Slot, slotSeconds: number): number {
  const startMs = slotStartMs(slot, slotSeconds);
  const endMs = startMs + slotSeconds * 1000;
  return Math.max(0, Math.min(toMs, endMs) - Math.max(fromMs, startMs));
}

/**
 * A slot in which the pool ran less than half of it was not looked at, nor were those skipped, nor the one
 * it started in: a node that was heard there before a restart must not be DOWN.
 */
function endedSlots(time: PoolTime, slot: Slot, lookedMs: number): EndedSlots[] {
  const { highestSlot, slotSeconds, startedIn } = time;
  const isLooked = highestSlot !== startedIn && lookedMs * 2 >= slotSeconds * 1000;
  const ended: EndedSlots[] = [{ from: highestSlot, to: highestSlot, isLooked }];
  if (slot > highestSlot + 1) {
    ended.push({ from: highestSlot + 1, to: slot - 1, isLooked: false });
  }
  return ended;
}
