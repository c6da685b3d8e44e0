import {
  type CompiledQuery,
  type DatabaseConnection,
  type Driver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
} from "kysely";
import type { Tables } from "@/ports/database.ts";
import { assert } from "@/std/assert.ts";

/** Runs one compiled read. */
export type Read = (query: CompiledQuery) => Promise<readonly unknown[]>;

/**
 * The one way of building queries, for both databases: SQLite understands the SQL that is built for
 * PostgreSQL. Only reads execute; writes are compiled into a commit.
 */
export function queryBuilder(read: Read): Kysely<Tables> {
  return new Kysely<Tables>({
    dialect: {
      createAdapter: () => new PostgresAdapter(),
      createIntrospector: (kysely) => new PostgresIntrospector(kysely),
      createQueryCompiler: () => new PostgresQueryCompiler(),
      createDriver: () => readingDriver(read),
    },
  });
}

function readingDriver(read: Read): Driver {
  const connection: DatabaseConnection = {
    executeQuery: async <Row>(query: CompiledQuery): Promise<QueryResult<Row>> => {
      const { kind } = query.query;
      assert(kind === "SelectQueryNode" || kind === "RawNode", "a write must go through commit");
      return { rows: [...(await read(query))] as Row[] };
    },
    // biome-ignore lint/correctness/useYield: streaming is not offered, reads are paged.
    streamQuery: async function* () {
      assert(false, "reads are paged, not streamed");
    },
  };
  const refuse = () => Promise.reject(new Error("there are no interactive transactions"));
  return {
    init: async () => {},
    acquireConnection: async () => connection,
    beginTransaction: refuse,
    commitTransaction: refuse,
    rollbackTransaction: refuse,
    releaseConnection: async () => {},
    destroy: async () => {},
  };
}
