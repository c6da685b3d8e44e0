import { untilSeen } from "./patience.ts";
import { demand } from "./report.ts";
import { asked, type Galaxy } from "./scenes.ts";

interface Shown {
  readonly credit_total: number;
  readonly intervals: readonly BookedInterval[];
}

/** What the pool's books say of a node, up to the last closed interval. */
export interface Books {
  readonly credited: number;
  readonly lastSlot: number;
  readonly intervals: readonly BookedInterval[];
}

/** An interval the pool was there for; of others it has no row. */
interface BookedInterval {
  readonly from_slot: number;
  /** A letter a slot: U up, D down, ? unobserved. */
  readonly slots: string;
}

/**
 * How many slots a node holds the pool's answer for, by the node's own log: the highest count of each of its
 * sessions. Answers that came after the slot `until` are left out.
 */
export function heardSlots(
  log: string,
  slotSeconds: number,
  until = Number.MAX_SAFE_INTEGER,
): number {
  const sessions = new Map<string, number>();
  for (const line of log.split("\n")) {
    if (!line.includes('"heartbeat answered"')) continue;
    const { session, ticks, time } = JSON.parse(line.slice(line.indexOf("{"))) as {
      session: string;
      ticks: number;
      time: number;
    };
    if (Math.floor(time / 1000 / slotSeconds) > until) continue;
    sessions.set(session, Math.max(ticks, sessions.get(session) ?? 0));
  }
  return [...sessions.values()].reduce((sum, ticks) => sum + ticks, 0);
}

/** What the pool shows of a node. */
export async function booksOf(galaxy: Galaxy, node: string): Promise<Books> {
  const { credit_total, intervals } = await asked<Shown>(galaxy, `poot show ${node}`);
  const ends = intervals.map(({ from_slot, slots }) => from_slot + slots.length - 1);
  return { credited: credit_total, lastSlot: Math.max(0, ...ends), intervals };
}

/** The slots of every interval since the one with this slot. */
export function lettersSince({ intervals }: Books, slot: number): string {
  const since = intervals.filter(({ from_slot, slots }) => from_slot + slots.length > slot);
  return since.map(({ slots }) => slots).join(" ");
}

/** Waits until the interval with this slot is closed. */
export function untilClosed(
  galaxy: Galaxy,
  node: string,
  slot: number,
  patienceMs: number,
): Promise<Books> {
  const look = async (): Promise<Books | undefined> => {
    const books = await booksOf(galaxy, node);
    return books.lastSlot >= slot ? books : undefined;
  };
  return untilSeen("the interval to be closed", look, patienceMs);
}

/**
 * Waits until the interval with this slot is closed and the books hold exactly the slots the node was heard
 * in by its own record. An answer at the very edge of a slot may be counted a close later; one that is lost
 * never comes.
 */
export async function untilBooked(
  galaxy: Galaxy,
  node: string,
  { log, slotSeconds, slot, patienceMs }: Booking,
): Promise<Books> {
  let seen = "";
  const look = async (): Promise<Books | undefined> => {
    const books = await booksOf(galaxy, node);
    const heard = heardSlots(log(), slotSeconds, books.lastSlot);
    seen = `heard ${heard}, credited ${books.credited}`;
    return books.lastSlot >= slot && heard === books.credited ? books : undefined;
  };
  try {
    return await untilSeen("every slot the node was heard in to be booked", look, patienceMs);
  } catch (error) {
    demand(false, "every slot the node was heard in to be credited", `${seen}; ${error}`);
  }
}

interface Booking {
  /** The node's own record. */
  readonly log: () => string;
  readonly slotSeconds: number;
  /** A slot that must be in a closed interval. */
  readonly slot: number;
  readonly patienceMs: number;
}
