import { SQL } from "bun";
import { openPostgres } from "@/drivers/postgres/database.ts";
import { openSqlite } from "@/drivers/sqlite/database.ts";
import type { Database } from "@/ports/database.ts";
import { TestClock } from "./clock.ts";
import { temporaryFolder } from "./folder.ts";
import { postgresServer, postgresSkipped } from "./postgres.ts";

/** A place for data that outlives the handles on it; `await using` removes it. */
export interface DatabasePlace extends AsyncDisposable {
  /** The schema of the server that holds it; empty for SQLite. */
  readonly schema: string;
  /** Opens it; each handle must be closed by the test. */
  open(clock?: TestClock, onFailed?: (fault: unknown) => void): Promise<Database>;
}

/** One way of keeping data, for `describe.each(databases())`. */
export interface DatabaseKind {
  readonly kind: Database["kind"];
  /** A fresh, empty place. */
  place(): Promise<DatabasePlace>;
  /** A fresh, empty, open database; `await using` closes it and removes its data. */
  open(clock?: TestClock): Promise<OpenDatabase>;
}

/** An open database and how to get rid of it. */
export interface OpenDatabase extends AsyncDisposable {
  readonly database: Database;
}

/** Every database the program runs on; the same tests must pass on all. */
export function databases(): readonly DatabaseKind[] {
  const sqlite: DatabaseKind = { kind: "sqlite", place: sqlitePlace, open: openInMemory };
  if (postgresSkipped === undefined) {
    return [sqlite, { kind: "postgres", place: postgresPlace, open: openSchema }];
  }
  process.stderr.write(`(skip) PostgreSQL is left out: ${postgresSkipped}\n`);
  return [sqlite];
}

async function openInMemory(clock = new TestClock()): Promise<OpenDatabase> {
  const database = openSqlite({ path: ":memory:", clock, onFailed: raise });
  return { database, [Symbol.asyncDispose]: () => database.close() };
}

async function openSchema(clock = new TestClock()): Promise<OpenDatabase> {
  const place = await postgresPlace();
  const database = await place.open(clock);
  return {
    database,
    async [Symbol.asyncDispose]() {
      await database.close();
      await place[Symbol.asyncDispose]();
    },
  };
}

async function sqlitePlace(): Promise<DatabasePlace> {
  const folder = temporaryFolder();
  const path = `${folder.path}/pool.db`;
  return {
    schema: "",
    open: async (clock = new TestClock(), onFailed = raise) =>
      openSqlite({ path, clock, onFailed }),
    [Symbol.asyncDispose]: async () => folder[Symbol.dispose](),
  };
}

async function postgresPlace(): Promise<DatabasePlace> {
  const { url } = await postgresServer();
  const schema = `test_${crypto.randomUUID().replaceAll("-", "")}`;
  await once(url, `CREATE SCHEMA ${schema}`);
  return {
    schema,
    open: (clock = new TestClock(), onFailed = raise) =>
      openPostgres({ url, schema, clock, onFailed }),
    [Symbol.asyncDispose]: () => once(url, `DROP SCHEMA ${schema} CASCADE`),
  };
}

async function once(url: string, statement: string): Promise<void> {
  const sql = new SQL({ url, max: 1 });
  await sql.unsafe("SET client_min_messages = warning");
  await sql.unsafe(statement);
  await sql.close();
}

function raise(fault: unknown): void {
  throw fault;
}
