import { SQL } from "bun";
import type { CompiledQuery, Kysely } from "kysely";
import type { Clock } from "@/ports/clock.ts";
import type {
  Database,
  DatabaseState,
  Migration,
  SchemaState,
  Tables,
  Write,
} from "@/ports/database.ts";
import { isRefusal } from "@/std/errors.ts";
import { Migrator } from "../sql/migrate.ts";
import { parametersOf } from "../sql/parameters.ts";
import { queryBuilder } from "../sql/query-builder.ts";
import { conflict, readOnly, refused, tooManyCommits, unreachable } from "../sql/refusals.ts";
import { faultOf } from "./faults.ts";
import { commitOn } from "./transaction.ts";
import { type Result, rowsOf } from "./values.ts";
import { Writer } from "./writer.ts";

const CONNECTIONS_MAX = 8;
const WAITING_MAX = 10_000;
const ATTEMPTS_MAX = 5;
const SIZE = `
  SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint AS bytes FROM pg_class
  WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace`;

/** What a PostgreSQL database needs to know. */
export interface PostgresOptions {
  /** `postgres://user:password@host:port/database`. */
  readonly url: string;
  /** The schema that holds the tables; the server's search path decides when unstated. */
  readonly schema?: string;
  readonly clock: Clock;
  /** Called once when another process has taken over: this one must end. */
  readonly onFailed: (fault: unknown) => void;
  readonly onState?: (state: DatabaseState) => void;
}

/** Connects, and refuses to be the second process that writes (`data.locked`). */
export async function openPostgres(options: PostgresOptions): Promise<PostgresDatabase> {
  const pool = new SQL({
    url: options.url,
    bigint: true,
    max: CONNECTIONS_MAX,
    connection: {
      application_name: "galaxy-pool",
      ...(options.schema !== undefined && { search_path: options.schema }),
    },
  });
  const writer = new Writer(pool);
  try {
    await writer.session();
  } catch (error) {
    await pool.close({ timeout: 0 });
    throw refusalToOpen(error);
  }
  return new PostgresDatabase(pool, writer, options);
}

function refusalToOpen(error: unknown): unknown {
  const fault = faultOf(error);
  if (fault === "lost") return unreachable((error as Error).message, error);
  return fault === "refused" ? refused((error as Error).message, error) : error;
}

/** The database port over one schema of a PostgreSQL server. Commits run one after the other. */
export class PostgresDatabase implements Database {
  readonly kind = "postgres";
  readonly sql: Kysely<Tables>;
  readonly #pool: SQL;
  readonly #writer: Writer;
  readonly #options: PostgresOptions;
  readonly #migrator: Migrator;
  #last: Promise<void> = Promise.resolve();
  #waiting = 0;
  #state: DatabaseState = "writable";
  #isClosed = false;

  constructor(pool: SQL, writer: Writer, options: PostgresOptions) {
    this.#pool = pool;
    this.#writer = writer;
    this.#options = options;
    this.sql = queryBuilder((query) => this.read(query));
    this.#migrator = new Migrator(this, options.clock);
  }

  /** Reads are repeated when a connection breaks: after a restart each pooled one breaks once. */
  async read<Row>(query: CompiledQuery<Row>): Promise<readonly Row[]> {
    if (this.#isClosed) throw unreachable("it is closed");
    const parameters = parametersOf(query.parameters);
    for (let attempt = 1; ; attempt++) {
      try {
        const result = (await this.#pool.unsafe(query.sql, parameters)) as Result;
        return rowsOf(result) as readonly Row[];
      } catch (error) {
        if (faultOf(error) !== "lost") throw error;
        if (attempt > CONNECTIONS_MAX) throw unreachable((error as Error).message, error);
      }
    }
  }

  async commit(writes: readonly Write[]): Promise<void> {
    if (this.#isClosed) throw unreachable("it is closed");
    if (this.#state === "failed") throw readOnly("another process has taken it over");
    if (this.#waiting >= WAITING_MAX) throw tooManyCommits();
    this.#waiting++;
    const turn = this.#last.then(() => this.#inTurn(writes));
    this.#last = turn.catch(() => {}).finally(() => this.#waiting--);
    await turn;
  }

  migrate(migrations: readonly Migration[]): Promise<void> {
    return this.#migrator.migrate(migrations);
  }

  schema(): Promise<SchemaState> {
    return this.#migrator.schema();
  }

  state(): DatabaseState {
    return this.#state;
  }

  async sizeBytes(): Promise<number | null> {
    const [row] = (await this.#pool.unsafe(SIZE)) as Result;
    return row ? Number(row["bytes"]) : null;
  }

  /** Writes what still waits, then lets go of the lock and the connections. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#last;
    try {
      await this.#writer.close();
    } catch (error) {
      if (faultOf(error) !== "lost") throw error;
    } finally {
      await this.#pool.close({ timeout: 1 });
    }
  }

  async #inTurn(writes: readonly Write[]): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        const session = await this.#writer.session();
        await commitOn({ session, pool: this.#pool, clock: this.#options.clock }, writes);
        this.#become("writable");
        return;
      } catch (error) {
        this.#requireRepeatable(error, attempt);
      }
    }
  }

  /** Throws unless it is certain that nothing was written and another attempt may do better. */
  #requireRepeatable(error: unknown, attempt: number): void {
    const fault = faultOf(error);
    if (fault === "lost") this.#writer.drop();
    const mayRepeat = fault === "lost" || fault === "again";
    if (!mayRepeat || attempt === ATTEMPTS_MAX) throw this.#refusalOf(error);
  }

  /** What an error means for the database, and the refusal for the one who waited. */
  #refusalOf(error: unknown): unknown {
    if (isRefusal(error)) {
      if (error.code === "data.locked") this.#fail(error);
      return error;
    }
    const fault = faultOf(error);
    if (fault === "again") return conflict(error);
    if (fault === "lost") return unreachable((error as Error).message, error);
    if (fault === "refused") return refused((error as Error).message, error);
    if (fault !== "full") return error;
    this.#become("full");
    return readOnly("its server has no room or is a standby", error);
  }

  #fail(error: unknown): void {
    this.#become("failed");
    this.#options.onFailed(error);
  }

  #become(state: DatabaseState): void {
    if (state === this.#state || this.#state === "failed") return;
    this.#state = state;
    this.#options.onState?.(state);
  }
}
