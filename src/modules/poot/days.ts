import type { NodeId, PoolId } from "@/core/ids.ts";
import { type Slot, slotsIn } from "@/core/poot/slot.ts";
import { countStates, type SlotCounts, slotStatesOf } from "@/core/poot/slot-state.ts";
import { addCounts, recoverSlots } from "@/core/poot/uptime.ts";
import { type NodeInterval, nodeIntervals } from "./history.ts";
import { dayOfSlot, plannedBefore } from "./node-book.ts";
import type { PootState } from "./parts.ts";
import { bookOf, membershipIn, type PoolMemory, statesFrom } from "./pool-memory.ts";

const DAY_SECONDS = 86_400;
const NO_SLOTS: SlotCounts = { up: 0, down: 0, unobserved: 0, planned: 0 };

/** The states of a node's slots since midnight (UTC), the interval that is still open included. */
export function slotsToday(state: PootState, pool: PoolId, node: NodeId): SlotCounts {
  const memory = state.pools.get(pool);
  if (!memory) return NO_SLOTS;
  const { slotSeconds } = state.parts.settings;
  const day = dayOfSlot(state.poolClock.time.highestSlot, slotSeconds);
  const { today } = bookOf(memory, node, 0);
  const closed = today.day === day ? today : NO_SLOTS;
  return addCounts([closed, openSlots(state, memory, node)]);
}

/** The states of all slots of a pool's members since midnight. */
export function poolSlotsToday(state: PootState, pool: PoolId): SlotCounts {
  const nodes = [...state.parts.registry.nodesOf(pool)];
  return addCounts(nodes.map(({ id }) => slotsToday(state, pool, id)));
}

/** The states of a node's slots in the 24 hours from a moment on, as they were closed. */
export async function slotsOfDay(
  state: PootState,
  {
    pool,
    node,
    dayStartMs,
  }: { readonly pool: PoolId; readonly node: NodeId; readonly dayStartMs: number },
): Promise<SlotCounts> {
  const { database, settings } = state.parts;
  const from = Math.ceil(dayStartMs / (settings.slotSeconds * 1000));
  const to = from + slotsIn(DAY_SECONDS, settings.slotSeconds) - 1;
  const range = { pool, from: from - settings.slotsPerInterval + 1, to };
  const intervals = await nodeIntervals(database, range, node);
  const firstOpen = state.pools.get(pool)?.books.get(node)?.marks.firstOpenSlot ?? 0;
  return intervals.reduce<SlotCounts>(
    (counts, part) => addInterval(counts, part, { from, to, firstOpen }),
    NO_SLOTS,
  );
}

function addInterval(
  counts: SlotCounts,
  { slots, firstSlot, gapFrom, recovered }: NodeInterval,
  span: { readonly from: Slot; readonly to: Slot; readonly firstOpen: Slot },
): SlotCounts {
  const states = (slots?.states ?? []).filter((_, at) => {
    const slot = (slots?.from ?? 0) + at;
    return slot >= span.from && slot <= span.to;
  });
  const gap = Math.max(0, firstSlot - Math.max(gapFrom, span.from, span.firstOpen));
  const unobserved = { ...NO_SLOTS, unobserved: gap };
  return recoverSlots(addCounts([counts, unobserved, countStates(states)]), recovered);
}

/** Slots after the last close: those that have ended, and the present one once it is UP. */
function openSlots(state: PootState, memory: PoolMemory, id: NodeId): SlotCounts {
  const node = state.parts.registry.findNode(id);
  if (!node || membershipIn(node, memory.pool) !== "member") return NO_SLOTS;
  const { slotSeconds } = state.parts.settings;
  const now = state.poolClock.time.highestSlot;
  const begin = openFrom(state, memory, id);
  if (begin === undefined) return NO_SLOTS;
  const { presence } = memory;
  const remembered = Math.max(begin, presence.startSlot, now - presence.windowSlots + 1);
  const book = bookOf(memory, id, 0);
  const knowledge = {
    window: presence.nodes.get(id)?.window,
    notLooked: state.poolClock.notLookedIn({
      epoch: 0,
      firstSlot: remembered,
      slots: now - remembered + 1,
    }),
    plannedBefore: plannedBefore(book, now, slotSeconds),
    slotSeconds,
    isInMaintenance: book.marks.isInMaintenance,
  };
  const states = slotStatesOf({ from: remembered, to: now }, knowledge);
  const isOver = states.at(-1) === "up";
  const counts = countStates(isOver ? states : states.slice(0, -1));
  return { ...counts, unobserved: counts.unobserved + remembered - begin };
}

function openFrom(state: PootState, memory: PoolMemory, id: NodeId): Slot | undefined {
  const { slotSeconds } = state.parts.settings;
  const now = state.poolClock.time.highestSlot;
  const midnight = Math.ceil((dayOfSlot(now, slotSeconds) * DAY_SECONDS) / slotSeconds);
  const sessions = memory.presence.nodes.get(id)?.sessions ?? [];
  const opened = sessions.map((session) => session.openSlot);
  const firstOpen = memory.books.get(id)?.marks.firstOpenSlot ?? Math.min(...opened);
  if (!Number.isFinite(firstOpen)) return undefined;
  const back = statesFrom(memory, id) ?? 0;
  return Math.min(now, Math.max(firstOpen, memory.closedUntil, midnight, back));
}
