import type { Checks } from "@/ports/checks.ts";
import type { Metrics } from "@/ports/metrics.ts";
import type { Payouts } from "./service.ts";

const STATES = ["sealed", "settled", "failed", "cancelled"];
/** A run may take a while, and is tried again each minute. */
const OVERDUE_MS_MAX = 5 * 60_000;

/** What payouts show to Prometheus. */
export function showFigures(metrics: Metrics, payouts: Payouts, now: () => number): void {
  metrics.gauge("galaxy_payout_batches", "Batches by state.", ["state"], async () => {
    const counts = await payouts.counts();
    return STATES.map((state) => ({ value: counts.get(state) ?? 0, labels: { state } }));
  });
  metrics.gauge(
    "galaxy_payout_open_batch_age_seconds",
    "How long the oldest open batch waits to be settled; 0 without one.",
    [],
    () => {
      const open = payouts.openBatch();
      return [{ value: open ? Math.max(0, (now() - open.sealedAtMs) / 1000) : 0 }];
    },
  );
}

/** Whether the scheduler is alive and its last run went well. */
export function addCheck(checks: Checks, payouts: Payouts): void {
  checks.add("payouts", () => {
    const nextMs = payouts.nextRunAtMs();
    if (nextMs === null) return { ok: true, detail: "payouts wait for the pool's clock" };
    if (payouts.overdueMs() > OVERDUE_MS_MAX) {
      return { ok: false, detail: `payouts are overdue: ${payouts.lastFault ?? "see the log"}` };
    }
    const next = `the next run is at ${new Date(nextMs).toISOString()}`;
    if (payouts.lastFault) return { ok: false, detail: `${payouts.lastFault}; ${next}` };
    return { ok: true, detail: next };
  });
}
