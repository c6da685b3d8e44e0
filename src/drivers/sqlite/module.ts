import { resolve } from "node:path";
import { defineModule } from "@/kernel/module.ts";
import { databaseSettings } from "../sql/settings.ts";
import { openSqlite } from "./database.ts";
import { IN_MEMORY } from "./open.ts";

/** Provides the database as one file in the data folder. */
export const sqlite = defineModule({
  name: "sqlite",
  needs: ["clock", "files"],
  provides: "database",
  section: "database",
  config: databaseSettings,
  start({ clock, files }, { config, log, defer, fatal }) {
    const database = openSqlite({
      path: pathOf(config.url, files.root),
      clock,
      onFailed: fatal,
      onState: (state) => log.warn({ state }, "the database changed its state"),
    });
    database.limitCache(config.cache_bytes);
    defer(() => database.close());
    return database;
  },
});

/** `sqlite:pool.db` lies in the data folder, `sqlite:/elsewhere/pool.db` where it says. */
function pathOf(url: string, folder: string): string {
  const path = url.replace(/^sqlite:(\/\/(?=\/))?/, "");
  return path === IN_MEMORY ? path : resolve(folder, path);
}
