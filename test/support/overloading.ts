import { Child } from "../../scripts/bench/child.ts";
import { type Flooded, openFlood } from "../../scripts/bench/flood-child.ts";
import { cpuMs, residentBytes } from "../../scripts/bench/processes.ts";
import { NodeProcess } from "./node-process.ts";
import { PoolProcess } from "./pool-process.ts";
import { until } from "./until.ts";

/** How a pool is overloaded. */
export interface OverloadTerms {
  readonly nodes: number;
  readonly rounds: number;
  /** How long each flood lasts. */
  readonly forMs: number;
  readonly tell?: (line: string) => void;
}

/** What came of it. */
export interface OverloadFigures {
  readonly rounds: number;
  /** Goodput at ten times the load, as a share of what it is at saturation, one for each round. */
  readonly kept: readonly number[];
  /** The same by the CPU time the pool took for a good answer, which a busy machine disturbs less. */
  readonly keptByCpu: readonly number[];
  /** How long until `/health` and a read took no longer than before the flood. */
  readonly recoveredMs: readonly number[];
  readonly healthMs: readonly number[];
  readonly residentMb: readonly number[];
  /** From the kill of the pool to the proof of the last node. */
  readonly backMs: readonly number[];
  readonly proven: number;
  readonly faults: readonly string[];
}

const SLOT_SECONDS = 5;
const MEMORY_MB = 512;
const CONFIG = {
  poot: { demo: true, slot_seconds: SLOT_SECONDS, interval_seconds: 25 },
  limits: { memory_mb: MEMORY_MB },
  payout: { threshold_usdt: "1000", interval_seconds: 3600 },
};
const FEW = 16;
const MANY = 450;
const TIMES = 10;
const TOGETHER = 4;
const STORM_MS = 60_000;
const CREDITED_MS = 90_000;
const RECOVERY_MS = 10_000;
const MEGABYTE = 1_048_576;
const PATH = "/api/v1/nodes?limit=100";

type Flooder = Child<Awaited<ReturnType<typeof openFlood>>>;

/**
 * Floods a pool with reads, ten times as many as it can answer, whether or not they are answered, while
 * its nodes prove their time; then kills it, so that all nodes come back at once. Memory is limited.
 */
export async function overloadPool(terms: OverloadTerms): Promise<OverloadFigures> {
  await using pool = await PoolProcess.start({ config: CONFIG, keepsPorts: true });
  const nodes = await joinAll(pool, terms);
  await using _nodes = {
    [Symbol.asyncDispose]: async () => void (await Promise.all(nodes.map((node) => node.kill()))),
  };
  const file = new URL("../../scripts/bench/flood-child.ts", import.meta.url).pathname;
  await using few = await Child.start(openFlood, { file, terms: { connections: FEW } });
  await using many = await Child.start(openFlood, { file, terms: { connections: MANY } });
  const floods: Flooding[] = [];
  const backMs: number[] = [];
  const faults: string[] = [];
  for (let round = 0; round < terms.rounds; round++) {
    const found = await floodOnce(pool, { few, many }, terms.forMs);
    floods.push(found);
    terms.tell?.(textOf(found));
    faults.push(...(await downIn(nodes, "during the flood")));
    const back = await storm(pool, nodes);
    backMs.push(back);
    terms.tell?.(`${nodes.length} nodes were back ${back} ms after the kill`);
  }
  const counted = await countAll(pool, nodes);
  return {
    rounds: terms.rounds,
    kept: floods.map(({ kept }) => kept),
    keptByCpu: floods.map(({ keptByCpu }) => keptByCpu),
    recoveredMs: floods.map(({ recoveredMs }) => recoveredMs),
    healthMs: floods.map(({ healthMs }) => healthMs),
    residentMb: floods.map(({ residentMb }) => residentMb),
    backMs,
    proven: counted.proven,
    faults: [...faults, ...counted.faults, ...limitFaults(floods, backMs)],
  };
}

function limitFaults(floods: readonly Flooding[], backMs: readonly number[]): string[] {
  const residentMb = Math.max(...floods.map((flood) => flood.residentMb));
  const recoveredMs = Math.max(...floods.map((flood) => flood.recoveredMs));
  return [
    ...(residentMb > MEMORY_MB ? [`${residentMb} MB were resident`] : []),
    ...(recoveredMs > RECOVERY_MS ? [`it took ${recoveredMs} ms to recover`] : []),
    ...backMs.filter((ms) => ms > STORM_MS).map((ms) => `the nodes were back after ${ms} ms only`),
  ];
}

async function joinAll(pool: PoolProcess, { nodes, tell }: OverloadTerms): Promise<NodeProcess[]> {
  const token = await pool.token({ uses: nodes });
  const joined: NodeProcess[] = [];
  for (let at = 0; at < nodes; at += TOGETHER) {
    const names = Array.from({ length: Math.min(TOGETHER, nodes - at) }, (_, by) => at + by + 1);
    const joining = names.map((name) => NodeProcess.joined(pool, `node-${name}`, { token }));
    const more = await Promise.all(joining);
    for (const node of more) await node.run();
    joined.push(...more);
  }
  tell?.(`${nodes} nodes have joined`);
  for (const node of joined) await node.proves(1, STORM_MS);
  return joined;
}

interface Flooding {
  readonly kept: number;
  readonly keptByCpu: number;
  readonly recoveredMs: number;
  readonly healthMs: number;
  readonly residentMb: number;
  readonly tenfold: Flooded;
}

/** Saturation before and after the flood, so that what else the machine does weighs on both. */
async function floodOnce(
  pool: PoolProcess,
  { few, many }: { readonly few: Flooder; readonly many: Flooder },
  forMs: number,
): Promise<Flooding> {
  const request = `GET ${PATH} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${pool.operatorToken}\r\n\r\n`;
  const flood = async (by: Flooder, perSecond?: number) => {
    const before = cpuMs(pool.pid);
    const port = Number(new URL(pool.url).port);
    const found = await by.ask("run", { port, request, forMs, perSecond });
    return { ...found, cpuEach: (cpuMs(pool.pid) - before) / (found.good * forMs) };
  };
  const usualMs = await tookMs(pool);
  await flood(few);
  const before = await flood(few);
  const watch = watchHealth(pool);
  const tenfold = await flood(many, before.good * TIMES);
  const endedMs = performance.now();
  await until("the pool to recover", async () => (await tookMs(pool)) <= usualMs * 2 + 10, 60_000);
  const recoveredMs = Math.round(performance.now() - endedMs);
  const seen = await watch.end();
  const after = await flood(few);
  return {
    kept: (tenfold.good * 2) / (before.good + after.good),
    keptByCpu: (before.cpuEach + after.cpuEach) / (tenfold.cpuEach * 2),
    recoveredMs,
    ...seen,
    tenfold,
  };
}

/** How long a read takes, and the question about health. */
async function tookMs(pool: PoolProcess): Promise<number> {
  const beganMs = performance.now();
  await pool.told("GET", "/api/v1/nodes?limit=100");
  await pool.told("GET", "/health");
  return performance.now() - beganMs;
}

/** Asks for the health again and again; every answer must be good. */
function watchHealth(pool: PoolProcess) {
  let [isOver, healthMs, residentMb] = [false, 0, 0];
  const watch = async (): Promise<void> => {
    while (!isOver) {
      const beganMs = performance.now();
      await pool.told("GET", "/health");
      healthMs = Math.max(healthMs, Math.round(performance.now() - beganMs));
      residentMb = Math.max(residentMb, Math.round(residentBytes(pool.pid) / MEGABYTE));
      await Bun.sleep(50);
    }
  };
  const ended = watch();
  return {
    async end() {
      isOver = true;
      await ended;
      return { healthMs, residentMb };
    },
  };
}

/** Kills the pool and starts it anew; answers when the last node had a slot proven by it. */
async function storm(pool: PoolProcess, nodes: readonly NodeProcess[]): Promise<number> {
  const beganMs = performance.now();
  await pool.kill();
  const proven = nodes.map((node) => node.provenSlots());
  await pool.serve();
  for (const [at, node] of nodes.entries())
    await node.proves((proven[at] ?? 0) + 1, STORM_MS + 30_000);
  return Math.round(performance.now() - beganMs);
}

async function countAll(pool: PoolProcess, nodes: readonly NodeProcess[]) {
  const faults: string[] = [];
  let proven = 0;
  for (const node of nodes) await node.stop();
  for (const node of nodes) {
    const slots = node.provenSlots();
    const creditTotal = async () =>
      Number((await pool.told("GET", `/api/v1/poot/${node.id}`)).credit_total);
    // Slots are credited when their interval ends, which takes longer than other things of a test.
    const look = async () => (await creditTotal()) >= slots;
    await until(`the slots of ${node.name}`, look, CREDITED_MS).catch(() => undefined);
    const credited = await creditTotal();
    proven += slots;
    if (credited !== slots) faults.push(`${node.name} proved ${slots}, has ${credited}`);
  }
  return { proven, faults };
}

async function downIn(nodes: readonly NodeProcess[], when: string): Promise<string[]> {
  const states = await Promise.all(nodes.slice(0, TOGETHER).map((node) => node.json("status")));
  return states.flatMap(({ state }, at) =>
    state === "alive" ? [] : [`${nodes[at]?.name} was ${state} ${when}`],
  );
}

function textOf({ kept, keptByCpu, recoveredMs, healthMs, residentMb, tenfold }: Flooding): string {
  const { good, refused, unasked, middleMs, mostMs, cpuShare } = tenfold;
  const asked = `${good.toFixed(0)} good, ${refused.toFixed(0)} refused, ${unasked.toFixed(0)} unasked a second`;
  return [
    `${asked}, ${middleMs.toFixed(0)} ms (median), ${mostMs.toFixed(0)} ms (most)`,
    `kept ${kept.toFixed(2)} of the goodput, ${keptByCpu.toFixed(2)} by CPU`,
    `/health ${healthMs} ms at most, recovered in ${recoveredMs} ms, ${residentMb} MB resident`,
    `asking took ${cpuShare.toFixed(2)} of a core`,
  ].join("; ");
}
