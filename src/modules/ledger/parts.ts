import type { Logger } from "@/kernel/log.ts";
import type { Audit } from "@/modules/audit/service.ts";
import type { Authority } from "@/modules/certificates/service.ts";
import type { Poot } from "@/modules/poot/service.ts";
import type { Registry } from "@/modules/registry/service.ts";
import type { Clock } from "@/ports/clock.ts";
import type { Database } from "@/ports/database.ts";

/** Where credits come from: the proof of operational time. */
export type CreditSource = Pick<
  Poot,
  "poolTime" | "closeDue" | "intervalsBehind" | "creditsAfter" | "creditsOf" | "bookedUntil"
>;

/** What the ledger is made of. */
export interface LedgerParts {
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Logger;
  readonly audit: Audit;
  readonly authority: Pick<Authority, "poolKey">;
  readonly registry: Pick<Registry, "findNode" | "getNode" | "findPool" | "getPool">;
  readonly poot: CreditSource;
}

/** What the configuration section `poot.tariff` asks for. */
export interface TariffTerms {
  readonly microPerHour: bigint;
  readonly weights: Readonly<Record<string, number>>;
  /** What the nodes of a pool may earn together in a UTC day; undefined without a limit. */
  readonly dailyBudgetMicro: bigint | undefined;
}

/** What the payouts ask of the ledger. */
export interface BookingTerms {
  readonly feePermille: number;
  /** How long money waits before it is payable. */
  readonly maturitySeconds: number;
}
