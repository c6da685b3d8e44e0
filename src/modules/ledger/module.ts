import { WEIGHT_MAX } from "@/core/tariff.ts";
import { defineModule, type ModuleContext } from "@/kernel/module.ts";
import type { Clock } from "@/ports/clock.ts";
import { addChecks, showFigures } from "./figures.ts";
import { NightlyCheck } from "./nightly.ts";
import { ledgerAccess, ledgerRoutes } from "./routes.ts";
import { Ledger } from "./service.ts";
import { tariffTermsOf } from "./settings.ts";
import { LEDGER_MIGRATIONS } from "./table.ts";

declare module "@/kernel/module.ts" {
  interface Services {
    ledger: Ledger;
  }
}

const TICK_MS = 5_000;

/** Provides `ledger`: books credits and money, and says what is owed. */
export const ledger = defineModule({
  name: "ledger",
  section: "poot",
  needs: [
    "database",
    "clock",
    "http",
    "metrics",
    "checks",
    "events",
    "audit",
    "authority",
    "registry",
    "poot",
  ],
  provides: "ledger",
  config: (t) =>
    t.Object({
      tariff: t.Object({
        usdt_per_hour: t.Union([t.String({ maxLength: 20 }), t.Number({ minimum: 0 })], {
          default: "0.01",
          live: true,
          description: "What an operational hour at weight and health 1000 is worth, in USDT.",
        }),
        weights: t.Record(
          t.String({ pattern: "^[a-z][a-z0-9-]{0,31}$" }),
          t.Integer({ minimum: 0, maximum: WEIGHT_MAX }),
          {
            default: {},
            live: true,
            description:
              "What specializations weigh, in thousandths; one that is not named weighs 1000.",
          },
        ),
        daily_budget_usdt: t.Union([t.String({ maxLength: 20 }), t.Number({ minimum: 0 })], {
          default: "off",
          live: true,
          description:
            "What the nodes of a pool may earn together in a UTC day, in USDT; credits then become money when the day closes. `off` for no limit.",
        }),
      }),
    }),
  check: ({ tariff }) => void tariffTermsOf(tariff),
  async start(services, context) {
    const { database, clock, http, metrics, checks, events, registry, poot, audit } = services;
    const { config, log, reloaded, ready, defer } = context;
    await database.migrate(LEDGER_MIGRATIONS);
    const service = await Ledger.open({ ...services, log }, tariffTermsOf(config.tariff));
    const nightly = new NightlyCheck(() => service.check(), log);
    poot.weighWith((name) => service.weightOf(name, poot.poolTime().slotsPerInterval));
    poot.compareWith((...asked) => service.compare(...asked));
    registry.weighWith((name) => service.weightOf(name));
    registry.beforePoolDelete((pool) => service.requireNothingOwed(pool));
    http.mount(
      ledgerRoutes({
        ledger: service,
        registry,
        http,
        checkpoint: () => audit.signedLog?.newestNote(),
        now: () => poot.poolTime(),
      }),
      ledgerAccess,
    );
    showFigures(metrics, service, nightly);
    addChecks(checks, service, nightly);
    reloaded((next) => {
      service.configure(tariffTermsOf(next.tariff)).catch((err: unknown) => {
        log.error({ err }, "the tariff was not changed");
      });
    });
    const unlisten = events.on("interval.closed", () => {
      service.lookAhead().catch((err: unknown) => log.warn({ err }, "credits were not read"));
    });
    defer(() => void unlisten());
    ready(() => run({ service, nightly, clock, now: () => poot.poolTime().nowMs }, context));
    return service;
  },
});

interface Scheduled {
  readonly service: Ledger;
  readonly nightly: NightlyCheck;
  readonly clock: Clock;
  readonly now: () => number;
}

/** Books when an hour begins, and checks all books when a day does. */
async function run(
  { service, nightly, clock, now }: Scheduled,
  { defer, fatal }: ModuleContext<unknown>,
): Promise<void> {
  await service.settleTariff();
  let isRunning = false;
  const tick = async (): Promise<void> => {
    if (isRunning) return;
    isRunning = true;
    try {
      await service.bookWhenDue();
      await nightly.runWhenDue(now());
    } catch (fault) {
      fatal(fault);
    } finally {
      isRunning = false;
    }
  };
  const end = clock.every(TICK_MS, () => void tick());
  defer(async () => {
    end();
    await service.idle();
  });
}
