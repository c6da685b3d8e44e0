import type { ReservedSQL, SQL } from "bun";
import type { Clock } from "@/ports/clock.ts";
import type { Write } from "@/ports/database.ts";
import { assert } from "@/std/assert.ts";
import { parametersOf } from "../sql/parameters.ts";
import { checkFailed, conflict, unreachable } from "../sql/refusals.ts";
import { faultOf } from "./faults.ts";
import type { Result } from "./values.ts";

const STATUS_ATTEMPTS_MAX = 60;
const STATUS_ATTEMPTS_AT_ONCE = 10;
const STATUS_WAIT_MS = 200;

/** Where commits run. */
export interface Place {
  readonly session: ReservedSQL;
  /** Other connections, for asking how a transaction ended. */
  readonly pool: SQL;
  readonly clock: Clock;
}

/**
 * Runs one commit as one transaction. It throws a refusal, or what the driver threw when nothing was
 * written; when the connection is lost at COMMIT, it asks the server how the transaction ended.
 */
export async function commitOn(place: Place, writes: readonly Write[]): Promise<void> {
  const { session } = place;
  const id = await begin(session);
  try {
    for (const write of writes) await run(session, write);
  } catch (error) {
    if (faultOf(error) !== "lost") await session.unsafe("ROLLBACK");
    throw error;
  }
  try {
    await commit(session);
  } catch (error) {
    if (faultOf(error) !== "lost" || !(await wasCommitted(place, id))) throw error;
  }
}

async function begin(session: ReservedSQL): Promise<string> {
  const [, result] = await Promise.all([
    session.unsafe("BEGIN ISOLATION LEVEL SERIALIZABLE"),
    session.unsafe("SELECT pg_current_xact_id()::text AS id"),
  ]);
  return String((result as Result)[0]?.["id"]);
}

async function commit(session: ReservedSQL): Promise<void> {
  try {
    const result = (await session.unsafe("COMMIT")) as Result;
    assert(result.command === "COMMIT", "a transaction without errors commits");
  } catch (error) {
    if (faultOf(error) !== "check") throw error;
    throw checkFailed((error as Error).message, error);
  }
}

async function run(session: ReservedSQL, { query, rows, refusal }: Write): Promise<void> {
  let result: Result;
  try {
    result = (await session.unsafe(query.sql, parametersOf(query.parameters))) as Result;
  } catch (error) {
    const fault = faultOf(error);
    if (fault === "conflict") throw refusal ?? conflict(error);
    if (fault === "check") throw checkFailed((error as Error).message, error);
    throw error;
  }
  if (rows !== undefined && result.count !== rows) throw refusal ?? conflict();
}

/**
 * How a transaction ended whose COMMIT got no answer. Broken connections of the pool are used up at
 * once; a server that is away gets some seconds to come back.
 */
async function wasCommitted({ pool, clock }: Place, id: string): Promise<boolean> {
  let cause: unknown;
  for (let attempt = 1; attempt <= STATUS_ATTEMPTS_MAX; attempt++) {
    try {
      const status = await statusOf(pool, id);
      if (status !== "in progress") return status === "committed";
      await pool.unsafe("SELECT pg_sleep(0.1)");
    } catch (error) {
      if (faultOf(error) !== "lost") throw error;
      cause = error;
    }
    if (attempt > STATUS_ATTEMPTS_AT_ONCE) await pause(clock);
  }
  throw unreachable("the connection broke, and whether the change was written is unknown", cause);
}

function pause(clock: Clock): Promise<void> {
  return new Promise((resolve) => clock.after(STATUS_WAIT_MS, resolve));
}

async function statusOf(pool: SQL, id: string): Promise<unknown> {
  const query = "SELECT pg_xact_status($1::text::xid8) AS status";
  const [row] = (await pool.unsafe(query, [id])) as Result;
  return row?.["status"];
}
