import { CompiledQuery } from "kysely";
import type { Clock } from "@/ports/clock.ts";
import type { Database, Migration, SchemaState } from "@/ports/database.ts";
import { isRefusal } from "@/std/errors.ts";
import { newerData } from "./refusals.ts";

const WORDS = {
  sqlite: { "{int}": "INTEGER", "{blob}": "BLOB", "{strict}": "STRICT" },
  postgres: { "{int}": "BIGINT", "{blob}": "BYTEA", "{strict}": "" },
} as const;

const MIGRATION_TABLE =
  "CREATE TABLE IF NOT EXISTS migration (name TEXT PRIMARY KEY, at {int} NOT NULL) {strict}";

/** Brings schemas up to date, one list of migrations after the other. */
export class Migrator {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #known = new Set<string>();
  #isPrepared = false;

  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  /** Applies what is missing, each migration in one commit with its own row. */
  async migrate(migrations: readonly Migration[]): Promise<void> {
    await this.#prepare();
    const applied = new Set(await this.#applied());
    refuseNewer(migrations, applied);
    for (const migration of migrations) {
      this.#known.add(migration.name);
      if (!applied.has(migration.name)) await this.#apply(migration);
    }
  }

  async schema(): Promise<SchemaState> {
    await this.#prepare();
    return { applied: await this.#applied(), known: [...this.#known].sort() };
  }

  async #prepare(): Promise<void> {
    if (this.#isPrepared) return;
    await this.#database.commit([{ query: this.#statement(MIGRATION_TABLE) }]);
    this.#isPrepared = true;
  }

  async #apply(migration: Migration): Promise<void> {
    const { kind, sql } = this.#database;
    const statements = [...(migration.statements ?? []), ...(migration[kind] ?? [])];
    const row = { name: migration.name, at: BigInt(this.#clock.now()) };
    try {
      await this.#database.commit([
        ...statements.map((statement) => ({ query: this.#statement(statement) })),
        { query: sql.insertInto("migration").values(row).compile() },
      ]);
    } catch (error) {
      if (isRefusal(error)) throw error;
      throw new Error(`migration ${migration.name} failed`, { cause: error });
    }
  }

  async #applied(): Promise<readonly string[]> {
    const query = this.#database.sql.selectFrom("migration").select("name").orderBy("name");
    return (await query.execute()).map((row) => row.name);
  }

  #statement(text: string): CompiledQuery {
    const words = Object.entries(WORDS[this.#database.kind]);
    return CompiledQuery.raw(
      words.reduce((statement, [word, type]) => statement.replaceAll(word, type), text),
    );
  }
}

/**
 * Names are `module/0001-what`. An applied one of the same module that this program does not know was
 * written by a newer program; those of other modules (a plugin that is gone) are nobody's business.
 */
function refuseNewer(migrations: readonly Migration[], applied: ReadonlySet<string>): void {
  const known = new Set(migrations.map((migration) => migration.name));
  const modules = new Set([...known].map(moduleOf));
  const newer = [...applied].filter((name) => !known.has(name) && modules.has(moduleOf(name)));
  if (newer.length > 0) throw newerData(newer);
}

function moduleOf(name: string): string {
  return name.split("/", 1)[0] ?? name;
}
