import { until } from "../bench/processes.ts";
import { demand } from "./report.ts";
import { asked, type Galaxy, SLOT_SECONDS } from "./scenes.ts";

interface Shown {
  readonly credit_total: number;
  readonly intervals: readonly {
    readonly from_slot: number;
    readonly slots: string;
    readonly ticks: number;
  }[];
}

/** A node's slots since some moment, as the pool shows them. */
interface SlotTable {
  /** A letter a slot: U up, D down, ? unobserved. */
  readonly letters: string;
  /** How many of the slots were credited. */
  readonly ticks: number;
}

/** The slot of the pool's clock that this moment is in; both machines have this host's clock. */
export function slotNow(slotSeconds = SLOT_SECONDS): number {
  return Math.floor(Date.now() / 1000 / slotSeconds);
}

/** Waits until the intervals with these slots are closed, and answers what they show. */
async function tableOf(
  galaxy: Galaxy,
  node: string,
  from: number,
  to: number,
  patienceMs: number,
): Promise<SlotTable> {
  const look = async (): Promise<readonly Shown["intervals"][number][] | undefined> => {
    const { intervals } = await asked<Shown>(galaxy, `poot show ${node}`);
    const end = Math.max(0, ...intervals.map(({ from_slot, slots }) => from_slot + slots.length));
    return end > to ? intervals : undefined;
  };
  const intervals = await until(`slot ${to} to be closed`, look, { withinMs: patienceMs });
  const touched = intervals.filter(
    ({ from_slot, slots }) => from_slot + slots.length > from && from_slot <= to,
  );
  return {
    letters: touched.map(({ slots }) => slots).join(""),
    ticks: touched.reduce((sum, { ticks }) => sum + ticks, 0),
  };
}

/**
 * No slot since `from` was DOWN, and every slot the pool could observe was credited. Answers the table in
 * one line; `gaps` says how many slots may be unobserved, because the pool was away for so long.
 */
export async function noTickLost(
  galaxy: Galaxy,
  node: string,
  from: number,
  { gaps = 0, patienceMs = 40_000 }: { gaps?: number; patienceMs?: number } = {},
): Promise<string> {
  const { letters, ticks } = await tableOf(galaxy, node, from, slotNow(), patienceMs);
  const unobserved = letters.split("?").length - 1;
  const seen = `${letters}, ${ticks} credited`;
  demand(letters !== "" && !letters.includes("D"), "no slot DOWN", seen);
  demand(ticks >= letters.length - unobserved, "every observed slot to be credited", seen);
  demand(unobserved <= gaps, `at most ${gaps} unobserved slots`, seen);
  return `slots ${seen}`;
}
