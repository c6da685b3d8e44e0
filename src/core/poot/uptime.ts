import type { SlotCounts } from "./slot-state.ts";

/** Thousandths of the observed slots that were UP; null when none was observed. */
export function uptimePermille({ up, down }: Pick<SlotCounts, "up" | "down">): number | null {
  return up + down === 0 ? null : Math.floor((1000 * up) / (up + down));
}

/** The slots of several intervals together. */
export function addCounts(counts: readonly SlotCounts[]): SlotCounts {
  const sum = { up: 0, down: 0, unobserved: 0, planned: 0 };
  for (const part of counts) {
    sum.up += part.up;
    sum.down += part.down;
    sum.unobserved += part.unobserved;
    sum.planned += part.planned;
  }
  return sum;
}

/**
 * The counts after ticks paid later have shown that some unobserved slots were UP: how many is
 * known, which ones is not.
 */
export function recoverSlots(counts: SlotCounts, recovered: number): SlotCounts {
  const known = Math.min(recovered, counts.unobserved);
  return { ...counts, up: counts.up + known, unobserved: counts.unobserved - known };
}
