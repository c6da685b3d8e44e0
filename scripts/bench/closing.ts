import { join } from "node:path";
import { systemCaller } from "@/core/caller.ts";
import type { Poot } from "@/modules/poot/service.ts";
import { BenchPool, numbersFrom, type PoolTerms } from "./bench-pool.ts";
import { Child } from "./child.ts";
import { DirectNode } from "./direct-node.ts";
import { type Figure, median, quantile } from "./figure.ts";
import { Postgres } from "./postgres.ts";

const POOLS = 100;
const NODES_PER_POOL = 100;
/** Three slots an interval: closing costs the same as with ten, getting there does not. */
const INTERVAL = "poot.interval_seconds=90";
/** Heartbeats of other nodes while it closes: twice what so many nodes send. */
const OTHERS = 2_000;
const OTHERS_PER_SECOND = 700;
const CLOSE_MS_MAX = 2_000;
const DELAY_MS_MAX = 50;

/** What one close took, and how late heartbeats were answered before and meanwhile. */
interface Closed {
  readonly tookMs: number;
  readonly idleP99Ms: number;
  readonly closingP99Ms: number;
}

/** Closing an interval of many nodes while others go on sending. */
export const closing: Figure = {
  name: "closing",
  async measure({ folder, short, database }) {
    await using stack = new AsyncDisposableStack();
    const set = [INTERVAL];
    if (database === "postgres") {
      const postgres = stack.use(Postgres.start(join(folder, "postgres-closing")));
      set.push(`database.url=${postgres.url}`);
    }
    const child = await Child.start(openClosing, {
      file: join(import.meta.dir, "closing.ts"),
      terms: { folder: join(folder, "closing"), clock: "turned", set },
    });
    stack.use(child);
    const closes: Closed[] = [];
    for (let round = 0; round < (short ? 2 : 4); round++)
      closes.push(await child.ask("round", null));
    const [first, ...later] = closes;
    const delay = ({ closingP99Ms, idleP99Ms }: Closed) => closingP99Ms - idleP99Ms;
    const notes = [
      `${POOLS * NODES_PER_POOL} nodes in ${POOLS} pools, each heard in every slot of it, and ${OTHERS} others; median of ${later.length} closes`,
      `the first one, which also stores every OPEN, took ${first?.tookMs.toFixed(0)} ms`,
    ];
    return [
      {
        name: `closing 10,000 nodes, ${database}`,
        value: median(later.map(({ tookMs }) => tookMs)),
        unit: "ms",
        goal: { of: "value", most: CLOSE_MS_MAX },
        notes,
      },
      {
        name: `p99 delay of heartbeats meanwhile, ${database}`,
        value: median(closes.map(delay)),
        unit: "ms",
        goal: { of: "value", most: DELAY_MS_MAX },
        notes: [
          `${OTHERS_PER_SECOND} heartbeats/s of other nodes in the same process, measured from when each was due; median of the closes, the worst one ${Math.max(...closes.map(delay)).toFixed(1)} ms; p99 otherwise ${median(closes.map(({ idleP99Ms }) => idleP99Ms)).toFixed(1)} ms`,
        ],
      },
    ];
  },
};

/** A pool with many pools and nodes in one process, without a network in between. */
export async function openClosing(terms: PoolTerms) {
  const bench = await BenchPool.open(terms);
  const nodes: DirectNode[] = [];
  for (const at of numbersFrom(0, POOLS)) {
    const from = 1 + at * NODES_PER_POOL;
    nodes.push(...(await newPool(bench, `pool ${at}`, numbersFrom(from, NODES_PER_POOL))));
  }
  const others = await newPool(bench, "others", numbersFrom(100_001, OTHERS));
  return { round: (_: null) => closeOnce(bench, { nodes, others }) };
}

/** A new pool with these nodes. */
async function newPool(bench: BenchPool, name: string, numbers: readonly number[]) {
  const registry = bench.kernel.service("registry");
  const pool = await registry.createPool(systemCaller("bench"), { name });
  await bench.admit(numbers[0] ?? 0, numbers.length, pool.id);
  const reached = bench.reached(pool.id);
  return numbers.map((number) => new DirectNode(number, reached));
}

interface Crowd {
  readonly nodes: readonly DirectNode[];
  readonly others: readonly DirectNode[];
}

/** One interval: all nodes are heard in each slot, then it ends while others go on. */
async function closeOnce(bench: BenchPool, { nodes, others }: Crowd): Promise<Closed> {
  const poot = bench.kernel.service("poot");
  const { slotsPerInterval } = poot.poolTime();
  const placeIn = () => poot.poolTime().slot % slotsPerInterval;
  while (placeIn() !== 0) await bench.nextSlot();
  let idle: readonly number[] = [];
  for (;;) {
    const { slot } = poot.poolTime();
    for (const node of others) node.prepare(slot);
    if (placeIn() === 1) idle = await sendOthers(poot, others, { until: (sent) => sent >= 500 });
    for (const node of [...nodes, ...others]) node.beat(poot, slot);
    if (placeIn() === slotsPerInterval - 1) break;
    await bench.nextSlot();
  }
  const { tookMs, delays } = await endInterval(bench, poot, others);
  return { tookMs, idleP99Ms: quantile(idle, 0.99), closingP99Ms: quantile(delays, 0.99) };
}

async function endInterval(bench: BenchPool, poot: Poot, others: readonly DirectNode[]) {
  const { nowMs, slot, slotSeconds } = poot.poolTime();
  const slotMs = slotSeconds * 1000;
  const step = slotMs / 20;
  for (const node of others) node.prepare(slot + 1);
  await bench.clock?.pass(slotMs - (nowMs % slotMs) - 1, step);
  const beganMs = performance.now();
  let tookMs = 0;
  bench.clock?.advance(step);
  const closed = poot.closeDue().then(() => {
    tookMs = performance.now() - beganMs;
  });
  const delays = await sendOthers(poot, others, { beganMs, until: () => tookMs > 0 });
  await closed;
  return { tookMs, delays };
}

/** Sends prepared heartbeats at a fixed rate; answers how long after it was due each was answered. */
function sendOthers(
  poot: Poot,
  others: readonly DirectNode[],
  terms: { readonly beganMs?: number; readonly until: (sent: number) => boolean },
): Promise<number[]> {
  const { beganMs = performance.now(), until } = terms;
  const delays: number[] = [];
  const dueMs = () => beganMs + (delays.length * 1000) / OTHERS_PER_SECOND;
  return new Promise((resolve) => {
    const look = (): void => {
      while (performance.now() >= dueMs()) {
        const other = others[delays.length];
        if (!other || until(delays.length)) {
          resolve(delays);
          return;
        }
        other.send(poot);
        delays.push(performance.now() - dueMs());
      }
      setTimeout(look, 0);
    };
    look();
  });
}
