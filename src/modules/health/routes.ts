import { Elysia, t } from "elysia";
import type { HostSample } from "@/ports/host.ts";
import type { RouteAccess } from "@/ports/http.ts";
import type { Metrics } from "@/ports/metrics.ts";
import type { Health } from "./service.ts";

/** Who may look. */
export const HEALTH_ACCESS: readonly RouteAccess[] = [
  { method: "GET", path: "/health", access: "anyone", class: "probe" },
  { method: "GET", path: "/livez", access: "anyone", class: "probe" },
  { method: "GET", path: "/readyz", access: "anyone", class: "probe" },
  {
    method: "GET",
    path: "/metrics",
    access: ["admin", "operator", "auditor"],
    alsoAs: ["text/plain", "application/openmetrics-text"],
    openOnLoopback: true,
    reach: "installation",
    class: "admin",
  },
  {
    method: "GET",
    path: "/api/v1/host",
    access: ["admin", "operator"],
    reach: "installation",
  },
  {
    method: "GET",
    path: "/api/v1/host/history",
    access: ["admin", "operator"],
    reach: "installation",
  },
  {
    method: "GET",
    path: "/api/v1/status",
    access: ["admin", "operator", "auditor"],
    reach: "installation",
  },
];

const OPEN_METRICS = "application/openmetrics-text";
const NumberOrNull = t.Union([t.Number(), t.Null()]);
const TextOrNull = t.Union([t.String(), t.Null()]);
const BooleanOrNull = t.Union([t.Boolean(), t.Null()]);

const HealthAnswer = t.Object({
  status: t.String({ description: "healthy or unhealthy" }),
  service: t.String(),
  version: t.String(),
  checks: t.Record(
    t.String(),
    t.Object({ ok: t.Boolean(), detail: t.String(), warning: t.Optional(t.String()) }),
  ),
});

const SampleView = t.Object({
  at: t.String({ format: "date-time" }),
  cpu_used: NumberOrNull,
  load_1: NumberOrNull,
  memory_total_bytes: NumberOrNull,
  memory_available_bytes: NumberOrNull,
  disk_total_bytes: NumberOrNull,
  disk_free_bytes: NumberOrNull,
  temperature_celsius: NumberOrNull,
  throttled: BooleanOrNull,
  network_received_bytes: NumberOrNull,
  network_sent_bytes: NumberOrNull,
  written_bytes: NumberOrNull,
  resident_bytes: NumberOrNull,
});

const HostAnswer = t.Object({
  sample: SampleView,
  inventory: t.Object({
    model: TextOrNull,
    cpu: TextOrNull,
    cores: NumberOrNull,
    distribution: TextOrNull,
    kernel: TextOrNull,
    architecture: t.String(),
    has_clock_chip: BooleanOrNull,
  }),
  clock_synchronised: BooleanOrNull,
  written_bytes_per_day: NumberOrNull,
});

const Counts = t.Record(t.String(), t.Number());

const StatusAnswer = t.Object({
  version: t.String(),
  status: t.String(),
  up_seconds: t.Number(),
  pool_time: t.String({ format: "date-time" }),
  pools: t.Array(
    t.Object({
      pool_id: t.String(),
      name: t.String(),
      kind: t.String(),
      nodes: Counts,
      slots_today: Counts,
    }),
  ),
  money: t.Object({
    credited_today_micro_usdt: t.String(),
    owed_micro_usdt: t.String(),
    payable_micro_usdt: t.String(),
    pending_micro_usdt: t.String(),
    paid_micro_usdt: t.String(),
    next_payout_at: TextOrNull,
    open_batch: t.Union([t.Object({ batch_id: t.String(), sealed_at: t.String() }), t.Null()]),
  }),
  host: t.Object({
    written_bytes_per_day: NumberOrNull,
    temperature_celsius: NumberOrNull,
    disk_free_bytes: NumberOrNull,
  }),
  suspended: t.Array(
    t.Object({
      node_id: t.String(),
      pool_id: t.String(),
      name: t.String(),
      reason: TextOrNull,
      since: t.String({ format: "date-time" }),
      remove_at: TextOrNull,
    }),
    { description: "Suspended nodes, those removed next first; 20 at most." },
  ),
  warnings: t.Array(t.String()),
});

/** Probes, figures, and this board. */
export const healthRoutes = (health: Health, metrics: Metrics) =>
  new Elysia({ tags: ["health"] })
    .get("/health", async ({ status }) => answered(await health.view(), status), {
      response: { 200: HealthAnswer, 503: HealthAnswer },
      detail: { summary: "Whether the pool is well, and why not" },
    })
    .get("/readyz", async ({ status }) => answered(await health.view(), status), {
      response: { 200: HealthAnswer, 503: HealthAnswer },
      detail: { summary: "Whether the pool can do its work" },
    })
    .get("/livez", () => ({ status: "alive" }), {
      response: t.Object({ status: t.String() }),
      detail: { summary: "Whether the process answers" },
    })
    .get("/metrics", ({ request }) => scrape(metrics, request), {
      detail: { summary: "Figures for Prometheus; OpenMetrics when asked" },
    })
    .get("/api/v1/host", () => hostView(health), {
      response: HostAnswer,
      detail: { summary: "This board: processor, memory, disk, temperature, bytes written" },
    })
    .get("/api/v1/host/history", ({ query }) => historyView(health, query), {
      query: t.Object({
        from: t.Optional(t.String({ format: "date-time" })),
        to: t.Optional(t.String({ format: "date-time" })),
      }),
      response: t.Object({ items: t.Array(SampleView) }),
      detail: { summary: "Readings of this board, oldest first" },
    })
    .get("/api/v1/status", () => health.status(), {
      response: StatusAnswer,
      detail: { summary: "The whole installation on one screen" },
    });

type View = Awaited<ReturnType<Health["view"]>>;

function answered<T>(view: View, status: (code: 200 | 503, body: View) => T): T {
  return status(view.status === "healthy" ? 200 : 503, view);
}

async function scrape(metrics: Metrics, request: Request): Promise<Response> {
  const open = request.headers.get("accept")?.includes(OPEN_METRICS) ?? false;
  const { text, contentType } = await metrics.scrape(open);
  return new Response(text, { headers: { "content-type": contentType } });
}

async function hostView(health: Health) {
  const { hasClockChip, ...inventory } = await health.inventory();
  return {
    sample: sampleView(health.latest()),
    inventory: { ...inventory, has_clock_chip: hasClockChip },
    clock_synchronised: health.clockSynchronised(),
    written_bytes_per_day: health.history.writtenBytesPerDay(),
  };
}

function historyView(health: Health, query: { from?: string; to?: string }) {
  const from = query.from === undefined ? 0 : Date.parse(query.from);
  const to = query.to === undefined ? Number.POSITIVE_INFINITY : Date.parse(query.to);
  return { items: health.history.between(from, to).map(sampleView) };
}

function sampleView(sample: HostSample) {
  return {
    at: new Date(sample.atMs).toISOString(),
    cpu_used: sample.cpuUsed,
    load_1: sample.load1,
    memory_total_bytes: sample.memoryTotalBytes,
    memory_available_bytes: sample.memoryAvailableBytes,
    disk_total_bytes: sample.diskTotalBytes,
    disk_free_bytes: sample.diskFreeBytes,
    temperature_celsius: sample.temperatureCelsius,
    throttled: sample.throttled,
    network_received_bytes: sample.networkReceivedBytes,
    network_sent_bytes: sample.networkSentBytes,
    written_bytes: sample.writtenBytes,
    resident_bytes: sample.residentBytes,
  };
}
