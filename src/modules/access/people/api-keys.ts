import type { Caller, Role } from "@/core/caller.ts";
import { orgProblem } from "@/core/node-profile.ts";
import { isOfOrg, mayGrant, PERSON_ROLES } from "@/core/person.ts";
import { isScope } from "@/core/scope.ts";
import { SECRET_BYTES, secretHash, secretOf, TOKEN_ID_BYTES, tokenIdOf } from "@/core/token.ts";
import type { Audit } from "@/modules/audit/service.ts";
import type { Clock } from "@/ports/clock.ts";
import type { Database, Write } from "@/ports/database.ts";
import type { Random } from "@/ports/random.ts";
import { sameBytes } from "@/std/bytes.ts";
import { type ApiKey, callerOfKey, keyOf, keyRowOf, keyStateOf } from "./key-record.ts";
import { callerOf, type Person } from "./person-record.ts";
import { grantTooWide, invalid, keyUnknown, tooMany } from "./refusals.ts";

const DAY_MS = 86_400_000;
/** How long a dead key stays in the list. */
const KEPT_MS = 30 * DAY_MS;
const SHAPE = /^gpk_([a-z2-7]{8})_[a-z2-7]{26}$/;
const NAME_LETTERS_MAX = 64;

/** The longest an API key may live, and its usual life, in seconds. */
export const KEY_TTL_SECONDS_MAX = 365 * 86_400;
export const KEY_TTL_SECONDS_DEFAULT = 90 * 86_400;

/** What API keys work with. */
export interface ApiKeyParts {
  readonly database: Database;
  readonly clock: Clock;
  readonly random: Random;
  readonly audit: Audit;
  readonly keysMax: number;
  readonly findPerson: (name: string) => Person | undefined;
  /** The areas there are, so that a scope nobody could use is refused where it is made. */
  readonly areas: () => ReadonlySet<string>;
}

/** What is asked of a new key. */
export interface ApiKeyTerms {
  readonly name?: string | undefined;
  readonly roles: readonly Role[];
  readonly org?: string | undefined;
  readonly scopes?: readonly string[] | undefined;
  readonly ttlSeconds?: number | undefined;
}

/** The end of somebody's keys: in a commit, and after it. */
export interface EndedKeys {
  readonly writes: readonly Write[];
  readonly done: () => void;
}

/** A new key, and the text that is shown once. */
export interface CreatedKey {
  readonly key: ApiKey;
  readonly text: string;
}

/**
 * API keys `gpk_<id>_<secret>`: shown once, kept as SHA-256 (130 bits need no slow hash), in memory so
 * that a revoked one is dead from the commit on. When one was last used is written rarely.
 */
export class ApiKeys {
  readonly #parts: ApiKeyParts;
  readonly #keys = new Map<string, ApiKey>();
  readonly #used = new Map<string, number>();

  constructor(parts: ApiKeyParts) {
    this.#parts = parts;
  }

  async load(): Promise<void> {
    const rows = await this.#parts.database.sql.selectFrom("api_key").selectAll().execute();
    for (const row of rows) this.#keys.set(row.id, keyOf(row));
  }

  recognises(secret: string): boolean {
    return secret.startsWith("gpk_");
  }

  /** The key a text is, while it is good; comparing hashes takes the same time for every guess. */
  keyOf(text: string): ApiKey | undefined {
    const [, id = ""] = SHAPE.exec(text) ?? [];
    const key = this.#keys.get(id);
    if (!key || !sameBytes(secretHash(text), key.secretHash)) return undefined;
    return this.isGood(key) ? key : undefined;
  }

  /** Who calls with a key. */
  callerOf(text: string): Caller | undefined {
    const key = this.keyOf(text);
    return key && this.use(key);
  }

  /** A key by its id, while it is good. */
  findGood(id: string): ApiKey | undefined {
    const key = this.#keys.get(id);
    return key && this.isGood(key) ? key : undefined;
  }

  /** Remembers that a key is used now. */
  use(key: ApiKey): Caller {
    this.#used.set(key.id, this.#parts.clock.now());
    return callerOfKey(key);
  }

  /** Whether a key is live, and whoever made it may still give as much. */
  isGood(key: ApiKey): boolean {
    if (keyStateOf(key, this.#parts.clock.now()) !== "live") return false;
    const [kind, name = ""] = key.createdBy.split(":");
    if (kind === "key") return this.findGood(name) !== undefined;
    if (kind !== "user") return true;
    const maker = this.#parts.findPerson(name);
    if (!maker || maker.isDisabled || maker.createdAtMs > key.createdAtMs) return false;
    return mayGrant(callerOf(maker), key);
  }

  /** A key the caller may see; refuses otherwise (`key.unknown`). */
  get(caller: Caller, id: string): ApiKey {
    const key = this.#keys.get(id);
    if (!key || !isOfOrg(caller, key.org)) throw keyUnknown(id);
    return this.#seen(key);
  }

  /** Those the caller may see, the newest first. */
  list(caller: Caller): readonly ApiKey[] {
    const seen = [...this.#keys.values()].filter(({ org }) => isOfOrg(caller, org));
    const newestFirst = (a: ApiKey, b: ApiKey) =>
      b.createdAtMs - a.createdAtMs || (a.id < b.id ? 1 : -1);
    return seen.sort(newestFirst).map((key) => this.#seen(key));
  }

  /** Makes a key, together with other writes; its text is answered here and never again. */
  async create(
    caller: Caller,
    terms: ApiKeyTerms,
    also: (key: ApiKey) => readonly Write[] = () => [],
  ): Promise<CreatedKey> {
    this.#requireTerms(terms);
    const { roles, org, scopes } = { org: undefined, scopes: undefined, ...terms };
    if (!mayGrant(caller, { roles, org, scopes })) throw grantTooWide();
    this.#requirePlace();
    const { database, random, audit, clock } = this.#parts;
    const id = tokenIdOf(random.bytes(TOKEN_ID_BYTES));
    const text = `gpk_${id}_${secretOf(random.bytes(SECRET_BYTES))}`;
    const nowMs = clock.now();
    const ttlSeconds = terms.ttlSeconds ?? KEY_TTL_SECONDS_DEFAULT;
    const key: ApiKey = {
      id,
      secretHash: secretHash(text),
      name: terms.name ?? "",
      roles: PERSON_ROLES.filter((role) => roles.includes(role)),
      org,
      scopes: scopes && [...new Set(scopes)].sort(),
      createdAtMs: nowMs,
      createdBy: caller.id,
      expiresAtMs: nowMs + ttlSeconds * 1000,
      revokedAtMs: undefined,
      usedAtMs: undefined,
    };
    await database.commit([
      { query: database.sql.insertInto("api_key").values(keyRowOf(key)).compile(), rows: 1 },
      this.#forgetOld(),
      audit.row(caller, "key.created", `key:${id}`, detailOf(key)),
      ...also(key),
    ]);
    this.#dropOld();
    this.#keys.set(id, key);
    return { key, text };
  }

  /** Ends a key and every key that was made with it. */
  async revoke(caller: Caller, id: string): Promise<void> {
    const key = this.get(caller, id);
    const { roles, org, scopes } = key;
    if (!mayGrant(caller, { roles, org, scopes })) throw grantTooWide();
    if (key.revokedAtMs !== undefined) throw keyUnknown(id);
    const ids = [id, ...this.#madeBy(`key:${id}`)];
    const { database, audit } = this.#parts;
    await database.commit([
      ...ids.map((one) => this.#end(one)),
      ...ids.map((one) => audit.row(caller, "key.revoked", `key:${one}`)),
    ]);
    this.#markRevoked(ids);
  }

  /** Ends all that somebody made: writes for the commit that removes him, then what to do after it. */
  endKeysOf(maker: string): EndedKeys {
    const ids = this.#madeBy(maker);
    const writes = ids.map((id) => ({ query: this.#end(id).query }));
    return { writes, done: () => this.#markRevoked(ids) };
  }

  /** Writes when keys were last used; it loses nothing that matters when it never comes to that. */
  async flush(): Promise<void> {
    const { database } = this.#parts;
    const used = [...this.#used];
    this.#used.clear();
    for (const [id, atMs] of used) {
      const key = this.#keys.get(id);
      if (key) this.#keys.set(id, { ...key, usedAtMs: atMs });
    }
    if (used.length === 0) return;
    await database.commit(
      used.map(([id, atMs]) => {
        const query = database.sql.updateTable("api_key").set({ used_at_ms: BigInt(atMs) });
        return { query: query.where("id", "=", id).compile() };
      }),
    );
  }

  #seen(key: ApiKey): ApiKey {
    return { ...key, usedAtMs: this.#used.get(key.id) ?? key.usedAtMs };
  }

  /** The live keys somebody made, and those made with them, however far. */
  #madeBy(maker: string): string[] {
    const own = [...this.#keys.values()].filter(
      ({ createdBy, revokedAtMs }) => createdBy === maker && revokedAtMs === undefined,
    );
    return own.flatMap(({ id }) => [id, ...this.#madeBy(`key:${id}`)]);
  }

  #markRevoked(ids: readonly string[]): void {
    const revokedAtMs = this.#parts.clock.now();
    for (const id of ids) {
      const key = this.#keys.get(id);
      if (key) this.#keys.set(id, { ...key, revokedAtMs });
    }
  }

  #end(id: string): Write {
    const query = this.#parts.database.sql
      .updateTable("api_key")
      .set({ revoked_at_ms: BigInt(this.#parts.clock.now()) })
      .where("id", "=", id)
      .where("revoked_at_ms", "is", null);
    return { query: query.compile(), rows: 1, refusal: keyUnknown(id) };
  }

  #forgetOld(): Write {
    const before = BigInt(this.#parts.clock.now() - KEPT_MS);
    const query = this.#parts.database.sql.deleteFrom("api_key");
    const isOld = query.where((at) =>
      at.or([at("expires_at_ms", "<", before), at("revoked_at_ms", "<", before)]),
    );
    return { query: isOld.compile() };
  }

  #dropOld(): void {
    const before = this.#parts.clock.now() - KEPT_MS;
    for (const { id, expiresAtMs, revokedAtMs } of this.#keys.values()) {
      if (Math.min(expiresAtMs, revokedAtMs ?? expiresAtMs) < before) this.#keys.delete(id);
    }
  }

  #requirePlace(): void {
    this.#dropOld();
    if (this.#keys.size < this.#parts.keysMax) return;
    throw tooMany(
      "key.limit",
      "API keys, dead ones of the last 30 days among them,",
      this.#parts.keysMax,
    );
  }

  #requireTerms({ name, roles, org, scopes }: ApiKeyTerms): void {
    invalid("key.invalid", [
      { path: "name", message: name === undefined ? undefined : nameProblem(name) },
      { path: "roles", message: roles.length === 0 ? "must name at least one role" : undefined },
      { path: "org", message: org === undefined ? undefined : orgProblem(org) },
      { path: "scopes", message: scopes && this.#scopesProblem(scopes) },
    ]);
  }

  #scopesProblem(scopes: readonly string[]): string | undefined {
    if (scopes.length === 0) return "must name at least one scope, or be left out";
    const areas = this.#parts.areas();
    const isKnown = (scope: string) => isScope(scope) && areas.has(scope.split(":")[0] ?? "");
    if (scopes.every(isKnown)) return undefined;
    return `must be <area>:read or <area>:write, the area one of ${[...areas].sort().join(", ")}`;
  }
}

function nameProblem(name: string): string | undefined {
  const isGood = /^[\p{L}\p{N} ._@/+-]*$/u.test(name) && name.length <= NAME_LETTERS_MAX;
  return isGood
    ? undefined
    : `must be at most ${NAME_LETTERS_MAX} letters, digits, spaces and . _ @ / + -`;
}

function detailOf({ name, roles, org, scopes, expiresAtMs }: ApiKey) {
  const said = { name, roles: roles.join(","), org: org ?? null, expiresAtMs };
  return { ...said, scopes: scopes?.join(",") ?? null };
}
