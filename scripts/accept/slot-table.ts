import { until } from "../bench/processes.ts";
import { demand } from "./report.ts";
import { asked, type Galaxy, SLOT_SECONDS } from "./scenes.ts";

interface Shown {
  readonly credit_total: number;
  readonly intervals: readonly {
    readonly from_slot: number;
    readonly slots: string;
  }[];
}

/** How things stood with a node's slots before something happened to its pool. */
export interface Mark {
  readonly slot: number;
  /** Slots since the node's first one that were not credited. */
  readonly missing: number;
}

/** The pool's clock is this host's. */
function slotNow(): number {
  return Math.floor(Date.now() / 1000 / SLOT_SECONDS);
}

/** To be asked before something happens to a pool. */
export async function markOf(galaxy: Galaxy, node: string): Promise<Mark> {
  const { missing } = standing(await asked<Shown>(galaxy, `poot show ${node}`));
  return { slot: slotNow(), missing };
}

/**
 * No slot since then was DOWN, and all were credited, but for so many `gaps` while no pool was there.
 * Waits until a later interval is closed, because that is when the pool learns what the node has proven.
 * Answers the slots of the time in one line.
 */
export async function noTickLost(
  galaxy: Galaxy,
  node: string,
  mark: Mark,
  { gaps = 0, patienceMs = 45_000 }: { gaps?: number; patienceMs?: number } = {},
): Promise<string> {
  const to = slotNow();
  let seen = standing({ credit_total: 0, intervals: [] });
  const look = async (): Promise<true | undefined> => {
    const shown = await asked<Shown>(galaxy, `poot show ${node}`);
    seen = standing(shown, mark.slot);
    return seen.end > to && seen.missing <= mark.missing + gaps ? true : undefined;
  };
  const all = await until("all slots to be credited", look, {
    withinMs: patienceMs,
    everyMs: 500,
  }).catch(() => false);
  const lost = Math.max(0, seen.missing - mark.missing);
  const told = `slots ${seen.letters}, ${lost} lost`;
  demand(all === true, `at most ${gaps} slots without credit`, told);
  demand(seen.letters !== "" && !seen.letters.includes("D"), "no slot DOWN", told);
  return told;
}

/** What all intervals say together, and the letters of those since a slot. */
function standing(
  { intervals, credit_total }: Shown,
  since = 0,
): { readonly missing: number; readonly end: number; readonly letters: string } {
  const [first, last] = [intervals[0], intervals.at(-1)];
  const end = last ? last.from_slot + last.slots.length : 0;
  const recent = intervals.filter(({ from_slot, slots }) => from_slot + slots.length > since);
  return {
    missing: end - (first?.from_slot ?? 0) - credit_total,
    end,
    letters: recent.map(({ slots }) => slots).join(""),
  };
}
