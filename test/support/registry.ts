import pino from "pino";
import { TestClock } from "#test/support/clock.ts";
import { systemCaller } from "@/core/caller.ts";
import { type NodeId, type PoolId, poolIdOf } from "@/core/ids.ts";
import type { Node } from "@/core/node.ts";
import type { Pool } from "@/core/pool.ts";
import { Events } from "@/kernel/events.ts";
import { Audit } from "@/modules/audit/service.ts";
import { AUDIT_MIGRATIONS } from "@/modules/audit/table.ts";
import { Registry } from "@/modules/registry/service.ts";
import type { RegistrySettings } from "@/modules/registry/settings.ts";
import { REGISTRY_MIGRATIONS } from "@/modules/registry/table.ts";
import type { Database } from "@/ports/database.ts";
import { sha256 } from "@/std/crypto.ts";
import { isRefusal } from "@/std/errors.ts";

/** A key nobody holds: enough for everything that only compares keys. */
export function keyNumber(number: number): Uint8Array {
  return sha256(Uint8Array.of(number >>> 24, number >>> 16, number >>> 8, number));
}

/** What the registry of a test is configured with, unless the test says otherwise. */
export const TEST_SETTINGS: RegistrySettings = {
  maxNodes: 100,
  lostAfterSlots: 3,
  healthCheckSeconds: undefined,
  allowedOrgs: undefined,
  isPublic: false,
  graceSeconds: 7 * 86_400,
  pendingMax: 20,
  pendingPerNetworkMax: 4,
  pendingSeconds: 3_600,
};

/** Who acts when it does not matter who. */
export const SYSTEM = systemCaller("test");

/** A registry over a database, with keys for pools that come out of a counter. */
export async function registryOn(
  database: Database,
  settings: Partial<RegistrySettings> = {},
  clock = new TestClock(),
) {
  await database.migrate([...AUDIT_MIGRATIONS, ...REGISTRY_MIGRATIONS]);
  const events = new Events(pino({ level: "silent" }));
  const open = () =>
    Registry.open({
      database,
      clock,
      random: { bytes: (length) => new Uint8Array(length).fill(7), fraction: () => 0.5 },
      events,
      audit: new Audit(database, clock),
      authority: { createPool: freshPool },
      settings: { ...TEST_SETTINGS, ...settings },
    });
  const registry = await open();
  registry.countSlotsWith(() => Math.floor(clock.now() / 30_000));
  return { registry, events, clock, database, reopen: open };
}

let pools = 0;

function freshPool(): { id: PoolId; publicKey: Uint8Array } {
  const publicKey = sha256(keyNumber(++pools));
  return { id: poolIdOf(publicKey), publicKey };
}

/** A new pool. */
export function poolNamed(
  registry: Registry,
  name: string,
  more: Partial<Parameters<Registry["createPool"]>[1]> = {},
): Promise<Pool> {
  return registry.createPool(SYSTEM, { name, ...more });
}

/** A member of a pool, with a key of that number. */
export function memberOf(
  registry: Registry,
  pool: PoolId,
  number: number,
  more: Partial<Parameters<Registry["admit"]>[1]> = {},
): Promise<Node> {
  return registry.admit(SYSTEM, {
    name: `node ${number}`,
    specialization: "storage",
    pool,
    publicKey: keyNumber(number),
    ...more,
  });
}

/** Heartbeats have made these nodes alive. */
export function beAlive(registry: Registry, ...nodes: readonly NodeId[]): void {
  for (const id of nodes) registry.judge(id, { state: "alive", lastSeenMs: 1 });
}

/** The code of the refusal a promise ends with, or "allowed". */
export async function codeOf(attempt: Promise<unknown>): Promise<string> {
  try {
    await attempt;
  } catch (thrown) {
    if (isRefusal(thrown)) return thrown.code;
    throw thrown;
  }
  return "allowed";
}
