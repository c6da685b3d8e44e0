import type { AuditEntry } from "@/core/audit/entry.ts";
import { RESTARTED } from "@/core/audit/restart.ts";
import type { Run } from "@/core/audit/sequence.ts";
import type { Database, Write } from "@/ports/database.ts";

/** How many rows are read at a time. */
const PAGE = 250n;

/** Which log is written: the first, or one that began anew. */
export interface Epoch {
  readonly epoch: bigint;
  readonly origin: string;
}

/** The rows from a number on, in the order of their numbers. */
export async function* rowsFrom(database: Database, first: bigint): AsyncGenerator<AuditEntry> {
  for (let next = first; ; ) {
    const query = database.sql.selectFrom("audit").selectAll().where("id", ">=", next);
    const rows = await database.read(query.orderBy("id").limit(Number(PAGE)).compile());
    for (const { id, at, ...rest } of rows) yield { number: id, atMs: at, ...rest };
    const last = rows.at(-1);
    if (!last || rows.length < PAGE) return;
    next = last.id + 1n;
    await othersFirst();
  }
}

/** The numbers of the rows from `first` up to `end`, without it. */
export async function* numbersFrom(
  database: Database,
  first: bigint,
  end: bigint,
): AsyncGenerator<bigint> {
  for (let next = first; ; ) {
    const query = database.sql
      .selectFrom("audit")
      .select("id")
      .where("id", ">=", next)
      .where("id", "<", end);
    const rows = await database.read(query.orderBy("id").limit(Number(PAGE)).compile());
    for (const { id } of rows) yield id;
    const last = rows.at(-1);
    if (!last || rows.length < PAGE) return;
    next = last.id + 1n;
  }
}

/** The newest log that began anew; undefined while the first one is written. */
export async function newestEpoch(database: Database): Promise<Epoch | undefined> {
  const query = database.sql.selectFrom("audit_log").selectAll().orderBy("epoch", "desc").limit(1);
  const [row] = await database.read(query.compile());
  return row;
}

export async function runsOf(database: Database, epoch: bigint): Promise<readonly Run[]> {
  const query = database.sql
    .selectFrom("audit_run")
    .select(["leaf", "row"])
    .where("epoch", "=", epoch)
    .orderBy("leaf");
  const rows = await database.read(query.compile());
  return rows.map(({ leaf, row }) => ({ leaf: Number(leaf), row }));
}

/** Keeps where a run begins; one that no row has followed yet may be moved on. */
export function saveRun(database: Database, epoch: bigint, { leaf, row }: Run): Write {
  const insert = database.sql.insertInto("audit_run").values({ epoch, leaf: BigInt(leaf), row });
  const query = insert.onConflict((at) => at.columns(["epoch", "leaf"]).doUpdateSet({ row }));
  return { query: query.compile(), rows: 1 };
}

export function insertEpoch(database: Database, epoch: Epoch): Write {
  return { query: database.sql.insertInto("audit_log").values(epoch).compile(), rows: 1 };
}

/** The act with which a log began anew. */
export async function restartRow(database: Database, origin: string): Promise<bigint | undefined> {
  const query = database.sql
    .selectFrom("audit")
    .select("id")
    .where("subject", "=", origin)
    .where("action", "=", RESTARTED)
    .orderBy("id")
    .limit(1);
  return (await database.read(query.compile()))[0]?.id;
}

/** How many rows have a number below this one. */
export async function countBelow(database: Database, end: bigint): Promise<number> {
  const query = database.sql
    .selectFrom("audit")
    .select(({ fn }) => fn.countAll<bigint>().as("rows"))
    .where("id", "<", end);
  return Number((await database.read(query.compile()))[0]?.rows ?? 0n);
}

/** The number of the first row from `first` on. */
export async function firstFrom(database: Database, first: bigint): Promise<bigint | undefined> {
  const query = database.sql
    .selectFrom("audit")
    .select("id")
    .where("id", ">=", first)
    .orderBy("id")
    .limit(1);
  return (await database.read(query.compile()))[0]?.id;
}

/** A read that answers at once lets nobody else have a turn; a hundred thousand rows take seconds. */
function othersFirst(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
