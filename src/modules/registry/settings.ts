import { PoolError } from "@/std/errors.ts";

/** The configuration section `registry`, as the service reads it. */
export interface RegistrySettings {
  readonly maxNodes: number;
  /** Slots missed in a row after which a node is lost. */
  readonly lostAfterSlots: number;
  /** Another word for the length of a slot; undefined when nobody said it. */
  readonly healthCheckSeconds: number | undefined;
  /** Organizations private pools admit; undefined admits any that has a token, none admits nobody. */
  readonly allowedOrgs: readonly string[] | undefined;
  /** Whether pools that say nothing of it are open to anybody. */
  readonly isPublic: boolean;
  /** How long a suspended node stays before it is removed, unless the suspension says; 0 for ever. */
  readonly graceSeconds: number;
  /** How many nodes may wait to be admitted to one public pool, and of them from one network. */
  readonly pendingMax: number;
  readonly pendingPerNetworkMax: number;
  /** How long a node may be pending before it is forgotten. */
  readonly pendingSeconds: number;
}

/** The section as its schema checks it. */
export interface RegistryConfig {
  readonly max_nodes: number;
  readonly auto_deregister_after: number;
  readonly health_check_interval?: number;
  readonly allow_public_registration: boolean;
  readonly allowed_orgs?: readonly string[];
  readonly suspension_grace: number;
  readonly max_pending: number;
  readonly max_pending_per_network: number;
  readonly pending_time: number;
}

/** The settings of a section. */
export function settingsOf(config: RegistryConfig): RegistrySettings {
  return {
    maxNodes: config.max_nodes,
    lostAfterSlots: config.auto_deregister_after,
    healthCheckSeconds: config.health_check_interval,
    allowedOrgs: config.allowed_orgs,
    isPublic: config.allow_public_registration,
    graceSeconds: config.suspension_grace,
    pendingMax: config.max_pending,
    pendingPerNetworkMax: config.max_pending_per_network,
    pendingSeconds: config.pending_time,
  };
}

/** Refuses a health check interval that is not the length of a slot (`config.invalid`). */
export function requireSameInterval(
  healthCheckSeconds: number | undefined,
  slotSeconds: number,
): void {
  if (healthCheckSeconds === undefined || healthCheckSeconds === slotSeconds) return;
  throw new PoolError(
    "invalid",
    "config.invalid",
    `registry.health_check_interval is ${healthCheckSeconds} s and poot.slot_seconds is ` +
      `${slotSeconds} s; they mean the same, so leave the first one out or make them equal.`,
  );
}
