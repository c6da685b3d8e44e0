import type { PoolId } from "@/core/ids.ts";
import type { Slot } from "@/core/poot/slot.ts";
import type { Events } from "@/kernel/events.ts";
import type { Logger } from "@/kernel/log.ts";
import type { Audit } from "@/modules/audit/service.ts";
import type { Authority } from "@/modules/certificates/service.ts";
import type { Registry } from "@/modules/registry/service.ts";
import type { Clock } from "@/ports/clock.ts";
import type { Database } from "@/ports/database.ts";
import type { Metrics } from "@/ports/metrics.ts";
import type { PoolClock } from "./pool-clock.ts";
import type { PoolMemory } from "./pool-memory.ts";

/** What the proof of operational time is made of. */
export interface PootParts {
  readonly database: Database;
  readonly clock: Clock;
  readonly events: Events;
  readonly log: Pick<Logger, "info" | "warn" | "error">;
  readonly audit: Audit;
  readonly authority: Pick<
    Authority,
    "poolKey" | "receiptMasters" | "renewReceiptMaster" | "replaceReceiptMasters"
  >;
  readonly registry: Pick<
    Registry,
    | "findNode"
    | "getNode"
    | "findPool"
    | "listPools"
    | "nodesOf"
    | "judge"
    | "lostAfterSlots"
    | "admitPending"
  >;
  readonly metrics: Metrics;
  readonly settings: PootSettings;
}

/** Fixed when the pool first starts. */
export interface PootSettings {
  readonly slotSeconds: number;
  readonly slotsPerInterval: number;
}

/** What the parts of this module share, changed in place. */
export interface PootState {
  readonly parts: PootParts;
  readonly poolClock: PoolClock;
  readonly pools: Map<PoolId, PoolMemory>;
  /** The slot in which the time epoch began. */
  epochSlot: Slot;
  /** The highest slot that is on the disk. */
  storedSlot: Slot;
  /** What a specialization weighs, by the tariff now. */
  weightOf: (specialization: string) => number;
}
