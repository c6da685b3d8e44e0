import type { Caller, Role } from "@/core/caller.ts";
import { rolesIn } from "./person-record.ts";

/** An API key as the pool knows it; the secret is there as a hash only. */
export interface ApiKey {
  readonly id: string;
  readonly secretHash: Uint8Array;
  /** What it is for, in the words of who made it. */
  readonly name: string;
  readonly roles: readonly Role[];
  readonly org: string | undefined;
  /** Undefined is not limited. */
  readonly scopes: readonly string[] | undefined;
  readonly createdAtMs: number;
  readonly createdBy: string;
  readonly expiresAtMs: number;
  readonly revokedAtMs: number | undefined;
  readonly usedAtMs: number | undefined;
}

/** What became of a key; only a live one is good. */
export type ApiKeyState = "live" | "expired" | "revoked";

interface StoredKey {
  readonly id: string;
  readonly secret_hash: Uint8Array;
  readonly name: string;
  readonly roles: string;
  readonly org: string | null;
  readonly scopes: string | null;
  readonly created_at_ms: bigint;
  readonly created_by: string;
  readonly expires_at_ms: bigint;
  readonly revoked_at_ms: bigint | null;
  readonly used_at_ms: bigint | null;
}

/** The state of a key at a time. */
export function keyStateOf(key: ApiKey, nowMs: number): ApiKeyState {
  if (key.revokedAtMs !== undefined) return "revoked";
  return nowMs < key.expiresAtMs ? "live" : "expired";
}

/** A key that calls. */
export function callerOfKey({ id, roles, org, scopes }: ApiKey): Caller {
  const caller: Caller = { type: "key", id: `key:${id}`, roles };
  return { ...caller, ...(org === undefined ? {} : { org }), ...(scopes ? { scopes } : {}) };
}

/** A key as a row. */
export function keyRowOf(key: ApiKey): StoredKey {
  return {
    id: key.id,
    secret_hash: key.secretHash,
    name: key.name,
    roles: key.roles.join(","),
    org: key.org ?? null,
    scopes: key.scopes?.join(",") ?? null,
    created_at_ms: BigInt(key.createdAtMs),
    created_by: key.createdBy,
    expires_at_ms: BigInt(key.expiresAtMs),
    revoked_at_ms: timeIn(key.revokedAtMs),
    used_at_ms: timeIn(key.usedAtMs),
  };
}

/** A row as a key. */
export function keyOf(row: StoredKey): ApiKey {
  return {
    id: row.id,
    secretHash: row.secret_hash,
    name: row.name,
    roles: rolesIn(row.roles),
    org: row.org ?? undefined,
    scopes: row.scopes?.split(",").filter((scope) => scope !== ""),
    createdAtMs: Number(row.created_at_ms),
    createdBy: row.created_by,
    expiresAtMs: Number(row.expires_at_ms),
    revokedAtMs: row.revoked_at_ms === null ? undefined : Number(row.revoked_at_ms),
    usedAtMs: row.used_at_ms === null ? undefined : Number(row.used_at_ms),
  };
}

function timeIn(ms: number | undefined): bigint | null {
  return ms === undefined ? null : BigInt(ms);
}
