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

/** A node's slots in the closed intervals since some moment, as the pool shows them. */
interface SlotTable {
  /** A letter a slot: U up, D down, ? unobserved; intervals in which no pool ran are not there. */
  readonly letters: string;
  /** How many slots passed, and how many of them were credited. */
  readonly passed: number;
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
  const [first, last] = [touched[0], touched.at(-1)];
  return {
    letters: touched.map(({ slots }) => slots).join(""),
    passed: first && last ? last.from_slot + last.slots.length - first.from_slot : 0,
    ticks: touched.reduce((sum, { ticks }) => sum + ticks, 0),
  };
}

/**
 * No slot since `from` was DOWN, and every one was credited, but for so many `gaps` while the pool was away.
 * Answers the table in one line.
 */
export async function noTickLost(
  galaxy: Galaxy,
  node: string,
  from: number,
  { gaps = 0, patienceMs = 40_000 }: { gaps?: number; patienceMs?: number } = {},
): Promise<string> {
  const { letters, passed, ticks } = await tableOf(galaxy, node, from, slotNow(), patienceMs);
  const seen = `slots ${letters}: ${ticks} of ${passed} credited`;
  demand(letters !== "" && !letters.includes("D"), "no slot DOWN", seen);
  demand(ticks >= passed - gaps, `at most ${gaps} slots without credit`, seen);
  return seen;
}
