import { defineModule } from "@/kernel/module.ts";
import { databaseSettings } from "../sql/settings.ts";
import { openPostgres } from "./database.ts";

/** Provides the database as a schema of a PostgreSQL server. */
export const postgres = defineModule({
  name: "postgres",
  needs: ["clock"],
  provides: "database",
  section: "database",
  config: databaseSettings,
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
