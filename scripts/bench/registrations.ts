import { readFileSync } from "node:fs";
import { join } from "node:path";
import { SQL } from "bun";
import { BenchPool, numbersFrom, type PoolTerms } from "./bench-pool.ts";
import { Child } from "./child.ts";
import { type BenchOptions, type Figure, type Measured, median } from "./figure.ts";
import { Postgres } from "./postgres.ts";

const TOGETHER = 200;

/** Registrations that come together, beside one commit each. */
export const registrations: Figure = {
  name: "registrations",
  async measure(options) {
    if (options.database === "sqlite") return measureSqlite(options);
    await using postgres = Postgres.start(join(options.folder, "postgres-registrations"));
    return await measurePostgres(options, postgres);
  },
};

/** A pool that admits nodes, together or one after the other. */
export async function openRegistrations(terms: PoolTerms) {
  const pool = await BenchPool.open(terms);
  let next = 1;
  const timed = async (count: number, act: (from: number) => Promise<void>): Promise<number> => {
    const [from, beganMs] = [next, performance.now()];
    next += count;
    await act(from);
    return (count * 1000) / (performance.now() - beganMs);
  };
  return {
    /** Registrations per second, all under way at once. */
    together: (count: number) => timed(count, (from) => pool.admit(from, count)),
    /** Registrations per second, each after the commit of the one before. */
    apart: (count: number) =>
      timed(count, async (from) => {
        for (const number of numbersFrom(from, count)) await pool.admit(number, 1);
      }),
  };
}

type Registrar = Child<Awaited<ReturnType<typeof openRegistrations>>>;

function start(folder: string, set: readonly string[], under: readonly string[] = []) {
  const terms: PoolTerms = { folder, clock: "turned", set };
  const file = join(import.meta.dir, "registrations.ts");
  return Child.start(openRegistrations, { file, terms, under });
}

async function measureSqlite(options: BenchOptions): Promise<readonly Measured[]> {
  const rates = await withPool(options, [], (pool) => measureRates(pool, options));
  const count = options.short ? 1 : 5;
  const syncs = await countSyncs(options, count);
  return [
    throughput("sqlite", rates),
    {
      name: "fsyncs of 200 registrations at once, sqlite",
      value: syncs.together / count,
      unit: "fsyncs",
      baseline: { name: "registrations", value: TOGETHER },
      goal: { of: "ratio", most: 0.1 },
      notes: [
        `fsync and fdatasync counted by strace -f over ${count} rounds, checkpoints included; one commit each: ${(syncs.apart / 50).toFixed(2)} per registration`,
      ],
    },
  ];
}

async function measurePostgres(
  options: BenchOptions,
  postgres: Postgres,
): Promise<readonly Measured[]> {
  const sql = new SQL({ url: postgres.url, max: 1 });
  const syncs = async (): Promise<number> => {
    const [row] = (await sql`SELECT wal_sync FROM pg_stat_wal`) as [{ wal_sync: string }];
    return Number(row.wal_sync);
  };
  return withPool(options, [`database.url=${postgres.url}`], async (pool) => {
    const rates = await measureRates(pool, options);
    const before = await syncs();
    await pool.ask("together", TOGETHER);
    await Bun.sleep(11_000); // A session of the server that is idle tells its figures after ten seconds.
    const counted = (await syncs()) - before;
    await sql.close();
    return [
      throughput("postgres", rates),
      {
        name: "WAL fsyncs of 200 registrations at once, postgres",
        value: counted,
        unit: "fsyncs",
        baseline: { name: "registrations", value: TOGETHER },
        goal: { of: "ratio", most: 0.1 },
        notes: ["pg_stat_wal.wal_sync of the server"],
      },
    ];
  });
}

async function withPool<T>(
  { folder }: BenchOptions,
  set: readonly string[],
  act: (pool: Registrar) => Promise<T>,
): Promise<T> {
  await using pool = await start(join(folder, "registrations"), set);
  return await act(pool);
}

interface Rates {
  readonly together: readonly number[];
  readonly apart: readonly number[];
}

async function measureRates(pool: Registrar, { short }: BenchOptions): Promise<Rates> {
  const rates = { together: [] as number[], apart: [] as number[] };
  const [warm, count] = short ? [1, 3] : [2, 9];
  for (let round = 0; round < warm + count; round++) {
    const together = await pool.ask("together", TOGETHER);
    const apart = await pool.ask("apart", TOGETHER);
    if (round < warm) continue;
    rates.together.push(together);
    rates.apart.push(apart);
  }
  return rates;
}

function throughput(database: string, { together, apart }: Rates): Measured {
  return {
    name: `200 registrations at once, ${database}`,
    value: median(together),
    unit: "/s",
    baseline: { name: "one commit each", value: median(apart) },
    goal: { of: "ratio", least: 3 },
    notes: [
      `median of ${together.length} alternating rounds; registry.admit with its audit row, durable when it answers`,
    ],
  };
}

/** fsyncs of a pool under strace: what its start costs is subtracted. */
async function countSyncs({ folder }: BenchOptions, rounds: number) {
  const counted = async (name: string, act: (pool: Registrar) => Promise<unknown>) => {
    const file = join(folder, `${name}.strace`);
    const under = ["strace", "-f", "-c", "-e", "trace=fsync,fdatasync", "-o", file];
    const pool = await start(join(folder, name), [], under);
    await act(pool);
    await pool[Symbol.asyncDispose]();
    return callsIn(readFileSync(file, "utf8"));
  };
  const idle = await counted("syncs-idle", async () => {});
  const together = await counted("syncs-together", async (pool) => {
    for (let round = 0; round < rounds; round++) await pool.ask("together", TOGETHER);
  });
  const apart = await counted("syncs-apart", (pool) => pool.ask("apart", 50));
  return { together: together - idle, apart: apart - idle };
}

function callsIn(table: string): number {
  const rows = table.matchAll(/^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)(?:\s+\d+)?\s+f(?:data)?sync$/gm);
  return [...rows].reduce((sum, row) => sum + Number(row[1]), 0);
}
