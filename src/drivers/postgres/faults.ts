import { SQL } from "bun";

/**
 * What an error of PostgreSQL means for us. After `again` and, before COMMIT was sent, after `lost`
 * nothing was written; `refused` is what the server does not let this user do; `mistake` is our own.
 */
export type Fault = "conflict" | "check" | "again" | "lost" | "full" | "refused" | "mistake";

const BY_STATE: Readonly<Record<string, Fault>> = {
  "23505": "conflict", // unique_violation
  "23P01": "conflict", // exclusion_violation
  P0001: "check", // raise_exception
  "40001": "again", // serialization_failure
  "40P01": "again", // deadlock_detected
  "25006": "full", // read_only_sql_transaction
  "3D000": "refused", // invalid_catalog_name
  "42501": "refused", // insufficient_privilege
  "53100": "full", // disk_full
  "53300": "lost", // too_many_connections
  "57P01": "lost", // admin_shutdown
  "57P02": "lost", // crash_shutdown
  "57P03": "lost", // cannot_connect_now
  "57P05": "lost", // idle_session_timeout
};

const BY_CLASS: Readonly<Record<string, Fault>> = {
  "08": "lost", // connection exception
  "22": "check", // data exception
  "23": "check", // integrity constraint violation
  "28": "refused", // invalid authorization
};

/** Tells the meaning of whatever the driver threw: SQLSTATE is in `errno`, its own errors in `code`. */
export function faultOf(error: unknown): Fault {
  if (!(error instanceof SQL.SQLError)) return "mistake";
  const { code, errno } = error as { readonly code?: string; readonly errno?: string };
  if (code !== undefined && /_(AUTHENTICATION|TLS|SASL)_|SERVER_SIGNATURE/.test(code))
    return "refused";
  if (code !== undefined && /_(CONNECTION|TIMEOUT|LIFETIME)(_|$)/.test(code)) return "lost";
  const state = String(errno ?? "");
  return BY_STATE[state] ?? BY_CLASS[state.slice(0, 2)] ?? "mistake";
}
