import type { TObject } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import pino from "pino";
import { TestClock } from "#test/support/clock.ts";
import type { AnomalyRule } from "@/core/anomaly/rules.ts";
import { createMetrics } from "@/drivers/metrics.ts";
import { Events } from "@/kernel/events.ts";
import { anomalies as anomaliesModule } from "@/modules/anomalies/module.ts";
import { RefusalLog } from "@/modules/anomalies/refusal-log.ts";
import { Anomalies } from "@/modules/anomalies/service.ts";
import { type AnomalySettings, watchTermsOf } from "@/modules/anomalies/settings.ts";
import { ANOMALY_MIGRATIONS } from "@/modules/anomalies/table.ts";
import { watch } from "@/modules/anomalies/watching.ts";
import { Audit } from "@/modules/audit/service.ts";
import { AUDIT_MIGRATIONS } from "@/modules/audit/table.ts";
import type { Database } from "@/ports/database.ts";

/** What the module is configured with when nobody says otherwise. */
function anomalyPresets(): AnomalySettings {
  return Value.Default(anomaliesModule.schema as TObject, {}) as AnomalySettings;
}

/** What a test may choose. */
interface WatchdogTerms {
  readonly clock?: TestClock;
  readonly events?: Events;
  readonly config?: Partial<AnomalySettings>;
  readonly isSynchronised?: () => boolean | null;
}

/** The watchdog with its real parts on a database; time is the test's. */
export async function watchdogOn(database: Database, terms: WatchdogTerms = {}) {
  const { clock = new TestClock(), isSynchronised = () => true } = terms;
  const lines: string[] = [];
  const log = pino({ level: "warn" }, { write: (line: string) => void lines.push(line) });
  const events = terms.events ?? new Events(log);
  const config = { ...anomalyPresets(), ...terms.config };
  await database.migrate([...AUDIT_MIGRATIONS, ...ANOMALY_MIGRATIONS]);
  const audit = new Audit(database, clock);
  const metrics = createMetrics();
  const raised = metrics.counter("galaxy_anomalies_total", "Anomalies.", ["rule"]);
  const anomalies = await Anomalies.open({
    database,
    clock,
    audit,
    events,
    log,
    count: (rule: AnomalyRule) => raised({ rule }),
    terms: watchTermsOf(config),
    keptMax: config.kept_max,
  });
  const rowsMax = config.refusal_rows_per_minute;
  const refusals = new RefusalLog({ database, audit, log, rowsMax });
  const stop = watch({
    anomalies,
    refusals,
    events,
    clock,
    host: { isClockSynchronised: isSynchronised },
    clockStepMs: config.clock_step_seconds * 1000,
    nodeSkewMs: config.node_skew_seconds * 1000,
    onFatal: (fault) => {
      throw fault;
    },
  });
  /** What stands in the audit, as action, actor, subject and detail. */
  const audited = async (action: string) => {
    const query = database.sql.selectFrom("audit").selectAll().where("action", "=", action);
    return (await query.orderBy("id").execute()).map(({ actor, subject, detail }) => ({
      actor,
      subject,
      detail: JSON.parse(detail) as Record<string, unknown>,
    }));
  };
  const open = async () => {
    await anomalies.flush();
    const found = await anomalies.list({ limit: 500, after: undefined }, "open");
    return found.map(({ rule, subject, count }) => [rule, subject, count] as const);
  };
  return { anomalies, refusals, events, clock, database, metrics, lines, stop, audited, open };
}
