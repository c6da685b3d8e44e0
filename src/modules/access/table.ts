import type { Migration } from "@/ports/database.ts";

interface JoinTokenRow {
  id: string;
  pool: string;
  secret_hash: Uint8Array;
  uses: bigint;
  uses_left: bigint;
  created_at_ms: bigint;
  expires_at_ms: bigint;
  revoked_at_ms: bigint | null;
  created_by: string;
  node_name: string | null;
  specialization: string | null;
  /** Of a token a stranger got by itself: its network, its key, and the organization of its API key. */
  visitor_network: string | null;
  visitor_key: Uint8Array | null;
  visitor_org: string | null;
}

interface EnrolmentRow {
  token: string;
  csr_hash: Uint8Array;
  node: string;
  at_ms: bigint;
}

interface NodeCertificateRow {
  node: string;
  not_after_ms: bigint;
}

interface RetiredKeyRow {
  public_key: Uint8Array;
  node: string;
  at_ms: bigint;
}

interface RefreshTokenRow {
  hash: Uint8Array;
  login: string;
  node: string;
  node_key: Uint8Array;
  expires_at_ms: bigint;
  used_at_ms: bigint | null;
  revoked_at_ms: bigint | null;
}

declare module "@/ports/database.ts" {
  interface Tables {
    join_token: JoinTokenRow;
    enrolment: EnrolmentRow;
    node_certificate: NodeCertificateRow;
    retired_key: RetiredKeyRow;
    refresh_token: RefreshTokenRow;
  }
}

/** Tokens to join with, who used them, certificates given out, and logins. Secrets only as hashes. */
export const ACCESS_MIGRATIONS: readonly Migration[] = [
  {
    name: "access/0001-join-tokens",
    statements: [
      "CREATE TABLE join_token (id TEXT PRIMARY KEY, pool TEXT NOT NULL, secret_hash {blob} NOT NULL, uses {int} NOT NULL, uses_left {int} NOT NULL CHECK (uses_left >= 0), created_at_ms {int} NOT NULL, expires_at_ms {int} NOT NULL, revoked_at_ms {int}, created_by TEXT NOT NULL, node_name TEXT, specialization TEXT) {strict}",
      "CREATE INDEX join_token_age ON join_token (created_at_ms, id)",
      "CREATE TABLE enrolment (token TEXT NOT NULL, csr_hash {blob} NOT NULL, node TEXT NOT NULL, at_ms {int} NOT NULL, PRIMARY KEY (token, csr_hash)) {strict}",
      "CREATE INDEX enrolment_age ON enrolment (at_ms)",
    ],
  },
  {
    name: "access/0002-node-certificates",
    statements: [
      "CREATE TABLE node_certificate (node TEXT PRIMARY KEY, not_after_ms {int} NOT NULL) {strict}",
      "CREATE TABLE retired_key (public_key {blob} PRIMARY KEY, node TEXT NOT NULL, at_ms {int} NOT NULL) {strict}",
      "CREATE INDEX retired_key_node ON retired_key (node, at_ms)",
    ],
  },
  {
    name: "access/0003-logins",
    statements: [
      "CREATE TABLE refresh_token (hash {blob} PRIMARY KEY, login TEXT NOT NULL, node TEXT NOT NULL, node_key {blob} NOT NULL, expires_at_ms {int} NOT NULL, used_at_ms {int}, revoked_at_ms {int}) {strict}",
      "CREATE INDEX refresh_token_login ON refresh_token (login)",
      "CREATE INDEX refresh_token_age ON refresh_token (expires_at_ms)",
    ],
  },
  {
    name: "access/0004-visitors",
    statements: [
      "ALTER TABLE join_token ADD COLUMN visitor_network TEXT",
      "ALTER TABLE join_token ADD COLUMN visitor_key {blob}",
      "ALTER TABLE join_token ADD COLUMN visitor_org TEXT",
    ],
  },
];
