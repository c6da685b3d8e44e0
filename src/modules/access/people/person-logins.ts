import type { Caller } from "@/core/caller.ts";
import { SECRET_BYTES, secretHash, secretOf } from "@/core/token.ts";
import type { Audit } from "@/modules/audit/service.ts";
import type { Authority } from "@/modules/certificates/service.ts";
import type { Clock } from "@/ports/clock.ts";
import type { Database, Write } from "@/ports/database.ts";
import type { Random } from "@/ports/random.ts";
import type { AccessClaims, Tokens } from "@/ports/tokens.ts";
import { toBase32 } from "@/std/bytes.ts";
import { isRefusal } from "@/std/errors.ts";
import type { Grant } from "../node-logins.ts";
import { badCredentials } from "../refusals.ts";
import type { ApiKeys } from "./api-keys.ts";
import { type ApiKey, callerOfKey } from "./key-record.ts";
import { callerOf, type Person } from "./person-record.ts";
import type { Persons } from "./persons.ts";

const REFRESH_SHAPE = /^gpl_[a-z2-7]{26}$/;

/** What the logins of people and keys work with. */
export interface PersonLoginParts {
  readonly database: Database;
  readonly clock: Clock;
  readonly random: Random;
  readonly audit: Audit;
  readonly authority: Authority;
  readonly tokens: Tokens;
  readonly persons: Persons;
  readonly keys: ApiKeys;
  readonly accessMs: number;
  readonly refreshMs: number;
}

/** Who signs in: a person or a key, as it is now. */
interface Subject {
  readonly caller: Caller;
  /** Another one ends every login that was begun with this one. */
  readonly generation: string;
}

/**
 * Logins of people and API keys: short access tokens, and refresh tokens that are good once. Whatever
 * changes of a person changes his generation, and no login outlives that; a login of which a refresh
 * token comes twice ends, for one of the two is a thief.
 */
export class PersonLogins {
  readonly #parts: PersonLoginParts;
  /** Logins ended lately, with the time after which none of their access tokens lives. */
  readonly #ended = new Map<string, number>();

  constructor(parts: PersonLoginParts) {
    this.#parts = parts;
  }

  /** Remembers after a start which logins were ended while their access tokens still live. */
  async load(): Promise<void> {
    const { database, accessMs } = this.#parts;
    const rows = await database.sql
      .selectFrom("login_token")
      .select(["login"])
      .distinct()
      .where("revoked_at_ms", ">", BigInt(this.#now() - 2 * accessMs))
      .execute();
    for (const { login } of rows) this.#ended.set(login, this.#now() + 2 * accessMs);
  }

  recognises(token: string): boolean {
    return token.startsWith("gpl_");
  }

  /** Begins the login of a person. */
  begin(person: Person): Promise<Grant> {
    return this.#begin({ caller: callerOf(person), generation: person.generation });
  }

  /** Begins the login of a key. */
  beginWithKey(key: ApiKey): Promise<Grant> {
    return this.#begin({ caller: callerOfKey(key), generation: key.id });
  }

  /** The next grant of a login. */
  async refresh(token: string): Promise<Grant> {
    const row = await this.#row(token);
    if (!row || row.revoked_at_ms !== null || this.#now() >= row.expires_at_ms) {
      throw badCredentials();
    }
    if (row.used_at_ms !== null) return this.#endReused(row.login, row.subject);
    const subject = this.#subject(row.subject, row.generation);
    if (!subject) throw badCredentials();
    try {
      return await this.#grant(row.login, subject, "login.refreshed", [this.#use(row.hash)]);
    } catch (error) {
      if (!isRefusal(error) || error.code !== badCredentials().code) throw error;
      return this.#endReused(row.login, row.subject);
    }
  }

  /** Ends the login a refresh token belongs to; an unknown one, or one that ended, changes nothing. */
  async revoke(token: string): Promise<void> {
    const row = await this.#row(token);
    if (row?.revoked_at_ms === null) await this.#end(row.login, row.subject, "login.ended");
  }

  /** Whom an access token stands for now; undefined when its login has ended in whatever way. */
  callerOf(claims: AccessClaims): Caller | undefined {
    const subject = this.#subject(claims.subject, claims.generation ?? "");
    if (!subject || this.#ended.has(claims.login)) return undefined;
    const { id } = subject.caller;
    if (subject.caller.type !== "key") return subject.caller;
    const key = this.#parts.keys.findGood(id.slice("key:".length));
    return key && this.#parts.keys.use(key);
  }

  #begin(subject: Subject): Promise<Grant> {
    const login = toBase32(this.#parts.random.bytes(10));
    return this.#grant(login, subject, "login.started", [this.#forgetOld()]);
  }

  #subject(id: string, generation: string): Subject | undefined {
    const { persons, keys } = this.#parts;
    const [kind, name = ""] = id.split(":");
    if (kind === "key") {
      const key = keys.findGood(name);
      return key && key.id === generation ? { caller: callerOfKey(key), generation } : undefined;
    }
    const person = kind === "user" ? persons.find(name) : undefined;
    if (!person || person.isDisabled || person.generation !== generation) return undefined;
    return { caller: callerOf(person), generation };
  }

  async #grant(
    login: string,
    subject: Subject,
    action: string,
    before: readonly Write[],
  ): Promise<Grant> {
    const { database, audit, random, accessMs, refreshMs } = this.#parts;
    const refreshToken = `gpl_${secretOf(random.bytes(SECRET_BYTES))}`;
    const row = {
      hash: secretHash(refreshToken),
      login,
      subject: subject.caller.id,
      generation: subject.generation,
      expires_at_ms: BigInt(this.#now() + refreshMs),
      used_at_ms: null,
      revoked_at_ms: null,
    };
    await database.commit([
      ...before,
      { query: database.sql.insertInto("login_token").values(row).compile(), rows: 1 },
      audit.row(subject.caller, action, subject.caller.id, { login }),
    ]);
    return {
      accessToken: this.#accessToken(login, subject),
      refreshToken,
      expiresInSeconds: accessMs / 1000,
      refreshExpiresInSeconds: refreshMs / 1000,
    };
  }

  #accessToken(login: string, { caller, generation }: Subject): string {
    const { authority, tokens, random, accessMs } = this.#parts;
    const { id: subject, roles, org, scopes } = caller;
    return tokens.sign(authority.jwtKey(), {
      issuer: authority.installationId,
      subject,
      role: roles[0] ?? "",
      roles,
      ...(org === undefined ? {} : { org }),
      ...(scopes === undefined ? {} : { scopes }),
      id: toBase32(random.bytes(10)),
      login,
      generation,
      issuedAtMs: this.#now(),
      expiresAtMs: this.#now() + accessMs,
    });
  }

  async #row(token: string) {
    if (!REFRESH_SHAPE.test(token)) return undefined;
    const query = this.#parts.database.sql.selectFrom("login_token").selectAll();
    const [row] = await query.where("hash", "=", secretHash(token)).execute();
    return row;
  }

  /** Uses a refresh token up, unless it was used or revoked meanwhile. */
  #use(hash: Uint8Array): Write {
    const query = this.#parts.database.sql
      .updateTable("login_token")
      .set({ used_at_ms: BigInt(this.#now()) })
      .where("hash", "=", hash)
      .where("used_at_ms", "is", null)
      .where("revoked_at_ms", "is", null);
    return { query: query.compile(), rows: 1, refusal: badCredentials() };
  }

  async #endReused(login: string, subject: string): Promise<never> {
    await this.#end(login, subject, "login.reused");
    throw badCredentials();
  }

  async #end(login: string, subject: string, action: string): Promise<void> {
    const { database, audit, accessMs } = this.#parts;
    const query = database.sql
      .updateTable("login_token")
      .set({ revoked_at_ms: BigInt(this.#now()) })
      .where("login", "=", login)
      .where("revoked_at_ms", "is", null);
    const type = subject.startsWith("key:") ? "key" : "user";
    const caller: Caller = { type, id: subject, roles: [] };
    await database.commit([
      { query: query.compile() },
      audit.row(caller, action, subject, { login }),
    ]);
    for (const [one, untilMs] of this.#ended) if (untilMs < this.#now()) this.#ended.delete(one);
    this.#ended.set(login, this.#now() + 2 * accessMs);
  }

  #forgetOld(): Write {
    const query = this.#parts.database.sql.deleteFrom("login_token");
    return { query: query.where("expires_at_ms", "<", BigInt(this.#now())).compile() };
  }

  #now(): number {
    return this.#parts.clock.now();
  }
}
