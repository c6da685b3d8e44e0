import type { CompiledQuery, Kysely } from "kysely";
import type { PoolError } from "@/std/errors.ts";

/**
 * Every table, by name. Each module merges its own rows into it (`declare module "@/ports/database.ts"`).
 * All integer columns are BIGINT and read as bigint on both databases; bytes are Uint8Array.
 */
export interface Tables {
  migration: { name: string; at: bigint };
}

/** One statement of a commit. */
export interface Write {
  readonly query: CompiledQuery;
  /** How many rows it must touch; unstated, any number. */
  readonly rows?: number;
  /** What to refuse with when it touches another number of rows or breaks a unique key; else `conflict`. */
  readonly refusal?: PoolError;
}

/** One step of a schema, `module/0001-what`: the same for both databases, or one list each. */
export interface Migration {
  readonly name: string;
  /** `{int}` and `{blob}` stand for the database's types, `{strict}` for SQLite's table option. */
  readonly statements?: readonly string[];
  readonly sqlite?: readonly string[];
  readonly postgres?: readonly string[];
}

/** Whether the database takes writes; `full` and `failed` mean read-only (reliability.md, D5). */
export type DatabaseState = "writable" | "full" | "failed";

/** What is known of the schema: all names applied, and those this program knows. */
export interface SchemaState {
  readonly applied: readonly string[];
  readonly known: readonly string[];
}

/**
 * The one place where state lives. Reads are plain queries; every change is one atomic list of
 * writes. There are no interactive transactions, so SQLite and PostgreSQL behave alike.
 */
export interface Database {
  readonly kind: "sqlite" | "postgres";
  /** Builds queries: reads run with `.execute()`, writes are `.compile()`d into a commit. */
  readonly sql: Kysely<Tables>;
  /** Runs a compiled read; hot reads are compiled once. */
  read<Row>(query: CompiledQuery<Row>): Promise<readonly Row[]>;
  /**
   * Writes all or nothing, durable when it resolves. Concurrent commits may share one fsync.
   * Refuses with the write's refusal or `conflict` (`database.conflict`) when a row count or key is
   * not as expected, `precondition` (`database.check`) when a CHECK does not hold, and `unavailable`
   * (`database.read_only`, with retryAfterSeconds) while the disk is full or failing.
   */
  commit(writes: readonly Write[]): Promise<void>;
  /** Brings the schema up to date; refuses data written by a newer program (`database.newer`). */
  migrate(migrations: readonly Migration[]): Promise<void>;
  schema(): Promise<SchemaState>;
  state(): DatabaseState;
  /** Bytes the database takes on disk, where it can be known. */
  sizeBytes(): Promise<number | null>;
  close(): Promise<void>;
}
