import type { Type } from "@sinclair/typebox";
import type { Database } from "@/ports/database.ts";

declare module "@/kernel/module.ts" {
  interface Services {
    database: Database;
  }
}

/** The configuration section `database`; which driver reads it is decided by the URL. */
export const databaseSettings = (t: typeof Type) =>
  t.Object({
    url: t.String({
      default: "sqlite:pool.db",
      pattern: "^(sqlite:.|postgres(ql)?://.)",
      secret: true,
      description:
        "Where the data lives: `sqlite:` and a file in the data folder, or " +
        "`postgres://user:password@host/database`.",
    }),
    cache_bytes: t.Integer({
      default: 2_097_152,
      minimum: 65_536,
      maximum: 1_073_741_824,
      description:
        "Memory SQLite may take for pages it has read; PostgreSQL has settings of its own.",
    }),
  });

/** Whether a database URL asks for PostgreSQL. */
export function isPostgresUrl(url: string): boolean {
  return /^postgres(ql)?:\/\//.test(url);
}
