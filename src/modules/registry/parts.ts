import type { PoolId } from "@/core/ids.ts";
import type { PoolKind } from "@/core/pool.ts";
import type { Events } from "@/kernel/events.ts";
import type { Audit } from "@/modules/audit/service.ts";
import type { Clock } from "@/ports/clock.ts";
import type { Database, Write } from "@/ports/database.ts";
import type { Random } from "@/ports/random.ts";
import type { RegistrySettings } from "./settings.ts";

/** Who makes the keys of a new pool; they are durable before it answers. */
interface PoolKeys {
  createPool(): PoolIdentity | Promise<PoolIdentity>;
  /** A pool whose keys were made before its row. */
  firstPool?(): FirstPool | undefined;
}

interface FirstPool extends PoolIdentity {
  readonly name: string;
  readonly kind: PoolKind;
  readonly org?: string | undefined;
}

interface PoolIdentity {
  readonly id: PoolId;
  readonly publicKey: Uint8Array;
}

/** Writes that go into the commit of a change, made from what it will be. */
export type Also<Changed> = (changed: Changed) => readonly Write[];

/** What the registry is made of. */
export interface RegistryParts {
  readonly database: Database;
  readonly clock: Clock;
  readonly random: Random;
  readonly events: Events;
  readonly audit: Audit;
  readonly authority: PoolKeys;
  readonly settings: RegistrySettings;
}
