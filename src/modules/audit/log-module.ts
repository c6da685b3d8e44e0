import { formatCheckpoint } from "@/core/audit/checkpoint.ts";
import { defineModule } from "@/kernel/module.ts";
import type { Checks } from "@/ports/checks.ts";
import type { Metrics } from "@/ports/metrics.ts";
import { AuditLog } from "./log.ts";
import { logAccess, logRoutes } from "./log-routes.ts";
import { Witnesses } from "./witnesses.ts";

const TICK_MS = 5_000;
const DAY_MS = 86_400_000;
/** So long a log that began anew is told of in the status. */
const TOLD_MS = 7 * DAY_MS;

/** Signs the audit as a log that cannot be rewritten unseen, and has the nodes witness it. */
export const auditLog = defineModule({
  name: "audit-log",
  section: "audit",
  needs: [
    "database",
    "files",
    "clock",
    "random",
    "http",
    "checks",
    "metrics",
    "events",
    "audit",
    "authority",
    "registry",
  ],
  config: (t) =>
    t.Object({
      checkpoint_seconds: t.Integer({
        default: 60,
        minimum: 1,
        maximum: 86_400,
        duration: true,
        description: "How often the audit log is signed when there is something new.",
      }),
      checkpoint_entries: t.Integer({
        default: 256,
        minimum: 1,
        maximum: 100_000,
        description: "After so many acts the audit log is signed at once.",
      }),
      hold_seconds: t.Integer({
        default: 90,
        minimum: 0,
        maximum: 86_400,
        duration: true,
        description:
          "How long after a start nothing is signed, so that nodes can show what a restored backup no longer knows; longer than three slots.",
      }),
      witnesses_max: t.Integer({
        default: 64,
        minimum: 0,
        maximum: 98,
        description: "How many cosignatures of nodes are kept with a checkpoint.",
      }),
    }),
  async start(services, { config, log, ready, defer, fatal }) {
    const { authority, clock, http, checks, metrics, registry, audit, database, events } = services;
    const installation = authority.installationId;
    const settings = {
      checkpointSeconds: config.checkpoint_seconds,
      checkpointEntries: config.checkpoint_entries,
      holdSeconds: config.hold_seconds,
      witnessesMax: config.witnesses_max,
    };
    const key = authority.auditKey();
    const doubted = (why: string) => events.tell("audit.doubted", { why });
    const service = new AuditLog({ ...services, installation, key, log, settings, doubted });
    const witnesses = new Witnesses({ log: service, registry, clock, installation });
    http.mount(logRoutes({ log: service, database, registry, http }), logAccess);
    audit.signWith({
      witnesses,
      newestNote() {
        const newest = service.cosigned ?? service.newest;
        return newest && formatCheckpoint(newest);
      },
    });
    addChecks(checks, service, () => clock.now());
    showFigures(metrics, service, witnesses);
    ready(() => {
      const step = () => void service.step().catch(fatal);
      step();
      defer(() => service.keep());
      defer(clock.every(TICK_MS, step));
      defer(clock.every(DAY_MS, () => void service.recheck().catch(fatal)));
    });
  },
});

function addChecks(checks: Checks, service: AuditLog, now: () => number): void {
  checks.add("audit", () => {
    if (service.fault !== undefined) {
      const detail = `${service.fault}; nothing is signed until you looked into it: galaxy-pool audit verify, then galaxy-pool audit restart`;
      return { ok: false, detail };
    }
    const atMs = service.restartedAtMs;
    const detail = "the audit is what was signed";
    if (atMs === undefined || now() - atMs > TOLD_MS) return { ok: true, detail };
    const warning = `the log began anew at ${new Date(atMs).toISOString()}, entries were lost: galaxy-pool audit list --action "audit.*"`;
    return { ok: true, detail, warning };
  });
}

function showFigures(metrics: Metrics, service: AuditLog, witnesses: Witnesses): void {
  metrics.gauge("galaxy_audit_entries", "Entries of the newest signed checkpoint.", [], () => [
    { value: service.newest?.size ?? 0 },
  ]);
  metrics.gauge("galaxy_audit_witnesses", "Nodes that witness the audit log.", [], () => [
    { value: witnesses.count },
  ]);
}
