import type { NodeId } from "@/core/ids.ts";
import { slotsPerInterval } from "@/core/poot/slot.ts";
import { defineModule } from "@/kernel/module.ts";
import type { Checks } from "@/ports/checks.ts";
import type { TellRefused } from "@/ports/refusal.ts";
import { Registry as RegistryService } from "@/proto/registry_pb.ts";
import { followRegistry } from "./following.ts";
import { pootAccess, pootRoutes } from "./routes.ts";
import { pootRpcs } from "./rpc.ts";
import { Poot } from "./service.ts";
import { POOT_MIGRATIONS } from "./table.ts";
import { runPoot } from "./timers.ts";

declare module "@/kernel/module.ts" {
  interface Services {
    poot: Poot;
  }
}

/** One interval may just be at it. */
const BEHIND_MIN = 2;

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
  check({ interval_seconds, slot_seconds, demo }) {
    slotsPerInterval(interval_seconds, slot_seconds, demo ? 1 : 5);
  },
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
    registry.countSlotsWith(
      () => service.poolTime().slot,
      () => service.poolTime(),
    );
    access.keepTimeWith(() => service.poolTime());
    authority.trustClockWhen(() => service.poolTime().trusted);
    http.mount(pootRoutes(service, registry, http), pootAccess);
    const tellRefused: TellRefused = (refused) => events.tell("request.refused", refused);
    const hasNewsFor = (node: NodeId) => authority.hasNewsFor(node);
    const { audit } = services;
    const rpcs = pootRpcs(service, tellRefused, { hasNewsFor, audit });
    grpc.serve(RegistryService, "node", rpcs, "heartbeat");
    context.defer(followRegistry(service, events, context.log));
    addChecks(service, checks);
    context.ready(() => {
      const stop = runPoot(service, clock, context.fatal);
      context.defer(stop);
    });
    return service;
  },
});

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
