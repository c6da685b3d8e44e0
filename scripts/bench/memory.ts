import { join } from "node:path";
import { numbersFrom, type PoolTerms, seedOf } from "./bench-pool.ts";
import { Child } from "./child.ts";
import { openConnected } from "./connected-child.ts";
import { type BenchOptions, type Figure, median } from "./figure.ts";
import { openPool } from "./pool-child.ts";
import { residentBytes } from "./processes.ts";

const NODES = 10_000;
/** The first connections pay for code that is compiled and buffers that grow: they are not counted. */
const FIRST = 100;
const CONNECTED = 1_000;
const KB = 1024;
const HOUR_MS = 3_600_000;

type Pool = Child<Awaited<ReturnType<typeof openPool>>>;
type Connected = Child<Awaited<ReturnType<typeof openConnected>>>;

/** Memory per node, without and with a connection. */
export const memory: Figure = {
  name: "memory",
  async measure(options) {
    const rounds = options.short ? 1 : 3;
    const idle: number[] = [];
    const connected: number[] = [];
    const first: number[] = [];
    await fill(options);
    for (let round = 0; round < rounds; round++) {
      const empty = await residentOf(options, "memory-empty", settled);
      const full = await residentOf(options, "memory", async (pool) => {
        const before = await settled(pool);
        const [few, many] = await withConnections(pool);
        first.push(few - before);
        connected.push((many - few) / CONNECTED);
        return before;
      });
      idle.push((full - empty) / NODES);
    }
    const how = `median of ${rounds} starts; VmRSS of the pool's process after a garbage collection`;
    return [
      {
        name: "memory of a node without a connection",
        value: median(idle) / KB,
        unit: "KB",
        goal: { of: "value", most: 3 },
        notes: [`${how}, with ${NODES} nodes read from the disk against none`],
      },
      {
        name: "memory of a node with a connection",
        value: median(connected) / KB,
        unit: "KB",
        goal: { of: "value", most: 60 },
        notes: [
          `${how}, with ${CONNECTED + FIRST} of ${NODES} nodes on a stream with mTLS and heard in two slots, against ${FIRST}`,
          `the first ${FIRST}, with the code they warm up, took ${(median(first) / 1e6).toFixed(1)} MB`,
        ],
      },
    ];
  },
};

let starts = 0;

/** Each start is an hour after the one before: no pool believes a clock that goes back. */
function start({ folder }: BenchOptions, name: string): Promise<Pool> {
  const startMs = Date.now() + starts++ * HOUR_MS;
  const terms: PoolTerms = { folder: join(folder, name), clock: "turned", startMs };
  return Child.start(openPool, { file: join(import.meta.dir, "pool-child.ts"), terms });
}

async function fill(options: BenchOptions): Promise<void> {
  for (const name of ["memory", "memory-empty"]) {
    await using pool = await start(options, name);
    if (name === "memory") await pool.ask("admit", { from: 1, count: NODES });
    await pool.ask("stop", null);
  }
}

async function residentOf(
  options: BenchOptions,
  name: string,
  measure: (pool: Pool) => Promise<number>,
): Promise<number> {
  await using pool = await start(options, name);
  return await measure(pool);
}

/** What it holds once what is garbage was collected. */
async function settled(pool: Pool): Promise<number> {
  for (let times = 0; times < 3; times++) {
    await pool.ask("collect", null);
    await Bun.sleep(300);
  }
  return residentBytes(pool.pid);
}

/** What it holds with some nodes connected, and with many more. */
async function withConnections(pool: Pool): Promise<readonly [number, number]> {
  await using few = await connect(pool, 1, FIRST);
  await beatTwice(pool, [few]);
  const withFew = await settled(pool);
  await using many = await connect(pool, 1 + FIRST, CONNECTED);
  await beatTwice(pool, [few, many]);
  return [withFew, await settled(pool)];
}

async function connect(pool: Pool, from: number, count: number): Promise<Connected> {
  const { grpc, rootPem, poolKey, slotSeconds } = await pool.ask("reach", null);
  const members = await pool.ask("certify", { from, count });
  return Child.start(openConnected, {
    file: join(import.meta.dir, "connected-child.ts"),
    terms: {
      seeds: numbersFrom(from, count).map(seedOf),
      identities: members.map(({ identity }) => identity),
      address: grpc,
      rootPem,
      poolKey,
      slotSeconds,
    },
  });
}

async function beatTwice(pool: Pool, clients: readonly Connected[]): Promise<void> {
  for (let times = 0; times < 2; times++) {
    const slot = await pool.ask("nextSlot", null);
    for (const client of clients) await client.ask("beat", slot);
  }
}
