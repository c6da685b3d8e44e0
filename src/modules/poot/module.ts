import { slotsPerInterval } from "@/core/poot/slot.ts";
import type { Events } from "@/kernel/events.ts";
import { defineModule, type ModuleContext } from "@/kernel/module.ts";
import type { Checks } from "@/ports/checks.ts";
import type { Clock } from "@/ports/clock.ts";
import { Registry as RegistryService } from "@/proto/registry_pb.ts";
import { pootAccess, pootRoutes } from "./routes.ts";
import { pootRpcs } from "./rpc.ts";
import { Poot } from "./service.ts";
import { POOT_MIGRATIONS } from "./table.ts";

declare module "@/kernel/module.ts" {
  interface Services {
    poot: Poot;
  }
}

/** The clock is asked so often within a slot; fewer readings would be taken for a stall. */
const READINGS_PER_SLOT = 20;
/** One interval may just be at it. */
const BEHIND_MIN = 2;
const PRUNE_EVERY_MS = 6 * 3_600_000;

/** Provides `poot`: takes heartbeats, keeps presence, closes intervals into credits. */
export const poot = defineModule({
  name: "poot",
  needs: [
    "database",
    "clock",
    "http",
    "grpc",
    "metrics",
    "checks",
    "events",
    "audit",
    "authority",
    "registry",
    "access",
  ],
  provides: "poot",
  config: (t) =>
    t.Object({
      interval_seconds: t.Integer({
        default: 300,
        minimum: 5,
        maximum: 3_600,
        duration: true,
        description: "How often heartbeats become credits; fixed when the pool first starts.",
      }),
      slot_seconds: t.Integer({
        default: 30,
        minimum: 1,
        maximum: 300,
        duration: true,
        description:
          "The smallest time that is counted, 5 to 300 s and a divisor of the interval; fixed when the pool first starts.",
      }),
      demo: t.Boolean({
        default: false,
        hidden: true,
        description: "For the demo: allows slots of one second.",
      }),
    }),
  async start(services, context) {
    const { database, clock, http, grpc, checks, events, registry, access, authority } = services;
    const { interval_seconds, slot_seconds, demo } = context.config;
    const perInterval = slotsPerInterval(interval_seconds, slot_seconds, demo ? 1 : 5);
    registry.requireSlotSeconds(slot_seconds);
    await database.migrate(POOT_MIGRATIONS);
    const service = await Poot.open({
      ...services,
      log: context.log,
      settings: { slotSeconds: slot_seconds, slotsPerInterval: perInterval },
    });
    registry.countSlotsWith(() => service.poolTime().slot);
    access.keepTimeWith(() => service.poolTime());
    authority.trustClockWhen(() => service.poolTime().trusted);
    http.mount(pootRoutes(service, registry, http), pootAccess);
    grpc.serve(RegistryService, "node", pootRpcs(service));
    follow(service, events, context);
    addChecks(service, checks);
    context.ready(() => run(service, clock, { slotSeconds: slot_seconds, context }));
    return service;
  },
});

/** The registry tells who comes and goes. */
function follow(service: Poot, events: Events, { defer, log }: ModuleContext<unknown>): void {
  const undos = [
    events.on("node.joined", ({ node, pool }) => service.noteJoined(pool, node)),
    events.on("node.moved", ({ node, pool, from }) => {
      service.noteLeft(from, node);
      service.noteJoined(pool, node);
    }),
    events.on("node.left", ({ node, pool }) => service.noteLeft(pool, node)),
    events.on("node.removed", ({ node, pool }) => service.noteLeft(pool, node)),
    events.on("node.suspended", ({ node, pool }) => service.noteSuspended(pool, node)),
    events.on("pool.created", ({ pool }) => {
      service.addPool(pool).catch((err: unknown) => log.error({ err, pool }, "pool not read"));
    }),
    events.on("pool.deleted", ({ pool }) => service.dropPool(pool)),
  ];
  for (const undo of undos) defer(() => void undo());
}

function addChecks(service: Poot, checks: Checks): void {
  checks.add("clock", () => {
    const { trusted, waitReason } = service.poolTime();
    return { ok: trusted, detail: waitReason ?? "the pool's time is believed" };
  });
  checks.add("intervals", () => {
    const behind = service.intervalsBehind();
    if (behind < BEHIND_MIN) return { ok: true, detail: "intervals are closed as they end" };
    return { ok: false, detail: `${behind} intervals could not be closed; see the database` };
  });
}

/** The schedule: the clock often, closes when an interval has ended, and what is complete at the stop. */
function run(
  service: Poot,
  clock: Clock,
  terms: { readonly slotSeconds: number; readonly context: ModuleContext<unknown> },
): void {
  const { defer, fatal } = terms.context;
  const everyMs = (terms.slotSeconds * 1000) / READINGS_PER_SLOT;
  const endTicks = clock.every(everyMs, () => {
    if (service.tick()) service.closeDue().catch(fatal);
  });
  const endPrunes = clock.every(PRUNE_EVERY_MS, () => void service.prune().catch(fatal));
  defer(async () => {
    endTicks();
    endPrunes();
    await service.flush();
  });
}
