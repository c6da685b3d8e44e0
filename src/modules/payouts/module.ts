import { defineModule, type ModuleContext } from "@/kernel/module.ts";
import type { Clock } from "@/ports/clock.ts";
import { Registry as RegistryService } from "@/proto/registry_pb.ts";
import { AssertionError } from "@/std/assert.ts";
import { addressAccess, addressRoutes } from "./address-routes.ts";
import { addCheck, showFigures } from "./figures.ts";
import { payoutAccess, payoutRoutes } from "./routes.ts";
import { payoutRpcs } from "./rpc.ts";
import { Payouts } from "./service.ts";
import { settingsOf } from "./settings.ts";
import { PAYOUT_MIGRATIONS } from "./table.ts";

declare module "@/kernel/module.ts" {
  interface Services {
    payouts: Payouts;
  }
}

const TICK_MS = 1_000;

/** Provides `payouts`: plans batches, sends them over a rail, settles. */
export const payouts = defineModule({
  name: "payouts",
  section: "payout",
  needs: [
    "database",
    "clock",
    "http",
    "grpc",
    "metrics",
    "checks",
    "events",
    "audit",
    "registry",
    "access",
    "poot",
    "ledger",
    "rail",
  ],
  provides: "payouts",
  config: (t) =>
    t.Object({
      threshold_usdt: t.Union([t.String({ maxLength: 20 }), t.Number({ minimum: 0 })], {
        default: "10.0",
        description: "A node is paid when at least this much is payable, in USDT.",
      }),
      interval_seconds: t.Integer({
        default: 3_600,
        minimum: 10,
        maximum: 31 * 86_400,
        duration: true,
        description: "How often payouts run, counted from midnight on the pool's clock (UTC).",
      }),
      rail: t.String({ default: "manual", description: "The way of paying." }),
      approval: t.String({
        default: "none",
        description: "Whether a second person has to approve plans: none; others are refused.",
      }),
      maturity_seconds: t.Integer({
        default: 0,
        minimum: 0,
        maximum: 366 * 86_400,
        duration: true,
        description: "How long what was earned waits before it is payable.",
      }),
      fee_permille: t.Integer({
        default: 0,
        minimum: 0,
        maximum: 1_000,
        description: "What the pool keeps of earnings, in thousandths; from the next interval on.",
      }),
      batch_payments_max: t.Integer({
        default: 100,
        minimum: 1,
        maximum: 1_000,
        description: "Payments one batch may hold; the longest due come first.",
      }),
    }),
  check: (config) => void settingsOf(config),
  async start(services, context) {
    const { database, clock, http, grpc, metrics, checks, ledger, poot } = services;
    const { config, log, ready } = context;
    await database.migrate(PAYOUT_MIGRATIONS);
    ledger.bookBy({ feePermille: config.fee_permille, maturitySeconds: config.maturity_seconds });
    const service = await Payouts.open({ ...services, log, terms: settingsOf(config) });
    http.mount(payoutRoutes({ ...services, payouts: service }), payoutAccess);
    http.mount(addressRoutes({ ...services, addresses: service.addresses }), addressAccess);
    grpc.serve(RegistryService, "node", payoutRpcs({ ...services, payouts: service }));
    showFigures(metrics, service, () => poot.poolTime().nowMs);
    addCheck(checks, service);
    ready(() => run(service, clock, context));
    return service;
  },
});

/** Pushes what was open, then runs as the schedule says. A fault is told, and tried again. */
async function run(
  service: Payouts,
  clock: Clock,
  { defer, log, fatal }: ModuleContext<unknown>,
): Promise<void> {
  await service.resume();
  let isRunning = false;
  const tick = async (): Promise<void> => {
    if (isRunning) return;
    isRunning = true;
    try {
      await service.processWhenDue();
    } catch (error) {
      if (error instanceof AssertionError) fatal(error);
      log.error({ err: error }, "the payout run failed; it is tried again in a minute");
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
