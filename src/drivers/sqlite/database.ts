import type { Database as Connection } from "bun:sqlite";
import { statSync } from "node:fs";
import { CompiledQuery, type Kysely } from "kysely";
import type { Clock } from "@/ports/clock.ts";
import type {
  Database,
  DatabaseState,
  Migration,
  SchemaState,
  Tables,
  Write,
} from "@/ports/database.ts";
import { assert } from "@/std/assert.ts";
import { Migrator } from "../sql/migrate.ts";
import { parametersOf } from "../sql/parameters.ts";
import { queryBuilder } from "../sql/query-builder.ts";
import { RETRY_SECONDS, readOnly, tooManyCommits, unreachable } from "../sql/refusals.ts";
import { faultOf } from "./faults.ts";
import type { FolderLock } from "./lock.ts";
import { openFile } from "./open.ts";
import { Statements } from "./statements.ts";
import { Transactions } from "./transaction.ts";

const STATEMENTS_MAX = 256;
const WAITING_MAX = 10_000;
const GROUP_MAX = 1_000;
const PROBE_BYTES = 65_536;

/** What a SQLite database needs to know. */
export interface SqliteOptions {
  /** A file, or `:memory:`. */
  readonly path: string;
  readonly clock: Clock;
  /** Called once when the handle must not be used again: the process must end and start anew. */
  readonly onFailed: (fault: unknown) => void;
  /** Called when the disk is full, and when it is writable again. */
  readonly onState?: (state: DatabaseState) => void;
}

/** Figures of one open database. */
export interface SqliteStats {
  /** Commits that are on disk. */
  readonly commits: number;
  /** Transactions, and so fsyncs, they took. */
  readonly transactions: number;
  readonly refused: number;
  readonly waiting: number;
  readonly statements: number;
  readonly walBytes: number;
}

/** Handles that must not even be collected, because that closes them. */
const abandoned: Connection[] = [];

interface Waiting {
  readonly writes: readonly Write[];
  resolve(): void;
  reject(error: unknown): void;
}

/** Opens the database file, alone in its folder (`data.locked`), and checks it (`data.damaged`). */
export function openSqlite(options: SqliteOptions): SqliteDatabase {
  const { connection, lock } = openFile(options.path);
  return new SqliteDatabase(connection, lock, options);
}

/** The database port over one SQLite file. Commits that wait at the same time share one fsync. */
export class SqliteDatabase implements Database {
  readonly kind = "sqlite";
  readonly sql: Kysely<Tables>;
  readonly #connection: Connection;
  readonly #lock: FolderLock | undefined;
  readonly #options: SqliteOptions;
  readonly #statements: Statements;
  readonly #transactions: Transactions;
  readonly #migrator: Migrator;
  #waiting: Waiting[] = [];
  #state: DatabaseState = "writable";
  #isClosed = false;
  #commits = 0;
  #refused = 0;
  #cancelProbe: () => void = () => {};

  constructor(connection: Connection, lock: FolderLock | undefined, options: SqliteOptions) {
    this.#connection = connection;
    this.#lock = lock;
    this.#options = options;
    this.#statements = new Statements(connection, STATEMENTS_MAX);
    this.#transactions = new Transactions(connection, this.#statements);
    this.sql = queryBuilder((query) => this.read(query));
    this.#migrator = new Migrator(this, options.clock);
  }

  /** How much memory the pages it has read may take. */
  limitCache(bytes: number): void {
    this.#connection.run(`PRAGMA cache_size = -${Math.ceil(bytes / 1024)}`);
  }

  async read<Row>(query: CompiledQuery<Row>): Promise<readonly Row[]> {
    if (this.#isClosed) throw unreachable("it is closed");
    if (this.#state === "failed") throw unreachable("its disk failed");
    try {
      const statement = this.#statements.of(query.sql);
      return statement.all(...parametersOf(query.parameters)) as Row[];
    } catch (error) {
      const fault = faultOf(error);
      if (fault === "failed") this.#fail(error);
      if (fault === "mistake") throw error;
      throw unreachable("its file cannot be read", error);
    }
  }

  async commit(writes: readonly Write[]): Promise<void> {
    if (this.#isClosed) throw unreachable("it is closed");
    if (this.#state !== "writable") throw this.#readOnly();
    if (this.#waiting.length >= WAITING_MAX) throw tooManyCommits();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    if (this.#waiting.length === 0) setImmediate(() => this.#flush());
    this.#waiting.push({ writes, resolve, reject });
    await promise;
  }

  async migrate(migrations: readonly Migration[]): Promise<void> {
    await this.#migrator.migrate(migrations);
    this.#statements.clear();
  }

  schema(): Promise<SchemaState> {
    return this.#migrator.schema();
  }

  state(): DatabaseState {
    return this.#state;
  }

  async sizeBytes(): Promise<number | null> {
    const { path } = this.#options;
    return this.#lock ? fileBytes(path) + fileBytes(`${path}-wal`) : null;
  }

  stats(): SqliteStats {
    return {
      commits: this.#commits,
      transactions: this.#transactions.committed,
      refused: this.#refused,
      waiting: this.#waiting.length,
      statements: this.#statements.size,
      walBytes: this.#lock ? fileBytes(`${this.#options.path}-wal`) : 0,
    };
  }

  /**
   * Writes what still waits, then lets go of the file and of its folder. A failed handle is left as it
   * is until the process ends: closing it would copy the log into the file and delete the log.
   */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    while (this.#waiting.length > 0) this.#flush();
    this.#isClosed = true;
    this.#cancelProbe();
    if (this.#state === "failed") {
      abandoned.push(this.#connection);
      return;
    }
    this.#statements.clear();
    this.#connection.close(true);
    this.#lock?.release();
  }

  #flush(): void {
    const group = this.#waiting.splice(0, GROUP_MAX);
    if (group.length === 0) return;
    if (this.#waiting.length > 0) setImmediate(() => this.#flush());
    if (this.#state !== "writable") {
      this.#rejectAll(group, this.#readOnly());
      return;
    }
    const outcomes = this.#transactions.run(group.map((waiting) => waiting.writes));
    for (const [at, waiting] of group.entries()) {
      const outcome = outcomes[at];
      assert(outcome, "every commit has an outcome");
      if (outcome.done) this.#acknowledge(waiting);
      else this.#rejectAll([waiting], this.#refusalOf(outcome.error));
    }
  }

  #acknowledge(waiting: Waiting): void {
    this.#commits++;
    waiting.resolve();
  }

  #rejectAll(group: readonly Waiting[], error: unknown): void {
    this.#refused += group.length;
    for (const waiting of group) waiting.reject(error);
  }

  /** What an error means for the database, and the refusal for the one who waited. */
  #refusalOf(error: unknown): unknown {
    const fault = faultOf(error);
    if (fault === "busy") return readOnly("another program is writing to its file", error);
    if (fault === "full") this.#becomeFull();
    else if (fault === "failed") this.#fail(error);
    else return error;
    return this.#readOnly(error);
  }

  #readOnly(cause?: unknown): unknown {
    const why = this.#state === "full" ? "the disk is full" : "the disk failed, a restart follows";
    return readOnly(why, cause);
  }

  #becomeFull(): void {
    this.#become("full");
    this.#cancelProbe = this.#options.clock.after(RETRY_SECONDS * 1000, () => this.#probe());
  }

  /** Takes room, commits it and gives it back: only then does the next commit stand a chance. */
  #probe(): void {
    const writes = [
      raw("DROP TABLE IF EXISTS probe"),
      raw("CREATE TABLE probe (content BLOB) STRICT"),
      raw(`INSERT INTO probe VALUES (zeroblob(${PROBE_BYTES}))`),
    ];
    for (const commit of [writes, [raw("DROP TABLE probe")]]) {
      const [outcome] = this.#transactions.run([commit]);
      if (outcome?.done === false) {
        this.#refusalOf(outcome.error);
        return;
      }
    }
    this.#become("writable");
  }

  /** After a failed fsync nobody knows what the disk holds; only a new process may look. */
  #fail(error: unknown): void {
    if (this.#state === "failed") return;
    this.#cancelProbe();
    this.#become("failed");
    this.#options.onFailed(error);
  }

  #become(state: DatabaseState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#options.onState?.(state);
  }
}

function raw(sql: string): Write {
  return { query: CompiledQuery.raw(sql) };
}

function fileBytes(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
