import type { Database, SQLQueryBindings, Statement } from "bun:sqlite";

type Prepared = Statement<unknown, SQLQueryBindings[]>;

/** Statements stay prepared as long as they are among the most recently used. */
export class Statements {
  readonly #connection: Database;
  readonly #max: number;
  readonly #prepared = new Map<string, Prepared>();

  constructor(connection: Database, max: number) {
    this.#connection = connection;
    this.#max = max;
  }

  get size(): number {
    return this.#prepared.size;
  }

  /** The prepared statement of a text that holds one statement. */
  of(sql: string): Prepared {
    const known = this.#prepared.get(sql);
    if (known) this.#prepared.delete(sql);
    const statement = known ?? this.#connection.prepare<unknown, SQLQueryBindings[]>(sql);
    this.#prepared.set(sql, statement);
    if (this.#prepared.size > this.#max) this.#forgetOldest();
    return statement;
  }

  /** Lets go of all of them. */
  clear(): void {
    for (const statement of this.#prepared.values()) statement.finalize();
    this.#prepared.clear();
  }

  #forgetOldest(): void {
    for (const [sql, statement] of this.#prepared) {
      this.#prepared.delete(sql);
      statement.finalize();
      return;
    }
  }
}
