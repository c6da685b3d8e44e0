import type { Checks } from "@/ports/checks.ts";
import type { Metrics } from "@/ports/metrics.ts";
import type { NightlyCheck } from "./nightly.ts";
import type { Ledger, Totals } from "./service.ts";

/** What the ledger shows to Prometheus; the same figures as everywhere else. */
export function showFigures(metrics: Metrics, ledger: Ledger, nightly: NightlyCheck): void {
  const gauge = (name: string, help: string, of: (totals: Totals) => bigint): void => {
    metrics.gauge(name, help, [], async () => [{ value: Number(of(await ledger.totals())) }]);
  };
  gauge("galaxy_owed_micro_usdt", "Everything unpaid, of all nodes.", (all) => all.owed);
  gauge("galaxy_accruing_micro_usdt", "Earned and not yet due.", (all) => all.accruing);
  gauge("galaxy_payable_micro_usdt", "May be paid now.", (all) => all.payable);
  gauge("galaxy_pending_micro_usdt", "In open batches.", (all) => all.pending);
  metrics.total("galaxy_paid_micro_usdt_total", "Paid, ever.", [], async () => [
    { value: Number((await ledger.totals()).paid) },
  ]);
  metrics.total("galaxy_credits_cu_total", "Work credited, in work units.", [], async () => [
    { value: Number(await ledger.creditedCu()) },
  ]);
  metrics.gauge("galaxy_ledger_violations", "What the nightly self-check found wrong.", [], () => {
    return nightly.found === undefined ? [] : [{ value: nightly.found.length }];
  });
}

/** Whether the books are right and up to date. */
export function addChecks(checks: Checks, ledger: Ledger, nightly: NightlyCheck): void {
  checks.add("ledger", () => {
    const [first] = nightly.found ?? [];
    if (first) {
      const detail = `the self-check found ${nightly.found?.length} fault(s), the first: ${first.message} (${first.subject}); stop paying and restore a backup`;
      return { ok: false, detail };
    }
    const { lastFault } = ledger;
    if (lastFault) return { ok: false, detail: `credits are not booked: ${lastFault}` };
    return { ok: true, detail: "the books are right" };
  });
}
