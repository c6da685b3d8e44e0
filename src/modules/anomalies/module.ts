import { RULES } from "@/core/anomaly/rules.ts";
import { defineModule } from "@/kernel/module.ts";
import { RefusalLog } from "./refusal-log.ts";
import { anomalyAccess, anomalyRoutes } from "./routes.ts";
import { Anomalies } from "./service.ts";
import { watchTermsOf } from "./settings.ts";
import { ANOMALY_MIGRATIONS } from "./table.ts";
import { watch } from "./watching.ts";

declare module "@/kernel/module.ts" {
  interface Services {
    anomalies: Anomalies;
  }
}

/** Provides `anomalies`: rules over refusals, addresses and clocks that warn the operator. */
export const anomalies = defineModule({
  name: "anomalies",
  needs: ["database", "clock", "host", "http", "metrics", "events", "audit", "health"],
  provides: "anomalies",
  config: (t) => {
    const count = (preset: number, description: string) =>
      t.Integer({ default: preset, minimum: 1, maximum: 1_000, description });
    return t.Object({
      window_seconds: t.Integer({
        default: 600,
        minimum: 10,
        maximum: 86_400,
        duration: true,
        description: "The time within which failures and denials make a burst.",
      }),
      long_window_seconds: t.Integer({
        default: 3_600,
        minimum: 10,
        maximum: 604_800,
        duration: true,
        description: "The time within which addresses, claims and sessions are counted.",
      }),
      failed_enrolments: count(
        5,
        "Failed enrolments or renewals of one address that make a burst.",
      ),
      failed_logins: count(10, "Failed logins of one address that make a burst."),
      denials: count(20, "Denied requests of one caller that make a burst."),
      addresses: count(5, "Addresses from which one credential is used before a warning."),
      claims_behind: count(20, "Claims of one node that were counted already, before a warning."),
      skewed_claims: count(3, "Claims of one node with a wrong time, before a warning."),
      doubled_sessions: count(
        4,
        "Times a node returns to a session it had left: two have its key.",
      ),
      node_skew_seconds: t.Integer({
        default: 300,
        minimum: 30,
        maximum: 86_400,
        duration: true,
        description: "How far a node's time may be from the pool's.",
      }),
      clock_step_seconds: t.Integer({
        default: 60,
        minimum: 1,
        maximum: 86_400,
        duration: true,
        description: "By how much the pool's clock may be set while it runs.",
      }),
      quiet_seconds: t.Integer({
        default: 3_600,
        minimum: 0,
        maximum: 2_592_000,
        duration: true,
        description: "For how long an acknowledged anomaly is not raised again.",
      }),
      kept_max: t.Integer({
        default: 1_000,
        minimum: 10,
        maximum: 100_000,
        description: "How many anomalies are kept; the oldest acknowledged ones go first.",
      }),
      refusal_rows_per_minute: t.Integer({
        default: 20,
        minimum: 0,
        maximum: 1_000,
        description: "Rows a minute of refusals may take in the audit; the rest is one row more.",
      }),
    });
  },
  async start(services, { config, log, defer, fatal }) {
    const { database, clock, host, http, metrics, events, audit, health } = services;
    await database.migrate(ANOMALY_MIGRATIONS);
    const raised = metrics.counter("galaxy_anomalies_total", "Anomalies raised, by rule.", [
      "rule",
    ]);
    const service = await Anomalies.open({
      database,
      clock,
      audit,
      events,
      log,
      count: (rule) => raised({ rule }),
      terms: watchTermsOf(config),
      keptMax: config.kept_max,
    });
    for (const rule of Object.keys(RULES)) raised({ rule }, 0);
    metrics.gauge(
      "galaxy_anomalies_open",
      "Anomalies nobody has acknowledged, by rule.",
      ["rule"],
      () => [...service.openByRule()].map(([rule, value]) => ({ value, labels: { rule } })),
    );
    const rowsMax = config.refusal_rows_per_minute;
    const refusals = new RefusalLog({ database, audit, log, rowsMax });
    const clockStepMs = config.clock_step_seconds * 1000;
    const nodeSkewMs = config.node_skew_seconds * 1000;
    const parts = { anomalies: service, refusals, events, clock, host, clockStepMs, nodeSkewMs };
    defer(watch({ ...parts, onFatal: fatal }));
    health.warnWith(() => service.warnings());
    http.mount(anomalyRoutes(service, http), anomalyAccess);
    return service;
  },
});
