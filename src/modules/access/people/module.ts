import { areaOf } from "@/core/scope.ts";
import { defineModule } from "@/kernel/module.ts";
import { keyRoutes, keyRoutesAccess } from "./key-routes.ts";
import { People } from "./people.ts";
import { personRoutes, personRoutesAccess } from "./person-routes.ts";
import { PEOPLE_MIGRATIONS } from "./table.ts";

declare module "@/kernel/module.ts" {
  interface Services {
    people: People;
  }
}

const HOUR_MS = 3_600_000;
const FLUSHED_EVERY_MS = HOUR_MS / 6;

/** People and API keys. */
export const people = defineModule({
  name: "people",
  needs: ["database", "clock", "random", "passwords", "http", "audit"],
  provides: "people",
  config: (t) =>
    t.Object({
      users_max: t.Integer({
        default: 1_000,
        minimum: 1,
        maximum: 100_000,
        description: "How many people there may be.",
      }),
      keys_max: t.Integer({
        default: 2_000,
        minimum: 1,
        maximum: 100_000,
        description: "How many API keys are kept, dead ones of the last 30 days among them.",
      }),
      hashes_at_once: t.Integer({
        default: 2,
        minimum: 1,
        maximum: 16,
        description: "How many passwords are hashed at a time; each takes passwords.memory_kib.",
      }),
      hashes_waiting_max: t.Integer({
        default: 64,
        minimum: 1,
        maximum: 10_000,
        description: "How many passwords may wait to be hashed; more are refused (access.busy).",
      }),
      one_time_password_hours: t.Integer({
        default: 72,
        minimum: 1,
        maximum: 720,
        description: "How long a password made for somebody may be used to choose an own one.",
      }),
    }),
  async start(services, { config, log, defer }) {
    const { database, clock, http } = services;
    await database.migrate(PEOPLE_MIGRATIONS);
    const service = new People({
      ...services,
      terms: {
        personsMax: config.users_max,
        keysMax: config.keys_max,
        hashesAtOnce: config.hashes_at_once,
        hashesWaitingMax: config.hashes_waiting_max,
        oneTimeMs: config.one_time_password_hours * HOUR_MS,
      },
      areas: () => new Set(http.permissions().map(({ path }) => areaOf(path))),
    });
    await service.load();
    http.mount(personRoutes(service, http), personRoutesAccess);
    http.mount(keyRoutes(service, http), keyRoutesAccess);
    const flush = () =>
      service.keys
        .flush()
        .catch((err) => log.warn({ err }, "when API keys were last used is not written"));
    defer(clock.every(FLUSHED_EVERY_MS, () => void flush()));
    defer(flush);
    return service;
  },
});
