import type { Migration } from "@/ports/database.ts";

interface PersonRow {
  name: string;
  roles: string;
  org: string | null;
  disabled: bigint;
  generation: string;
  password_hash: string;
  one_time_until_ms: bigint | null;
  password_at_ms: bigint;
  created_at_ms: bigint;
  created_by: string;
}

interface ApiKeyRow {
  id: string;
  secret_hash: Uint8Array;
  name: string;
  roles: string;
  org: string | null;
  scopes: string | null;
  created_at_ms: bigint;
  created_by: string;
  expires_at_ms: bigint;
  revoked_at_ms: bigint | null;
  used_at_ms: bigint | null;
}

interface LoginTokenRow {
  hash: Uint8Array;
  login: string;
  subject: string;
  generation: string;
  expires_at_ms: bigint;
  used_at_ms: bigint | null;
  revoked_at_ms: bigint | null;
}

declare module "@/ports/database.ts" {
  interface Tables {
    person: PersonRow;
    api_key: ApiKeyRow;
    login_token: LoginTokenRow;
  }
}

/** People, API keys, and what both sign in with. Secrets only as hashes. */
export const PEOPLE_MIGRATIONS: readonly Migration[] = [
  {
    name: "people/0001-people-and-keys",
    statements: [
      "CREATE TABLE person (name TEXT PRIMARY KEY, roles TEXT NOT NULL, org TEXT, disabled {int} NOT NULL, generation TEXT NOT NULL, password_hash TEXT NOT NULL, one_time_until_ms {int}, password_at_ms {int} NOT NULL, created_at_ms {int} NOT NULL, created_by TEXT NOT NULL) {strict}",
      "CREATE TABLE api_key (id TEXT PRIMARY KEY, secret_hash {blob} NOT NULL, name TEXT NOT NULL, roles TEXT NOT NULL, org TEXT, scopes TEXT, created_at_ms {int} NOT NULL, created_by TEXT NOT NULL, expires_at_ms {int} NOT NULL, revoked_at_ms {int}, used_at_ms {int}) {strict}",
      "CREATE TABLE login_token (hash {blob} PRIMARY KEY, login TEXT NOT NULL, subject TEXT NOT NULL, generation TEXT NOT NULL, expires_at_ms {int} NOT NULL, used_at_ms {int}, revoked_at_ms {int}) {strict}",
      "CREATE INDEX login_token_login ON login_token (login)",
      "CREATE INDEX login_token_age ON login_token (expires_at_ms)",
    ],
  },
];
