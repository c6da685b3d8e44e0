import type { NodeId, PoolId } from "@/core/ids.ts";
import { decodeAck } from "@/core/poot/ack.ts";
import type { NodeCredit } from "@/core/poot/booking.ts";
import { decodeClaim, verifyClaim } from "@/core/poot/claim.ts";
import type { CreditRow } from "@/core/poot/closing.ts";
import { creditOf, raiseSession, type SessionMarks, sessionMarksOf } from "@/core/poot/marks.ts";
import type { Slot, Ticks } from "@/core/poot/slot.ts";
import { cuOf } from "@/core/tariff.ts";
import type { StoredInterval } from "./history.ts";

/** Where stored and recomputed figures differ. */
export interface Difference {
  readonly node: NodeId;
  readonly firstSlot: Slot;
  readonly storedTicks: Ticks;
  readonly recomputedTicks: Ticks;
}

/** A figure both ways: ticks, and work credits (money.md, section 5). */
export interface Work {
  ticks: Ticks;
  cu: bigint;
}

/** What a recount found. */
export interface Recount {
  readonly pool: PoolId;
  intervals: number;
  readonly stored: Work;
  readonly recomputed: Work;
  readonly credits: NodeCredit[];
  readonly differences: Difference[];
}

const DIFFERENCES_MAX = 100;

interface Known {
  lastSlot: Slot | undefined;
  sessions: readonly SessionMarks[];
}

/**
 * Computes credits again from the CLAIMs that are stored. Where rows before are no longer kept, or
 * were settled without credit, a row is only held against the slots it may cover.
 */
export class Recounter {
  readonly #known = new Map<NodeId, Known>();
  readonly #from: Slot;
  readonly result: Recount;

  constructor(pool: PoolId, from: Slot) {
    this.#from = from;
    const zero = () => ({ ticks: 0, cu: 0n });
    const [stored, recomputed] = [zero(), zero()];
    this.result = { pool, intervals: 0, stored, recomputed, credits: [], differences: [] };
  }

  /** Takes the next interval into account; those before the range only set the stage. */
  add({ interval, slotSeconds, nodes }: StoredInterval): void {
    const { firstSlot } = interval;
    if (firstSlot >= this.#from) this.result.intervals += 1;
    for (const { node, rows } of nodes) {
      for (const row of rows) this.#addRow(node, row, { firstSlot, slotSeconds });
    }
  }

  #addRow(
    node: NodeId,
    row: CreditRow,
    at: { readonly firstSlot: Slot; readonly slotSeconds: number },
  ): void {
    const ticks = this.#recount(node, row);
    if (at.firstSlot < this.#from) return;
    const { stored, recomputed, credits, differences } = this.result;
    const weighed = {
      slotSeconds: at.slotSeconds,
      weight: row.weightPermille,
      health: row.healthPermille,
    };
    stored.ticks += row.ticks;
    stored.cu += cuOf({ ticks: row.ticks, ...weighed });
    recomputed.ticks += ticks;
    recomputed.cu += cuOf({ ticks, ...weighed });
    const { session: _, ack: __, ...credit } = row;
    if (ticks > 0) credits.push({ node, ...credit, ticks });
    if (ticks !== row.ticks && differences.length < DIFFERENCES_MAX) {
      differences.push({
        node,
        firstSlot: at.firstSlot,
        storedTicks: row.ticks,
        recomputedTicks: ticks,
      });
    }
  }

  #recount(node: NodeId, row: CreditRow): Ticks {
    const claim = decodeClaim(row.claim);
    if (!verifyClaim(claim)) return 0;
    const known = this.#known.get(node) ?? { lastSlot: undefined, sessions: [] };
    this.#known.set(node, known);
    const { session, toSlot: slot } = row;
    const presence = {
      session,
      slot,
      ticks: claim.ticks,
      openSlot: claim.fromSlot,
      claim: row.claim,
      open: undefined,
    };
    const marks = sessionMarksOf(presence, known.sessions);
    const isFollowed = isContinued(known, row, marks.seen < claim.fromSlot);
    const { lastSlot = claim.fromSlot - 1 } = known;
    const ticks = isFollowed ? creditOf(presence, marks, lastSlot) : boundedTicks(row);
    const others = known.sessions.filter((other) => other !== marks);
    known.sessions = [...others, raiseSession(marks, presence)];
    known.lastSlot = Math.max(lastSlot, slot);
    return ticks;
  }
}

/** Whether everything that was settled before this row is known. */
function isContinued(known: Known, row: CreditRow, isNewSession: boolean): boolean {
  const { creditTotal } = decodeAck(row.ack);
  if (known.lastSlot === undefined) return isNewSession && creditTotal === row.ticks;
  return Math.min(known.lastSlot + 1, row.toSlot) === row.fromSlot;
}

function boundedTicks({ ticks, fromSlot, toSlot }: CreditRow): Ticks {
  return Math.min(ticks, toSlot - fromSlot + 1);
}
