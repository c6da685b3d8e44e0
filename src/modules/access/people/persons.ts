import type { Caller, Role } from "@/core/caller.ts";
import { orgProblem } from "@/core/node-profile.ts";
import {
  isOfOrg,
  mayGrant,
  PERSON_ROLES,
  passwordProblem,
  passwordText,
  personNameProblem,
} from "@/core/person.ts";
import type { Audit } from "@/modules/audit/service.ts";
import type { Clock } from "@/ports/clock.ts";
import type { Database, Write } from "@/ports/database.ts";
import type { Passwords } from "@/ports/passwords.ts";
import type { Random } from "@/ports/random.ts";
import { toBase32 } from "@/std/bytes.ts";
import { Turns } from "@/std/turns.ts";
import { badCredentials } from "../refusals.ts";
import type { EndedKeys } from "./api-keys.ts";
import type { HashQueue } from "./hash-queue.ts";
import { callerOf, isActiveAdmin, type Person, personOf, rowOf } from "./person-record.ts";
import {
  grantTooWide,
  invalid,
  lastAdmin,
  personExists,
  personUnknown,
  tooMany,
} from "./refusals.ts";

/** What the list of people works with. */
export interface PersonParts {
  readonly database: Database;
  readonly clock: Clock;
  readonly random: Random;
  readonly audit: Audit;
  readonly passwords: Passwords;
  readonly hashes: HashQueue;
  readonly personsMax: number;
  readonly oneTimeMs: number;
  /** What else ends in the same commit when somebody is deleted: his API keys. */
  readonly endKeysOf: (maker: string) => EndedKeys;
}

/** What is said of a new person. */
export interface NewPerson {
  readonly name: string;
  readonly roles: readonly Role[];
  readonly org?: string | undefined;
  /** Unstated, a password for one use is made. */
  readonly password?: string | undefined;
}

/** What may be changed of a person. */
export interface PersonChanges {
  readonly roles?: readonly Role[] | undefined;
  readonly org?: string | null | undefined;
  readonly isDisabled?: boolean | undefined;
}

/** A person, and the password for one use if one was made; it is shown here and never again. */
export interface MadePassword {
  readonly person: Person;
  readonly oneTimePassword: string | undefined;
}

interface NewPassword {
  readonly passwordHash: string;
  readonly oneTimeUntilMs: number | undefined;
  readonly passwordAtMs: number;
  readonly oneTimePassword: string | undefined;
}

/**
 * The people of this installation. All are in memory, so that what changes of a person counts from
 * the commit on; one change is made at a time, so that the last admin stays.
 */
export class Persons {
  readonly #parts: PersonParts;
  readonly #people = new Map<string, Person>();
  readonly #turns = new Turns();

  constructor(parts: PersonParts) {
    this.#parts = parts;
  }

  async load(): Promise<void> {
    const rows = await this.#parts.database.sql.selectFrom("person").selectAll().execute();
    for (const row of rows) this.#people.set(row.name, personOf(row));
  }

  /** Somebody by name, disabled or not. */
  find(name: string): Person | undefined {
    return this.#people.get(name);
  }

  /** Somebody the caller may see; refuses otherwise (`user.unknown`). */
  get(caller: Caller, name: string): Person {
    const person = this.#people.get(name);
    if (!person || !isOfOrg(caller, person.org)) throw personUnknown(name);
    return person;
  }

  /** Those the caller may see, by name. */
  list(caller: Caller): readonly Person[] {
    const seen = [...this.#people.values()].filter(({ org }) => isOfOrg(caller, org));
    return seen.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Adds a person, together with other writes. */
  async create(
    caller: Caller,
    wanted: NewPerson,
    also: (person: Person) => readonly Write[] = () => [],
  ): Promise<MadePassword> {
    requireTerms(wanted);
    requireMayGrant(caller, wanted.roles, wanted.org);
    const { oneTimePassword, ...password } = await this.#password(wanted);
    return this.#turns.take(async () => {
      const { personsMax, database, clock } = this.#parts;
      if (this.#people.has(wanted.name)) throw personExists(wanted.name);
      if (this.#people.size >= personsMax) throw tooMany("user.limit", "people", personsMax);
      const made = { createdAtMs: clock.now(), createdBy: caller.id, ...password };
      const { name, org, roles } = { org: undefined, ...wanted };
      const person = { name, org, roles: inOrder(roles), isDisabled: false, ...made };
      const whole = { ...person, generation: this.#generation() };
      const query = database.sql.insertInto("person").values(rowOf(whole)).compile();
      const detail = { roles: whole.roles.join(","), org: org ?? null };
      const insert = { query, rows: 1, refusal: personExists(name) };
      const row = this.#parts.audit.row(caller, "user.created", `user:${name}`, detail);
      await database.commit([insert, row, ...also(whole)]);
      this.#people.set(name, whole);
      return { person: whole, oneTimePassword };
    });
  }

  /** Changes roles, organization, or whether he may come in; every login of his ends. */
  update(caller: Caller, name: string, changes: PersonChanges): Promise<Person> {
    return this.#turns.take(async () => {
      const before = this.#own(caller, name);
      const { roles = before.roles, isDisabled = before.isDisabled } = changes;
      const org = changes.org === undefined ? before.org : (changes.org ?? undefined);
      requireTerms({ name, roles, org });
      requireMayGrant(caller, roles, org);
      const after = { ...before, roles: inOrder(roles), org, isDisabled };
      const detail = { roles: after.roles.join(","), org: org ?? null, disabled: isDisabled };
      const row = this.#parts.audit.row(caller, "user.updated", `user:${name}`, detail);
      return this.#save(after, () => [row]);
    });
  }

  /** Gives somebody another password: the one stated, or one for one use. Every login of his ends. */
  async reset(
    caller: Caller,
    name: string,
    stated?: string,
    also: (person: Person) => readonly Write[] = () => [],
  ): Promise<MadePassword> {
    this.#own(caller, name);
    const { oneTimePassword, ...password } = await this.#password({ name, password: stated });
    return this.#turns.take(async () => {
      const after = { ...this.#own(caller, name), ...password };
      const row = this.#parts.audit.row(caller, "user.password_reset", `user:${name}`);
      return { person: await this.#save(after, (whole) => [row, ...also(whole)]), oneTimePassword };
    });
  }

  /** Takes on the password somebody chose himself, who has just proven to know the one before. */
  async choose(proven: Person, password: string): Promise<void> {
    const { name, generation } = proven;
    const { oneTimePassword: _, ...chosen } = await this.#password({ name, password });
    await this.#turns.take(async () => {
      const before = this.#people.get(name);
      if (before?.generation !== generation) throw badCredentials();
      const row = this.#parts.audit.row(callerOf(before), "user.password_changed", `user:${name}`);
      await this.#save({ ...before, ...chosen }, () => [row]);
    });
  }

  /** Removes somebody, and every API key he made. */
  remove(caller: Caller, name: string): Promise<void> {
    return this.#turns.take(async () => {
      const person = this.#own(caller, name);
      this.#requireAdminBeside(person);
      const { database, audit, endKeysOf } = this.#parts;
      const query = database.sql.deleteFrom("person").where("name", "=", name).compile();
      const keys = endKeysOf(`user:${name}`);
      await database.commit([
        { query, rows: 1, refusal: personUnknown(name) },
        ...keys.writes,
        audit.row(caller, "user.deleted", `user:${name}`),
      ]);
      this.#people.delete(name);
      keys.done();
    });
  }

  /** Somebody this caller may change: of his organization, and with no more rights than he may give. */
  #own(caller: Caller, name: string): Person {
    const person = this.get(caller, name);
    requireMayGrant(caller, person.roles, person.org);
    return person;
  }

  async #save(after: Person, beside: (person: Person) => readonly Write[]): Promise<Person> {
    if (!isActiveAdmin(after)) this.#requireAdminBeside(after);
    const { database } = this.#parts;
    const whole = { ...after, generation: this.#generation() };
    const { name, ...columns } = rowOf(whole);
    const query = database.sql.updateTable("person").set(columns).where("name", "=", name);
    await database.commit([
      { query: query.compile(), rows: 1, refusal: personUnknown(name) },
      ...beside(whole),
    ]);
    this.#people.set(name, whole);
    return whole;
  }

  /** Whoever was the last admin stays one. */
  #requireAdminBeside({ name }: Person): void {
    const before = this.#people.get(name);
    if (!before || !isActiveAdmin(before)) return;
    const others = [...this.#people.values()].filter((other) => other.name !== name);
    if (!others.some(isActiveAdmin)) throw lastAdmin();
  }

  async #password(wanted: { name: string; password?: string | undefined }): Promise<NewPassword> {
    const { hashes, passwords, clock, random, oneTimeMs } = this.#parts;
    const made = wanted.password === undefined ? madeOf(random.bytes(13)) : undefined;
    const typed = made ?? passwordText(wanted.password ?? "");
    invalid("user.invalid", [
      { path: "password", message: made ? undefined : passwordProblem(typed, wanted.name) },
    ]);
    const passwordHash = await hashes.run(0, () => passwords.hash(typed));
    const passwordAtMs = clock.now();
    const oneTimeUntilMs = made === undefined ? undefined : passwordAtMs + oneTimeMs;
    return { passwordHash, oneTimeUntilMs, passwordAtMs, oneTimePassword: made };
  }

  #generation(): string {
    return toBase32(this.#parts.random.bytes(10));
  }
}

/** A password made by us: `gpp_` and 20 letters, 100 bits. */
function madeOf(bytes: Uint8Array): string {
  return `gpp_${toBase32(bytes).slice(0, 20)}`;
}

function requireMayGrant(caller: Caller, roles: readonly Role[], org: string | undefined): void {
  if (!mayGrant(caller, { roles, org })) throw grantTooWide();
}

function requireTerms({ name, roles, org }: Omit<NewPerson, "password">): void {
  invalid("user.invalid", [
    { path: "name", message: personNameProblem(name) },
    { path: "roles", message: roles.length === 0 ? "must name at least one role" : undefined },
    { path: "org", message: org === undefined ? undefined : orgProblem(org) },
  ]);
}

/** Each role once, in the order of the roles. */
function inOrder(roles: readonly Role[]): readonly Role[] {
  return PERSON_ROLES.filter((role) => roles.includes(role));
}
