import type { Database } from "bun:sqlite";
import type { Write } from "@/ports/database.ts";
import { isRefusal } from "@/std/errors.ts";
import { parametersOf } from "../sql/parameters.ts";
import { checkFailed, conflict } from "../sql/refusals.ts";
import { faultOf, isOfOneCommit } from "./faults.ts";
import type { Statements } from "./statements.ts";

/** How one commit of a group ended: it is on disk, or why it is not. */
export type Outcome = { readonly done: true } | { readonly done: false; readonly error: unknown };

const DONE: Outcome = { done: true };

/** The transaction ended under us (RAISE(ROLLBACK), a deferred key at COMMIT): nobody is to blame yet. */
const BROKEN = Symbol("the group must be taken apart");

/** Runs commits on one connection, several in one transaction. */
export class Transactions {
  readonly #connection: Database;
  readonly #statements: Statements;
  #committed = 0;

  constructor(connection: Database, statements: Statements) {
    this.#connection = connection;
    this.#statements = statements;
  }

  /** How many transactions were committed, each with one fsync. */
  get committed(): number {
    return this.#committed;
  }

  /**
   * Commits a group with one fsync. Each has its own savepoint, so a refused one takes nothing from
   * the others. When the database as a whole fails, none of those that shared the fsync is done.
   */
  run(group: readonly (readonly Write[])[]): readonly Outcome[] {
    try {
      const outcomes = this.#together(group);
      if (outcomes !== BROKEN) return outcomes;
    } catch (error) {
      return group.map(() => ({ done: false, error }));
    }
    return group.length > 1 ? this.#oneByOne(group) : [{ done: false, error: dangling() }];
  }

  #oneByOne(group: readonly (readonly Write[])[]): readonly Outcome[] {
    const outcomes: Outcome[] = [];
    for (const writes of group) {
      const last = outcomes.at(-1);
      const isLost = last?.done === false && !isOfOneCommit(faultOf(last.error));
      outcomes.push(...(isLost ? [last] : this.run([writes])));
    }
    return outcomes;
  }

  #together(group: readonly (readonly Write[])[]): readonly Outcome[] | typeof BROKEN {
    this.#connection.run("BEGIN IMMEDIATE");
    try {
      const outcomes = this.#attemptAll(group);
      if (!this.#connection.inTransaction) return group.length === 1 ? outcomes : BROKEN;
      if (outcomes.some((outcome) => outcome.done)) this.#commit();
      return outcomes;
    } catch (error) {
      if (faultOf(error) === "check") return BROKEN;
      throw error;
    } finally {
      this.#rollBack();
    }
  }

  /** Stops where the transaction ends under us. */
  #attemptAll(group: readonly (readonly Write[])[]): readonly Outcome[] {
    const outcomes: Outcome[] = [];
    for (const writes of group) {
      outcomes.push(this.#attempt(writes));
      if (!this.#connection.inTransaction) break;
    }
    return outcomes;
  }

  /** Ends what is left of a transaction; a fault in here only repeats the one that is being told. */
  #rollBack(): void {
    try {
      if (this.#connection.inTransaction) this.#connection.run("ROLLBACK");
    } catch {}
  }

  #commit(): void {
    this.#connection.run("COMMIT");
    this.#committed++;
  }

  #attempt(writes: readonly Write[]): Outcome {
    this.#connection.run("SAVEPOINT one");
    try {
      for (const write of writes) this.#write(write);
      this.#connection.run("RELEASE one");
      return DONE;
    } catch (error) {
      if (!isRefusal(error) && !isOfOneCommit(faultOf(error))) throw error;
      if (this.#connection.inTransaction) this.#connection.run("ROLLBACK TO one; RELEASE one");
      return { done: false, error };
    }
  }

  #write(write: Write): void {
    let touched: number;
    try {
      touched = this.#touch(write);
    } catch (error) {
      throw refusalOf(error, write);
    }
    if (write.rows !== undefined && touched !== write.rows) throw write.refusal ?? conflict();
  }

  #touch({ query }: Write): number {
    const parameters = parametersOf(query.parameters);
    if (query.query.kind === "RawNode" && parameters.length === 0) {
      return this.#connection.run(query.sql).changes;
    }
    const statement = this.#statements.of(query.sql);
    if (statement.columnNames.length > 0) return statement.all(...parameters).length;
    return statement.run(...parameters).changes;
  }
}

function refusalOf(error: unknown, write: Write): unknown {
  const fault = faultOf(error);
  if (fault === "conflict") return write.refusal ?? conflict(error);
  if (fault === "check") return checkFailed((error as Error).message, error);
  return error;
}

function dangling(): unknown {
  return checkFailed("a key refers to nothing at the end of the change");
}
