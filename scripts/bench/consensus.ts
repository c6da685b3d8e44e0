import { heapStats } from "bun:jsc";
import { runOnAllCores } from "#test/sim/consensus/crew.ts";
import { Cluster } from "#test/support/replica-cluster.ts";
import { SymbolicSignatures } from "#test/support/symbolic-signatures.ts";
import type { Event } from "@/core/consensus/events.ts";
import type { Replica, State } from "@/core/consensus/state.ts";
import { step } from "@/core/consensus/step.ts";
import { type BenchOptions, type Figure, type Measured, median } from "./figure.ts";

const N = 4;
const PRUNED_BLOCKS = 10_000;
const MB = 1_000_000;

/** What the consensus core costs: `step` alone, the memory of a replica, and the quick simulation. */
export const consensus: Figure = {
  name: "consensus",
  async measure(options) {
    return [stepRate(options), memoryOfReplica(options), ...(await quickTier(options))];
  },
};

/** An event of a run, and whose it was. */
interface Recorded {
  readonly at: number;
  readonly event: Event;
}

function stepRate({ short }: BenchOptions): Measured {
  const blocks = short ? 500 : 5_000;
  const cluster = new Cluster(N);
  const recorded = record(cluster, blocks);
  const rounds = short ? 1 : 5;
  replay(cluster, recorded);
  const rates = Array.from({ length: rounds }, () => {
    const beganMs = performance.now();
    replay(cluster, recorded);
    return (1_000 * recorded.length) / (performance.now() - beganMs);
  });
  return {
    name: "steps of a replica, n = 4",
    value: median(rates),
    unit: "events/s",
    goal: { of: "value", least: 200_000 },
    notes: [
      `median of ${rounds} replays of the ${recorded.length} events of ${blocks} blocks, after one that warms up`,
      "one core; no signatures, no bytes, no disk",
    ],
  };
}

/** All events of a run with so many blocks of one transaction each, in the order they happened. */
function record(cluster: Cluster, blocks: number): readonly Recorded[] {
  const recorded: Recorded[] = [];
  for (const [at, host] of cluster.hosts.entries()) {
    const take = host.step.bind(host);
    host.step = (event) => {
      recorded.push({ at, event });
      return take(event);
    };
  }
  order(cluster.start(), blocks);
  return recorded;
}

function order(cluster: Cluster, blocks: number): void {
  for (let count = 0; count < blocks; count++) {
    cluster.now++;
    cluster.submit(Uint8Array.of(1, count & 255, count >> 8));
    for (const host of cluster.hosts) host.effects.length = 0;
  }
}

/** The same events again, and nothing but steps: they lead to the same states. */
function replay({ hosts }: Cluster, recorded: readonly Recorded[]): void {
  const configs = hosts.map(({ config }) => config);
  const states: (State | null)[] = hosts.map(() => null);
  for (const { at, event } of recorded) {
    const config = configs[at];
    if (config) states[at] = step(states[at] ?? null, event, config).state;
  }
}

function memoryOfReplica({ short }: BenchOptions): Measured {
  const clusters = short ? 1 : 4;
  const first = replicasAfter(PRUNED_BLOCKS);
  const before = heapBytes();
  const more: Replica[] = [];
  for (let count = 0; count < clusters; count++) more.push(...replicasAfter(PRUNED_BLOCKS));
  const bytes = (heapBytes() - before) / more.length;
  return {
    name: "memory of a replica after 10,000 blocks",
    value: bytes / MB,
    unit: "MB",
    goal: { of: "value", most: 20 },
    notes: [
      `JavaScript heap after a collection with ${first.length + more.length} replicas against ${first.length}`,
      `each has committed ${first[0]?.committed.header.height} blocks and holds ${first[0]?.blocks.size}`,
    ],
  };
}

/** Replicas by themselves: what their runtimes hold is dropped, and so is the book of signatures. */
function replicasAfter(blocks: number): readonly Replica[] {
  const cluster = new Cluster(N).start();
  order(cluster, blocks);
  return cluster.hosts.map(({ replica }) => {
    const alone = replica as Replica;
    alone.config = { ...alone.config, scheme: new SymbolicSignatures() };
    alone.effects = [];
    return alone;
  });
}

function heapBytes(): number {
  for (let count = 0; count < 3; count++) Bun.gc(true);
  return heapStats().heapSize;
}

async function quickTier({ short }: BenchOptions): Promise<readonly Measured[]> {
  const seeds = short ? 200 : 2_000;
  const beganMs = performance.now();
  const sum = await runOnAllCores({ from: 0, to: seeds, nodes: null, isTwins: false });
  const seconds = (performance.now() - beganMs) / 1_000;
  const { tally, violations, eventsMax } = sum;
  const notes = [
    `${seeds} seeds in ${seconds.toFixed(1)} s on all cores, a new process on each`,
    `${(tally.events / seconds).toFixed(0)} events/s, ${violations} violations`,
  ];
  return [
    {
      name: "simulated seeds",
      value: seeds / seconds,
      unit: "seeds/s",
      goal: { of: "value", least: Math.ceil(2_000 / 60) },
      notes,
    },
    {
      name: "events of a seed",
      value: tally.events / seeds,
      unit: "events",
      goal: { of: "value", most: 3_000 },
      notes: [`the mean; the most of one seed are ${eventsMax}`],
    },
  ];
}
