import type { AnomalyRule } from "@/core/anomaly/rules.ts";
import type { Database, Migration, Write } from "@/ports/database.ts";
import type { PageRequest } from "@/std/paging.ts";

/** One anomaly, as it is kept. */
interface AnomalyRow {
  id: bigint;
  rule: string;
  subject: string;
  count: bigint;
  first_at: bigint;
  last_at: bigint;
  acknowledged_at: bigint | null;
  acknowledged_by: string | null;
  note: string | null;
}

declare module "@/ports/database.ts" {
  interface Tables {
    anomaly: AnomalyRow;
  }
}

/** Anomalies; of one rule and subject at most one is open. */
export const ANOMALY_MIGRATIONS: readonly Migration[] = [
  {
    name: "anomalies/0001-anomalies",
    statements: [
      `CREATE TABLE anomaly (id {int} PRIMARY KEY, rule TEXT NOT NULL, subject TEXT NOT NULL,
        count {int} NOT NULL CHECK (count > 0), first_at {int} NOT NULL, last_at {int} NOT NULL,
        acknowledged_at {int}, acknowledged_by TEXT, note TEXT) {strict}`,
      "CREATE UNIQUE INDEX anomaly_open ON anomaly (rule, subject) WHERE acknowledged_at IS NULL",
    ],
  },
];

/** An anomaly: what was noticed of whom, how often, and who has seen it. */
export interface Anomaly {
  readonly id: number;
  readonly rule: AnomalyRule;
  readonly subject: string;
  readonly count: number;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
  readonly acknowledged: Acknowledged | undefined;
}

/** Who has seen an anomaly. */
export interface Acknowledged {
  readonly atMs: number;
  readonly by: string;
  readonly note: string | undefined;
}

/** Which anomalies are asked for. */
export type AnomalyState = "open" | "acknowledged" | "all";

/** The writes of a new anomaly. */
export function insertAnomaly({ sql }: Database, anomaly: Anomaly): Write {
  const row = {
    id: BigInt(anomaly.id),
    rule: anomaly.rule,
    subject: anomaly.subject,
    count: BigInt(anomaly.count),
    first_at: BigInt(anomaly.firstAtMs),
    last_at: BigInt(anomaly.lastAtMs),
    acknowledged_at: null,
    acknowledged_by: null,
    note: null,
  };
  return { query: sql.insertInto("anomaly").values(row).compile(), rows: 1 };
}

/** It came again. */
export function saveCount({ sql }: Database, anomaly: Anomaly): Write {
  const query = sql
    .updateTable("anomaly")
    .set({ count: BigInt(anomaly.count), last_at: BigInt(anomaly.lastAtMs) })
    .where("id", "=", BigInt(anomaly.id));
  return { query: query.compile() };
}

/** Somebody has seen it. */
export function saveAcknowledged({ sql }: Database, id: number, seen: Acknowledged): Write {
  const query = sql
    .updateTable("anomaly")
    .set({
      acknowledged_at: BigInt(seen.atMs),
      acknowledged_by: seen.by,
      note: seen.note ?? null,
    })
    .where("id", "=", BigInt(id))
    .where("acknowledged_at", "is", null);
  return { query: query.compile(), rows: 1 };
}

/** Forgets the oldest that were acknowledged, until no more than so many are kept. */
export function forgetOldest({ sql }: Database, newest: number, keptMax: number): Write {
  const query = sql
    .deleteFrom("anomaly")
    .where("acknowledged_at", "is not", null)
    .where("id", "<=", BigInt(newest - keptMax));
  return { query: query.compile() };
}

/** Every open anomaly; there are never many. */
export async function readOpen({ sql }: Database): Promise<readonly Anomaly[]> {
  const query = sql.selectFrom("anomaly").selectAll().where("acknowledged_at", "is", null);
  return (await query.orderBy("id").execute()).map(anomalyOf);
}

/** The highest number that is taken. */
export async function readNewestId({ sql }: Database): Promise<number> {
  const query = sql.selectFrom("anomaly").select("id").orderBy("id", "desc").limit(1);
  return Number((await query.executeTakeFirst())?.id ?? 0n);
}

export async function findAnomaly({ sql }: Database, id: number): Promise<Anomaly | undefined> {
  const query = sql.selectFrom("anomaly").selectAll().where("id", "=", BigInt(id));
  const row = await query.executeTakeFirst();
  return row && anomalyOf(row);
}

/** Anomalies, the newest first, one more than the page holds. */
export async function listAnomalies(
  { sql }: Database,
  page: PageRequest,
  state: AnomalyState,
): Promise<readonly Anomaly[]> {
  let query = sql.selectFrom("anomaly").selectAll();
  if (state !== "all") {
    query = query.where("acknowledged_at", state === "open" ? "is" : "is not", null);
  }
  if (page.after !== undefined) query = query.where("id", "<", BigInt(page.after));
  const rows = await query
    .orderBy("id", "desc")
    .limit(page.limit + 1)
    .execute();
  return rows.map(anomalyOf);
}

function anomalyOf(row: AnomalyRow): Anomaly {
  const { acknowledged_at: atMs, acknowledged_by: by, note } = row;
  return {
    id: Number(row.id),
    rule: row.rule as AnomalyRule,
    subject: row.subject,
    count: Number(row.count),
    firstAtMs: Number(row.first_at),
    lastAtMs: Number(row.last_at),
    acknowledged:
      atMs === null ? undefined : { atMs: Number(atMs), by: by ?? "", note: note ?? undefined },
  };
}
