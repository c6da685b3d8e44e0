import { defineModule } from "@/kernel/module.ts";
import { PoolError } from "@/std/errors.ts";
import { databaseSettings } from "../sql/settings.ts";
import { openPostgres } from "./database.ts";

/** Provides the database as a schema of a PostgreSQL server. */
export const postgres = defineModule({
  name: "postgres",
  needs: ["clock"],
  provides: "database",
  section: "database",
  config: databaseSettings,
  check({ url }) {
    if (!URL.canParse(url)) throw urlRefused();
  },
  async start({ clock }, { config, log, defer, fatal }) {
    const database = await openPostgres({
      url: config.url,
      clock,
      onFailed: fatal,
      onState: (state) => log.warn({ state }, "the database changed its state"),
    });
    defer(() => database.close());
    return database;
  },
});

/** Without the address: a password may stand in it. */
function urlRefused(): PoolError {
  return new PoolError(
    "invalid",
    "config.invalid",
    "database.url is no address; write postgres://user:password@host:port/database, with any " +
      "special letter of the password as %-code.",
  );
}
