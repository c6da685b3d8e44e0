import { certificates } from "@/drivers/certificates.ts";
import { checks } from "@/drivers/checks.ts";
import { clock } from "@/drivers/clock.ts";
import { dialer } from "@/drivers/dialer/module.ts";
import { files } from "@/drivers/files.ts";
import { grpc } from "@/drivers/grpc/module.ts";
import { host } from "@/drivers/host.ts";
import { http } from "@/drivers/http/module.ts";
import { intake } from "@/drivers/intake/module.ts";
import { machine } from "@/drivers/machine.ts";
import { metrics } from "@/drivers/metrics.ts";
import { passwords } from "@/drivers/passwords.ts";
import { postgres } from "@/drivers/postgres/module.ts";
import { probes } from "@/drivers/probes.ts";
import { manualRail } from "@/drivers/rails/manual.ts";
import { random } from "@/drivers/random.ts";
import { location, logging } from "@/drivers/settings.ts";
import { nodeLock } from "@/drivers/sqlite/lock.ts";
import { sqlite } from "@/drivers/sqlite/module.ts";
import { supervisor } from "@/drivers/supervisor.ts";
import { tokens } from "@/drivers/tokens.ts";
import type { AnyModule } from "@/kernel/module.ts";
import { firstToken } from "@/modules/access/first-token.ts";
import { access } from "@/modules/access/module.ts";
import { people } from "@/modules/access/people/module.ts";
import { agent } from "@/modules/agent/module.ts";
import { anomalies } from "@/modules/anomalies/module.ts";
import { auditLog } from "@/modules/audit/log-module.ts";
import { audit } from "@/modules/audit/module.ts";
import { type InitTerms, initialisation } from "@/modules/certificates/initialisation.ts";
import { authority } from "@/modules/certificates/module.ts";
import { health } from "@/modules/health/module.ts";
import { ledger } from "@/modules/ledger/module.ts";
import { payouts } from "@/modules/payouts/module.ts";
import { poot } from "@/modules/poot/module.ts";
import { registry } from "@/modules/registry/module.ts";

const world: readonly AnyModule[] = [logging, clock, random, files, certificates];

/** What a pool is made of; the database is another line in the list. */
export function poolModules(database: "sqlite" | "postgres"): readonly AnyModule[] {
  return [
    ...world,
    supervisor,
    tokens,
    passwords,
    metrics,
    intake,
    location,
    checks,
    host,
    probes,
    database === "postgres" ? postgres : sqlite,
    http,
    grpc,
    manualRail,
    audit,
    authority,
    registry,
    people,
    access,
    poot,
    ledger,
    payouts,
    auditLog,
    health,
    anomalies,
  ];
}

/** What a node is made of. */
export const nodeModules: readonly AnyModule[] = [...world, machine, dialer, agent];

/** What a node is made of while it runs. */
export const runningNodeModules: readonly AnyModule[] = [supervisor, nodeLock, ...nodeModules];

/** What makes a new installation: keys, CA, operator token and the first pool. */
export function initModules(terms: InitTerms): readonly AnyModule[] {
  return [...world, initialisation(terms), firstToken];
}
