import { POOL_NODES_MAX } from "@/core/pool.ts";
import { defineModule } from "@/kernel/module.ts";
import type { Metrics } from "@/ports/metrics.ts";
import { Registry as RegistryService } from "@/proto/registry_pb.ts";
import { poolAccess, poolRoutes } from "./pool-routes.ts";
import { nodeAccess, nodeRoutes } from "./routes.ts";
import { lookRpcs, memberRpcs } from "./rpc.ts";
import { Registry } from "./service.ts";
import { requireSameInterval, settingsOf } from "./settings.ts";
import { REGISTRY_MIGRATIONS } from "./table.ts";

declare module "@/kernel/module.ts" {
  interface Services {
    registry: Registry;
  }
}

/** How often it is looked who is to be removed or forgotten. */
const TEND_EVERY_MS = 5_000;

/** Provides `registry`: who belongs to which pool. */
export const registry = defineModule({
  name: "registry",
  needs: ["database", "clock", "random", "http", "grpc", "metrics", "events", "audit", "authority"],
  provides: "registry",
  config: (t) =>
    t.Object({
      max_nodes: t.Integer({
        default: 100,
        minimum: 1,
        maximum: POOL_NODES_MAX,
        live: true,
        description: "Nodes one pool may hold, unless the pool has a limit of its own.",
      }),
      auto_deregister_after: t.Integer({
        default: 3,
        minimum: 2,
        maximum: 1_000,
        description: "A node that missed this many slots in a row is lost: no work is sent to it.",
      }),
      health_check_interval: t.Optional(
        t.Integer({
          minimum: 1,
          maximum: 300,
          duration: true,
          description: "Another word for poot.slot_seconds; a different value is refused.",
        }),
      ),
      allow_public_registration: t.Boolean({
        default: false,
        live: true,
        description:
          "Pools that do not say so themselves are public: anybody may enrol a node by an API key or a proof of work. Pools with an organization, of kind enterprise or with allowed_orgs of their own stay private.",
      }),
      allowed_orgs: t.Optional(
        t.Array(t.String({ minLength: 1, maxLength: 64 }), {
          maxItems: 1_000,
          live: true,
          description:
            "Organizations private pools admit and show themselves to, unless a pool has its own list; an empty list admits nobody, none at all admits any that has a token.",
        }),
      ),
      suspension_grace: t.Integer({
        default: 7 * 86_400,
        minimum: 0,
        maximum: 366 * 86_400,
        duration: true,
        live: true,
        description:
          "How long a suspended node stays before the pool removes it, unless its suspension says otherwise; 0 for ever.",
      }),
      max_pending: t.Integer({
        default: 20,
        minimum: 1,
        maximum: 1_000,
        live: true,
        description: "New nodes that may wait at the same time to be admitted to one public pool.",
      }),
      max_pending_per_network: t.Integer({
        default: 4,
        minimum: 1,
        maximum: 1_000,
        live: true,
        description: "Of them, those from one address (IPv6: one /64).",
      }),
      pending_time: t.Integer({
        default: 3_600,
        minimum: 60,
        maximum: 86_400,
        duration: true,
        live: true,
        description:
          "A new node of a public pool that was not heard in three slots within this time is forgotten.",
      }),
    }),
  check(config, value) {
    requireSameInterval(settingsOf(config).healthCheckSeconds, Number(value("poot.slot_seconds")));
  },
  async start(services, { config, reloaded, ready, defer, fatal }) {
    const { database, clock, http, grpc, metrics } = services;
    await database.migrate(REGISTRY_MIGRATIONS);
    const service = await Registry.open({ ...services, settings: settingsOf(config) });
    http.guardWith((caller, named) => service.requireReach(caller, named));
    grpc.guardWith((caller, named) => service.requireReach(caller, named));
    http.mount(nodeRoutes(service, http), nodeAccess);
    http.mount(poolRoutes(service, http), poolAccess);
    grpc.serve(RegistryService, "node", memberRpcs(service));
    grpc.serve(RegistryService, "node", lookRpcs(service), "read");
    showFigures(service, metrics);
    reloaded((next) => service.apply(settingsOf(next)));
    ready(() => defer(clock.every(TEND_EVERY_MS, () => void service.tend().catch(fatal))));
    return service;
  },
});

function showFigures(service: Registry, metrics: Metrics): void {
  metrics.gauge("galaxy_pools", "Pools of this installation.", [], () => [
    { value: service.listPools().length },
  ]);
  metrics.gauge("galaxy_nodes", "Nodes by state and pool.", ["state", "pool"], () =>
    service.census().map(({ pool, state, nodes }) => ({ value: nodes, labels: { pool, state } })),
  );
}
