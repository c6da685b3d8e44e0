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
}

/** The section as its schema checks it. */
export interface RegistryConfig {
  readonly max_nodes: number;
  readonly auto_deregister_after: number;
  readonly health_check_interval?: number;
  readonly allow_public_registration: boolean;
  readonly allowed_orgs?: readonly string[];
}

/** The settings of a section. */
export function settingsOf(config: RegistryConfig): RegistrySettings {
  return {
    maxNodes: config.max_nodes,
    lostAfterSlots: config.auto_deregister_after,
    healthCheckSeconds: config.health_check_interval,
    allowedOrgs: config.allowed_orgs,
    isPublic: config.allow_public_registration,
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
