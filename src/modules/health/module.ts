import { defineModule } from "@/kernel/module.ts";
import type { Verdict } from "@/ports/checks.ts";
import type { Database } from "@/ports/database.ts";
import type { HostSample } from "@/ports/host.ts";
import type { Figure, Metrics } from "@/ports/metrics.ts";
import { Probing } from "./probing.ts";
import { HEALTH_ACCESS, healthRoutes } from "./routes.ts";
import { SECURITY_CONTACT_ACCESS, securityContactRoutes } from "./security-contact.ts";
import { Health } from "./service.ts";

declare module "@/kernel/module.ts" {
  interface Services {
    health: Health;
  }
}

const TICK_MS = 5_000;

/** Samples this host every 30 s, probes the nodes that have an endpoint, and says how the pool is. */
export const health = defineModule({
  name: "health",
  needs: [
    "clock",
    "random",
    "database",
    "http",
    "metrics",
    "checks",
    "host",
    "probes",
    "registry",
    "poot",
    "ledger",
    "payouts",
    "events",
  ],
  provides: "health",
  config: (t) =>
    t.Object({
      sample_seconds: t.Integer({
        default: 30,
        minimum: 5,
        maximum: 3600,
        duration: true,
        description: "How often this board is sampled.",
      }),
      probe_seconds: t.Integer({
        default: 120,
        minimum: 5,
        maximum: 3600,
        duration: true,
        description: "The average time between two probes of one node's endpoint.",
      }),
      probe_timeout_ms: t.Integer({
        default: 5000,
        minimum: 100,
        maximum: 60_000,
        description: "How long an endpoint may take to answer.",
      }),
      probes_at_once_max: t.Integer({
        default: 32,
        minimum: 1,
        maximum: 1000,
        description: "Probes under way at the same time.",
      }),
    }),
  start(
    {
      clock,
      random,
      database,
      http,
      metrics,
      checks,
      host,
      probes,
      registry,
      poot,
      ledger,
      payouts,
      events,
    },
    { config, defer, ready, log },
  ) {
    const service = new Health({ clock, host, checks, registry, poot, ledger, payouts });
    const probing = new Probing(registry, probes, {
      timeoutMs: config.probe_timeout_ms,
      everyMs: config.probe_seconds * 1000,
      atOnceMax: config.probes_at_once_max,
    });
    checks.add("schema", () => schemaVerdict(database));
    checks.add("database", () => databaseVerdict(database));
    hostMetrics(metrics, service);
    http.mount(healthRoutes(service, metrics), HEALTH_ACCESS);
    http.mount(securityContactRoutes(clock), SECURITY_CONTACT_ACCESS);
    for (const gone of ["node.left", "node.removed"] as const)
      events.on(gone, ({ node }) => probing.forget(node));
    ready(() => {
      service.sample();
      defer(clock.every(config.sample_seconds * 1000, () => service.sample()));
      const probe = (): void => {
        probing
          .tick(clock.now(), TICK_MS, () => random.fraction())
          .catch((error) => log.error({ err: error }, "probing failed"));
      };
      defer(clock.every(TICK_MS, probe));
    });
    return service;
  },
});

async function schemaVerdict(database: Database): Promise<Verdict> {
  const { applied, known } = await database.schema();
  const missing = known.filter((name) => !applied.includes(name));
  const ok = missing.length === 0;
  return {
    ok,
    detail: ok
      ? `${applied.length} migrations applied`
      : `not applied: ${missing.join(", ")}; restart the pool`,
  };
}

function databaseVerdict(database: Database): Verdict {
  const details = {
    writable: "writable",
    full: "the disk is full: the pool only reads until there is room again",
    failed: "the disk fails: look at the system log, replace the card, restore a backup",
  };
  const state = database.state();
  return { ok: state === "writable", detail: details[state] };
}

function hostMetrics(metrics: Metrics, health: Health): void {
  const gauge = (name: string, help: string, read: (sample: HostSample) => number | null): void => {
    metrics.gauge(name, help, [], () => figures(read(health.latest())));
  };
  gauge("galaxy_host_cpu_used_ratio", "Share of all cores in use.", (one) => one.cpuUsed);
  gauge("galaxy_host_load1", "Load average over one minute.", (one) => one.load1);
  gauge(
    "galaxy_host_memory_available_bytes",
    "Memory that programs could take.",
    (one) => one.memoryAvailableBytes,
  );
  gauge("galaxy_host_memory_total_bytes", "Memory of this board.", (one) => one.memoryTotalBytes);
  gauge("galaxy_host_disk_free_bytes", "Free bytes on the data disk.", (one) => one.diskFreeBytes);
  gauge("galaxy_host_disk_total_bytes", "Size of the data disk.", (one) => one.diskTotalBytes);
  gauge(
    "galaxy_host_temperature_celsius",
    "Temperature of the hottest zone.",
    (one) => one.temperatureCelsius,
  );
  gauge("galaxy_host_throttled", "Whether the board throttles itself now.", (one) =>
    one.throttled === null ? null : Number(one.throttled),
  );
  gauge(
    "galaxy_process_resident_bytes",
    "Resident memory of the pool.",
    (one) => one.residentBytes,
  );
  const total = (name: string, help: string, read: (sample: HostSample) => number | null): void => {
    metrics.total(name, help, [], () => figures(read(health.latest())));
  };
  total(
    "galaxy_process_written_bytes_total",
    "Bytes the pool caused to be written to disk.",
    (one) => one.writtenBytes,
  );
  total(
    "galaxy_host_network_received_bytes_total",
    "Bytes received by this board.",
    (one) => one.networkReceivedBytes,
  );
  total(
    "galaxy_host_network_sent_bytes_total",
    "Bytes sent by this board.",
    (one) => one.networkSentBytes,
  );
}

function figures(value: number | null): Figure[] {
  return value === null ? [] : [{ value }];
}
