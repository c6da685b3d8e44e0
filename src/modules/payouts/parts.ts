import type { Events } from "@/kernel/events.ts";
import type { Logger } from "@/kernel/log.ts";
import type { Access } from "@/modules/access/service.ts";
import type { Audit } from "@/modules/audit/service.ts";
import type { Ledger } from "@/modules/ledger/service.ts";
import type { Poot } from "@/modules/poot/service.ts";
import type { Registry } from "@/modules/registry/service.ts";
import type { Database } from "@/ports/database.ts";
import type { Rail } from "@/ports/rail.ts";

/** What payouts are made of. */
export interface PayoutParts {
  readonly database: Database;
  readonly events: Events;
  readonly log: Logger;
  readonly audit: Audit;
  readonly registry: Pick<
    Registry,
    "findNode" | "getNode" | "getPool" | "findPool" | "listPools" | "list" | "poolsOf"
  >;
  readonly access: Pick<Access, "rotatedAtMs">;
  readonly poot: Pick<Poot, "poolTime">;
  readonly ledger: Ledger;
  readonly rail: Rail;
  readonly terms: PayoutSettings;
}

/** The configuration section `payout`, checked. */
export interface PayoutSettings {
  readonly thresholdMicro: bigint;
  readonly intervalMs: number;
  readonly itemsMax: number;
}
