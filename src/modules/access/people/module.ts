import { areaOf } from "@/core/scope.ts";
import { defineModule } from "@/kernel/module.ts";
import type { RouteAccess } from "@/ports/http.ts";
import { keyRoutes, keyRoutesAccess } from "./key-routes.ts";
import { People } from "./people.ts";
import { personRoutes, personRoutesAccess } from "./person-routes.ts";
import { sessionRoutes, sessionRoutesAccess } from "./session-routes.ts";
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
  needs: ["database", "clock", "random", "passwords", "tokens", "http", "audit", "authority"],
  provides: "people",
  config: (t) => {
    const count = (usual: number, description: string) =>
      t.Integer({ default: usual, minimum: 1, maximum: 10_000, description });
    const seconds = (usual: number, maximum: number, description: string) =>
      t.Integer({ default: usual, minimum: 1, maximum, duration: true, description });
    return t.Object({
      access_token_seconds: seconds(
        900,
        3_600,
        "How long an access token of a person or key lives.",
      ),
      refresh_token_seconds: seconds(43_200, 2_592_000, "How long a refresh token lives."),
      session_idle_seconds: seconds(1_800, 86_400, "Unused for so long a session ends."),
      session_seconds: seconds(43_200, 604_800, "A session ends after this in any case."),
      sessions_max: count(1_000, "How many sessions there may be; the one used longest ago ends."),
      sessions_of_one_max: count(10, "How many of them one person may have."),
      burst_failures: count(
        5,
        "Failed sign-ins from one address within burst_seconds that block it.",
      ),
      burst_seconds: seconds(30, 3_600, "Within which time these failures count."),
      burst_block_seconds: seconds(600, 86_400, "How long an address is blocked after them."),
      day_failures: count(100, "Failed sign-ins from one address within a day that block it."),
      day_block_seconds: seconds(86_400, 604_800, "How long an address is blocked after them."),
      user_failures: count(10, "Failures in a row of one user from one address that block both."),
      user_block_seconds: seconds(3_600, 86_400, "How long that user is blocked from there alone."),
      addresses_max: t.Integer({
        default: 10_000,
        minimum: 100,
        maximum: 1_000_000,
        description: "How many addresses that failed are remembered; the oldest are forgotten.",
      }),
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
    });
  },
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
        accessMs: config.access_token_seconds * 1000,
        refreshMs: config.refresh_token_seconds * 1000,
        session: {
          idleMs: config.session_idle_seconds * 1000,
          lifeMs: config.session_seconds * 1000,
          sessionsMax: config.sessions_max,
          sessionsOfOneMax: config.sessions_of_one_max,
        },
        login: {
          burst: {
            failuresMax: config.burst_failures,
            windowMs: config.burst_seconds * 1000,
            blockMs: config.burst_block_seconds * 1000,
          },
          day: {
            failuresMax: config.day_failures,
            windowMs: 24 * HOUR_MS,
            blockMs: config.day_block_seconds * 1000,
          },
          inRow: {
            failuresMax: config.user_failures,
            blockMs: config.user_block_seconds * 1000,
          },
          addressesMax: config.addresses_max,
        },
      },
      areas: () => closedAreas(http.permissions()),
    });
    await service.load();
    http.mount(personRoutes(service, http), personRoutesAccess);
    http.mount(keyRoutes(service, http), keyRoutesAccess);
    http.mount(sessionRoutes(service, http), sessionRoutesAccess);
    const flush = () =>
      service.keys
        .flush()
        .catch((err) => log.warn({ err }, "when API keys were last used is not written"));
    defer(clock.every(FLUSHED_EVERY_MS, () => void flush()));
    defer(flush);
    return service;
  },
});

/** The areas of routes that are not open to anyone: there scopes say something. */
function closedAreas(rows: readonly RouteAccess[]): ReadonlySet<string> {
  const closed = rows.filter(({ access }) => access !== "anyone");
  return new Set(closed.map(({ path }) => areaOf(path)));
}
