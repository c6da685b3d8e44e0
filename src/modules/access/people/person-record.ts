import type { Caller, Role } from "@/core/caller.ts";
import { PERSON_ROLES } from "@/core/person.ts";

/** A person as the pool knows him. The password is there as a slow hash only. */
export interface Person {
  readonly name: string;
  readonly roles: readonly Role[];
  readonly org: string | undefined;
  readonly isDisabled: boolean;
  /** Another one ends every login and session before it. */
  readonly generation: string;
  readonly passwordHash: string;
  /** Until when a password made by an admin may be used to choose one's own; undefined for one's own. */
  readonly oneTimeUntilMs: number | undefined;
  readonly passwordAtMs: number;
  readonly createdAtMs: number;
  readonly createdBy: string;
}

interface StoredPerson {
  readonly name: string;
  readonly roles: string;
  readonly org: string | null;
  readonly disabled: bigint;
  readonly generation: string;
  readonly password_hash: string;
  readonly one_time_until_ms: bigint | null;
  readonly password_at_ms: bigint;
  readonly created_at_ms: bigint;
  readonly created_by: string;
}

/** A person as a row. */
export function rowOf(person: Person): StoredPerson {
  const { oneTimeUntilMs } = person;
  return {
    name: person.name,
    roles: person.roles.join(","),
    org: person.org ?? null,
    disabled: person.isDisabled ? 1n : 0n,
    generation: person.generation,
    password_hash: person.passwordHash,
    one_time_until_ms: oneTimeUntilMs === undefined ? null : BigInt(oneTimeUntilMs),
    password_at_ms: BigInt(person.passwordAtMs),
    created_at_ms: BigInt(person.createdAtMs),
    created_by: person.createdBy,
  };
}

/** A row as a person. */
export function personOf(row: StoredPerson): Person {
  return {
    name: row.name,
    roles: rolesIn(row.roles),
    org: row.org ?? undefined,
    isDisabled: row.disabled !== 0n,
    generation: row.generation,
    passwordHash: row.password_hash,
    oneTimeUntilMs: row.one_time_until_ms === null ? undefined : Number(row.one_time_until_ms),
    passwordAtMs: Number(row.password_at_ms),
    createdAtMs: Number(row.created_at_ms),
    createdBy: row.created_by,
  };
}

/** Roles as they are stored; one this program does not know gives nothing. */
export function rolesIn(text: string): readonly Role[] {
  const named = text.split(",");
  return PERSON_ROLES.filter((role) => named.includes(role));
}

/** A person who calls. */
export function callerOf({ name, roles, org }: Pick<Person, "name" | "roles" | "org">): Caller {
  const caller: Caller = { type: "user", id: `user:${name}`, roles };
  return org === undefined ? caller : { ...caller, org };
}

/** Whether a person can make others admins: by an own password or by one that still waits. */
export function isActiveAdmin(person: Person): boolean {
  return person.roles.includes("admin") && !person.isDisabled && person.org === undefined;
}
