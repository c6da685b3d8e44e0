import type { Generated } from "kysely";
import type { Migration } from "@/ports/database.ts";

/** One act, as it is kept: who did what to what, and when. Rows are only ever added. */
interface AuditRow {
  id: Generated<bigint>;
  at: bigint;
  actor: string;
  action: string;
  subject: string;
  /** Canonical JSON. */
  detail: string;
}

/** A log that began anew; the first one, 1, has no row. */
interface AuditLogRow {
  epoch: bigint;
  origin: string;
}

/** Where rows of the log come without a gap: `leaf` is row `row`, the next leaf the next row. */
interface AuditRunRow {
  epoch: bigint;
  leaf: bigint;
  row: bigint;
}

declare module "@/ports/database.ts" {
  interface Tables {
    audit: AuditRow;
    audit_log: AuditLogRow;
    audit_run: AuditRunRow;
  }
}

const COLUMNS =
  "at {int} NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL, subject TEXT NOT NULL, detail TEXT NOT NULL";

/** The table of acts, found by subject as well as in order. */
export const AUDIT_MIGRATIONS: readonly Migration[] = [
  {
    name: "audit/0001-acts",
    sqlite: [`CREATE TABLE audit (id INTEGER PRIMARY KEY AUTOINCREMENT, ${COLUMNS}) {strict}`],
    postgres: [
      `CREATE TABLE audit (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, ${COLUMNS})`,
    ],
  },
  {
    name: "audit/0002-subjects",
    statements: ["CREATE INDEX audit_subject ON audit (subject, id)"],
  },
  {
    name: "audit/0003-log",
    statements: [
      "CREATE TABLE audit_log (epoch {int} PRIMARY KEY, origin TEXT NOT NULL UNIQUE) {strict}",
      'CREATE TABLE audit_run (epoch {int} NOT NULL, leaf {int} NOT NULL, "row" {int} NOT NULL, PRIMARY KEY (epoch, leaf)) {strict}',
    ],
  },
];
