import { type Caller, systemCaller } from "@/core/caller.ts";
import type { PoolId } from "@/core/ids.ts";
import {
  changedTerms,
  effectivePool,
  newTerms,
  type Pool,
  type PoolChanges,
  type PoolRecord,
  poolChanged,
  poolExists,
  poolNotEmpty,
  poolUnknown,
} from "@/core/pool.ts";
import { PoolError } from "@/std/errors.ts";
import type { Also, RegistryParts } from "./parts.ts";
import type { Roster } from "./roster.ts";
import type { RegistrySettings } from "./settings.ts";
import { endPool, insertPool, savePool, wasPool } from "./table.ts";

/** How many pools one installation may hold. */
const POOLS_MAX = 1_000;

/** The keys of a pool that were made before its row. */
type PoolKeyOf = Pick<PoolRecord, "id" | "publicKey">;

/** Refuses, by throwing, the deletion of a pool that something still needs. */
export type PoolDeleteCheck = (pool: PoolId) => void | Promise<void>;

/** Creates, changes and deletes pools. */
export class Pools {
  readonly #parts: RegistryParts;
  readonly #roster: Roster;
  readonly #checks: PoolDeleteCheck[] = [];
  #settings: RegistrySettings;

  constructor(parts: RegistryParts, roster: Roster) {
    this.#parts = parts;
    this.#roster = roster;
    this.#settings = parts.settings;
  }

  list(): readonly Pool[] {
    const pools = [...this.#roster.pools()];
    return pools.sort((a, b) => a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1));
  }

  get(id: string): Pool {
    const pool = this.#roster.pool(id);
    if (!pool) throw poolUnknown(id);
    return pool;
  }

  beforeDelete(check: PoolDeleteCheck): void {
    this.#checks.push(check);
  }

  /** Takes over a pool from the disk, or after a commit. */
  put(record: PoolRecord): Pool {
    const pool = this.#effective(record);
    this.#roster.putPool(pool);
    return pool;
  }

  apply(settings: RegistrySettings): void {
    this.#settings = settings;
    for (const pool of this.list()) this.put(pool);
  }

  /** Writes the row of the pool `init` made the keys of, unless it has been here before. */
  async adoptFirst(): Promise<void> {
    const first = this.#parts.authority.firstPool?.();
    if (!first || (await wasPool(this.#parts.database, first.id))) return;
    const { name, kind, org } = first;
    await this.create(systemCaller("registry"), { name, kind, org }, () => [], first);
  }

  /** A new pool; its keys are made unless they are there already. */
  async create(
    caller: Caller,
    wanted: PoolChanges,
    also: Also<Pool> = () => [],
    keys?: PoolKeyOf,
  ): Promise<Pool> {
    const terms = newTerms(wanted);
    this.#requireRoom();
    this.#requireFreeName(terms.name);
    const { id, publicKey } = keys ?? (await this.#parts.authority.createPool());
    const now = this.#parts.clock.now();
    const record: PoolRecord = { id, publicKey, ...terms, createdAtMs: now, version: 1 };
    const { database, audit } = this.#parts;
    const made = this.#effective(record);
    const { name, kind } = terms;
    const row = audit.row(caller, "pool.created", id, { name, kind, visibility: made.visibility });
    await database.commit([insertPool(database.sql, record), row, ...also(made)]);
    const pool = this.put(record);
    this.#parts.events.tell("pool.created", { pool: id });
    return pool;
  }

  async update(caller: Caller, id: string, wanted: PoolChanges, etag?: string): Promise<Pool> {
    const pool = this.get(id);
    if (etag !== undefined && etag !== String(pool.version)) throw poolChanged(pool.id);
    const terms = changedTerms(pool, wanted);
    const isRenamed = terms.name !== pool.name;
    if (isRenamed) this.#requireFreeName(terms.name);
    const { maxNodes: _, visibility: __, allowedOrgs: ___, ...kept } = pool;
    const record: PoolRecord = { ...kept, ...terms, version: pool.version + 1 };
    const { database, audit } = this.#parts;
    const refusal = isRenamed ? poolExists(terms.name) : poolChanged(pool.id);
    const { visibility } = this.#effective(record);
    const row = audit.row(caller, "pool.changed", pool.id, { name: terms.name, visibility });
    await database.commit([savePool(database.sql, record, refusal), row]);
    const changed = this.put(record);
    this.#parts.events.tell("pool.changed", { pool: pool.id });
    return changed;
  }

  async delete(caller: Caller, id: string): Promise<void> {
    const pool = this.get(id);
    if (this.#roster.isClosing(pool.id)) throw poolChanged(pool.id);
    const open = this.#roster.close(pool.id);
    try {
      await this.#requireUnused(pool);
      const { database, audit, clock } = this.#parts;
      const row = audit.row(caller, "pool.deleted", pool.id, { name: pool.name });
      await database.commit([endPool(database.sql, pool, clock.now()), row]);
      this.#roster.dropPool(pool.id);
    } finally {
      open();
    }
    this.#parts.events.tell("pool.deleted", { pool: pool.id });
  }

  #effective(record: PoolRecord): Pool {
    return effectivePool(record, this.#settings);
  }

  async #requireUnused(pool: Pool): Promise<void> {
    const nodes = this.#roster.countOf(pool.id) + this.#roster.heldIn(pool.id);
    if (nodes > 0) throw poolNotEmpty(pool, nodes);
    for (const check of this.#checks) await check(pool.id);
  }

  #requireFreeName(name: string): void {
    if (this.list().some((pool) => pool.name === name)) throw poolExists(name);
  }

  #requireRoom(): void {
    if (this.list().length < POOLS_MAX) return;
    throw new PoolError(
      "exhausted",
      "pool.too_many",
      `There are ${POOLS_MAX} pools already; delete one first.`,
    );
  }
}
