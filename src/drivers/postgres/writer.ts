import type { ReservedSQL, SQL } from "bun";
import type { PoolError } from "@/std/errors.ts";
import { dataLocked } from "../sql/refusals.ts";
import type { Result } from "./values.ts";

const KEY = "hashtextextended('galaxy-pool ' || coalesce(current_schema(), ''), 0)";
const TAKE = `SELECT pg_try_advisory_lock(${KEY}) AS taken, pg_backend_pid() AS pid`;
const HOLDER = `
  SELECT l.pid, coalesce(host(a.client_addr), 'this host') AS host, current_database() AS name
  FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
  WHERE l.locktype = 'advisory' AND l.granted AND a.datname = current_database()
    AND (l.classid::bigint << 32) | l.objid::bigint = ${KEY}`;

const ATTEMPTS = 10;

/**
 * The one session that writes. It holds an advisory lock, so as long as it lives no other process
 * writes to the same schema, and one that lost the session cannot write without the lock.
 */
export class Writer {
  readonly #pool: SQL;
  #session: ReservedSQL | undefined;
  #pid: number | undefined;

  constructor(pool: SQL) {
    this.#pool = pool;
  }

  /** The session; opens one when there is none and refuses with `data.locked`. */
  async session(): Promise<ReservedSQL> {
    this.#session ??= await this.#open();
    return this.#session;
  }

  /** Gives up a session whose connection is gone. */
  drop(): void {
    this.#session?.release();
    this.#session = undefined;
  }

  async close(): Promise<void> {
    await this.#session?.unsafe(`SELECT pg_advisory_unlock(${KEY})`);
    this.drop();
  }

  async #open(): Promise<ReservedSQL> {
    const session = await this.#pool.reserve();
    try {
      await this.#lock(session);
      return session;
    } catch (error) {
      session.release();
      throw error;
    }
  }

  /** A session of ours that ends just now lets go of the lock in a moment; somebody else's does not. */
  async #lock(session: ReservedSQL): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (await this.#take(session)) return;
      const [holder] = (await session.unsafe(HOLDER)) as Result;
      const isOurs = this.#pid !== undefined && holder?.["pid"] === this.#pid;
      if (holder && !isOurs) throw lockedBy(holder);
      if (isOurs) await session.unsafe("SELECT pg_terminate_backend($1)", [this.#pid]);
      await session.unsafe("SELECT pg_sleep(0.2)");
    }
    throw dataLocked("The database", "another process");
  }

  /** Takes the lock; a session of ours that the server still believes in is not somebody else. */
  async #take(session: ReservedSQL): Promise<boolean> {
    const [row] = (await session.unsafe(TAKE)) as Result;
    if (row?.["taken"] !== true) return false;
    this.#pid = Number(row["pid"]);
    return true;
  }
}

function lockedBy(holder: Result[number]): PoolError {
  const who = `session ${holder["pid"]} from ${holder["host"]}`;
  return dataLocked(`The database ${holder["name"]}`, who);
}
