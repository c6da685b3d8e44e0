import type { NodeId } from "@/core/ids.ts";
import { BlobReader, BlobWriter } from "@/core/poot/blob-bytes.ts";
import type { CloseContext, ClosedNode } from "@/core/poot/closing.ts";
import {
  type NodeMarks,
  newNodeMarks,
  SESSION_MARKS_MAX,
  type SessionMarks,
} from "@/core/poot/marks.ts";
import { RECEIPT_LIFE_SECONDS } from "@/core/poot/receipt.ts";
import { intervalLastSlot, type Slot, slotsIn } from "@/core/poot/slot.ts";
import { PLANNED_WINDOW_DAYS, type SlotCounts, type SlotStates } from "@/core/poot/slot-state.ts";
import { recoverSlots } from "@/core/poot/uptime.ts";
import { assert } from "@/std/assert.ts";
import { fromBase32, toBase32 } from "@/std/bytes.ts";

/** What the pool keeps of a node between two closes, and what people ask for often. */
export interface NodeBook {
  readonly marks: NodeMarks;
  readonly sessions: readonly SessionMarks[];
  /** The number of the interval with the node's newest credit row, 0 before the first. */
  readonly creditedIn: number;
  readonly today: DayCounts;
  /** Slots PLANNED on the days of the last month. */
  readonly planned: readonly PlannedDay[];
}

/** A UTC day, counted from 1970, and the states of a node's slots in it. */
export interface DayCounts extends SlotCounts {
  readonly day: number;
}

interface PlannedDay {
  readonly day: number;
  readonly slots: number;
}

/** A day longer than a receipt lives, nothing of a session can come any more. */
const SESSION_LIFE_SECONDS = RECEIPT_LIFE_SECONDS + 86_400;
const VERSION = 1;
const ID_LETTERS = 26;
const ID_BYTES = 17;
/** What most books take. */
const BOOK_BYTES = 128;
const NO_COUNTS = { up: 0, down: 0, unobserved: 0, planned: 0 };

/** The book of a node that was never credited. */
export function newBook(registeredSlot: Slot): NodeBook {
  const today = { day: 0, ...NO_COUNTS };
  return {
    marks: newNodeMarks(registeredSlot),
    sessions: [],
    creditedIn: 0,
    today,
    planned: [],
  };
}

/** The books in a new time epoch: what was paid stays paid, slots are counted anew. */
export function booksInNewEpoch(books: Books, epochFirstSlot: Slot): Books {
  const anew = new Books();
  for (const node of books.nodes()) {
    const book = books.get(node);
    if (book) anew.set(node, packBook(bookInNewEpoch(book, epochFirstSlot)));
  }
  return anew;
}

function bookInNewEpoch(book: NodeBook, epochFirstSlot: Slot): NodeBook {
  const { creditTotal } = book.marks;
  const newest = book.sessions.slice(0, 1);
  const marks = {
    ...newNodeMarks(epochFirstSlot),
    creditTotal,
    firstOpenSlot: firstOpenIn(book, epochFirstSlot),
  };
  return { ...newBook(epochFirstSlot), marks, sessions: newest, creditedIn: book.creditedIn };
}

function firstOpenIn({ marks }: NodeBook, epochFirstSlot: Slot): Slot | undefined {
  return marks.firstOpenSlot === undefined ? undefined : epochFirstSlot;
}

/** The book after a close whose interval gets this number. */
export function bookAfter(
  before: NodeBook,
  { marks, sessions, rows, slots, recovered }: ClosedNode,
  { context, cursor }: { readonly context: CloseContext; readonly cursor: number },
): NodeBook {
  const { interval, gapFrom, slotSeconds } = context;
  const now = intervalLastSlot(interval);
  const gap = { from: Math.max(gapFrom, marks.firstOpenSlot ?? now), to: interval.firstSlot - 1 };
  return {
    marks,
    sessions: keptSessions(sessions, now, slotSeconds),
    creditedIn: rows.length > 0 ? cursor : before.creditedIn,
    today: addToDay(before.today, { slots, recovered, gap, slotSeconds }),
    planned: addPlanned(before.planned, slots, slotSeconds),
  };
}

/** Sessions worth keeping, the newest first: those a receipt may still come of, and the newest. */
function keptSessions(
  sessions: readonly SessionMarks[],
  now: Slot,
  slotSeconds: number,
): readonly SessionMarks[] {
  const oldest = now - slotsIn(SESSION_LIFE_SECONDS, slotSeconds);
  const [newest, ...rest] = [...sessions].sort((a, b) => b.seen - a.seen);
  if (!newest) return [];
  const alive = rest.filter((session) => session.seen >= oldest);
  return [newest, ...alive.slice(0, SESSION_MARKS_MAX - 1)];
}

/** What a close adds to a node's day. */
interface DayAddition {
  readonly slots: SlotStates | undefined;
  readonly recovered: number;
  /** Slots before these in which the pool was not running; none is counted twice. */
  readonly gap: { readonly from: Slot; readonly to: Slot };
  readonly slotSeconds: number;
}

/** The UTC day in which a slot begins. */
export function dayOfSlot(slot: Slot, slotSeconds: number): number {
  return Math.floor((slot * slotSeconds) / 86_400);
}

/** The day's counts with a closed interval; a later day begins at zero. */
function addToDay(today: DayCounts, addition: DayAddition): DayCounts {
  const { slots, recovered, gap, slotSeconds } = addition;
  if (!slots) return today;
  const day = dayOfSlot(slots.from + slots.states.length - 1, slotSeconds);
  const counts = { ...(today.day === day ? today : NO_COUNTS) };
  slots.states.forEach((state, at) => {
    if (dayOfSlot(slots.from + at, slotSeconds) === day) counts[state]++;
  });
  const dayFrom = Math.ceil((day * 86_400) / slotSeconds);
  counts.unobserved += Math.max(0, gap.to - Math.max(gap.from, dayFrom) + 1);
  return { ...recoverSlots(counts, recovered), day };
}

/** Slots PLANNED in the month before a slot. */
export function plannedBefore(book: NodeBook, slot: Slot, slotSeconds: number): number {
  const from = dayOfSlot(slot, slotSeconds) - PLANNED_WINDOW_DAYS;
  return book.planned.reduce((sum, { day, slots }) => (day > from ? sum + slots : sum), 0);
}

/** The planned slots of the last month with those of a closed interval. */
function addPlanned(
  planned: readonly PlannedDay[],
  slots: SlotStates | undefined,
  slotSeconds: number,
): readonly PlannedDay[] {
  const added = slots?.states.filter((state) => state === "planned").length ?? 0;
  if (!slots || added === 0) return planned;
  const day = dayOfSlot(slots.from, slotSeconds);
  const before = planned.filter((other) => other.day > day - PLANNED_WINDOW_DAYS);
  const same = before.find((other) => other.day === day)?.slots ?? 0;
  return [...before.filter((other) => other.day !== day), { day, slots: same + added }];
}

/** The bytes of a book. */
export type PackedBook = Uint8Array;

/** The books of a pool by node. They are kept as bytes: a book as objects takes five times as much. */
export class Books {
  readonly #packed = new Map<NodeId, PackedBook>();

  /** The books in a blob. */
  static read(blob: Uint8Array): Books {
    const reader = new BlobReader(blob);
    assert(reader.number() === VERSION, "the books of a pool have a version we know");
    const books = new Books();
    for (let left = reader.number(); left > 0; left--) {
      const node = toBase32(reader.raw(ID_BYTES)).slice(0, ID_LETTERS) as NodeId;
      books.#packed.set(node, reader.raw(reader.number()));
    }
    return books;
  }

  get(node: NodeId): NodeBook | undefined {
    const packed = this.#packed.get(node);
    return packed && readBook(new BlobReader(packed));
  }

  set(node: NodeId, book: PackedBook): void {
    this.#packed.set(node, book);
  }

  nodes(): Iterable<NodeId> {
    return this.#packed.keys();
  }

  /** All books, some of them changed, as one blob. */
  blobWith(changed: ReadonlyMap<NodeId, PackedBook>): Uint8Array {
    const all = new Map([...this.#packed, ...changed]);
    const writer = new BlobWriter().number(VERSION).number(all.size);
    for (const [node, packed] of all) writer.raw(idBytes(node)).number(packed.length).raw(packed);
    return writer.done();
  }
}

/** A book as it is kept. */
export function packBook({ marks, sessions, creditedIn, today, planned }: NodeBook): PackedBook {
  const writer = new BlobWriter(BOOK_BYTES).number(sessions.length);
  for (const { session, credited, seen } of sessions) {
    writer
      .raw(session)
      .number(credited)
      .number(seen + 1);
  }
  const { firstOpenSlot } = marks;
  writer
    .number(marks.lastSlot + 1)
    .number(marks.creditTotal)
    .number(firstOpenSlot === undefined ? 0 : firstOpenSlot + 1)
    .number(marks.isInMaintenance ? 1 : 0)
    .number(marks.pendingUp)
    .number(marks.pendingUnobserved)
    .number(creditedIn)
    .number(today.day)
    .number(today.up)
    .number(today.down)
    .number(today.unobserved)
    .number(today.planned)
    .number(planned.length);
  for (const { day, slots } of planned) writer.number(day).number(slots);
  return writer.done();
}

function readBook(reader: BlobReader): NodeBook {
  const sessions = listed(reader, () => ({
    session: reader.raw(16),
    credited: reader.number(),
    seen: reader.number() - 1,
  }));
  const lastSlot = reader.number() - 1;
  const creditTotal = reader.number();
  const open = reader.number();
  const marks = {
    lastSlot,
    creditTotal,
    firstOpenSlot: open === 0 ? undefined : open - 1,
    isInMaintenance: reader.number() === 1,
    pendingUp: reader.number(),
    pendingUnobserved: reader.number(),
  };
  const creditedIn = reader.number();
  const [day, up, down] = [reader.number(), reader.number(), reader.number()];
  const today = { day, up, down, unobserved: reader.number(), planned: reader.number() };
  const planned = listed(reader, () => ({ day: reader.number(), slots: reader.number() }));
  return { marks, sessions, creditedIn, today, planned };
}

function listed<Item>(reader: BlobReader, read: () => Item): readonly Item[] {
  return Array.from({ length: reader.number() }, read);
}

/** 26 letters of base32 are 130 bits. */
function idBytes(node: NodeId): Uint8Array {
  const bytes = fromBase32(`${node}aaaaaa`);
  assert(bytes, "a node id is base32");
  return bytes.subarray(0, ID_BYTES);
}
