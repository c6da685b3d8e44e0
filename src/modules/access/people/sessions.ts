import type { Caller } from "@/core/caller.ts";
import { csrfTokenOf } from "@/core/session.ts";
import { SECRET_BYTES, secretHash, secretOf } from "@/core/token.ts";
import type { Audit } from "@/modules/audit/service.ts";
import type { Clock } from "@/ports/clock.ts";
import type { Database } from "@/ports/database.ts";
import type { Random } from "@/ports/random.ts";
import { toHex } from "@/std/bytes.ts";
import { callerOf, type Person } from "./person-record.ts";
import type { Persons } from "./persons.ts";

/** How long sessions live, and how many there are. */
export interface SessionTerms {
  /** Unused for this long it ends. */
  readonly idleMs: number;
  /** It ends after this, however much it is used. */
  readonly lifeMs: number;
  readonly sessionsMax: number;
  readonly sessionsOfOneMax: number;
}

/** What sessions work with. */
export interface SessionParts extends SessionTerms {
  readonly database: Database;
  readonly clock: Clock;
  readonly random: Random;
  readonly audit: Audit;
  readonly persons: Persons;
}

interface Session {
  readonly person: string;
  readonly generation: string;
  readonly begunMs: number;
  seenMs: number;
}

/** A session as its page is told. */
export interface SessionSeen {
  readonly caller: Caller;
  readonly csrfToken: string;
  readonly leftMs: number;
  readonly idleMs: number;
}

/**
 * Sessions of people in a browser. Only hashes are kept, in memory: a restart ends them, and people
 * sign in again. Whatever changes of a person ends his sessions; durations are monotonic.
 */
export class Sessions {
  readonly #parts: SessionParts;
  /** By hash; the one used longest ago stands first. */
  readonly #sessions = new Map<string, Session>();

  constructor(parts: SessionParts) {
    this.#parts = parts;
  }

  /** Begins a session; its secret is answered here and never again. */
  async begin(person: Person): Promise<string> {
    const { database, audit, clock, random } = this.#parts;
    const secret = `gps_${secretOf(random.bytes(SECRET_BYTES))}`;
    const caller = callerOf(person);
    await database.commit([audit.row(caller, "session.started", caller.id)]);
    this.#makePlace(person.name);
    const now = clock.monotonic();
    const { name, generation } = person;
    this.#sessions.set(keyOf(secret), { person: name, generation, begunMs: now, seenMs: now });
    return secret;
  }

  /** Who a session is of; using it keeps it. */
  callerOf(secret: string): Caller | undefined {
    return this.find(secret)?.caller;
  }

  /** A session that lives. */
  find(secret: string): SessionSeen | undefined {
    const key = keyOf(secret);
    const session = this.#sessions.get(key);
    if (!session) return undefined;
    const person = this.#personOf(session);
    this.#sessions.delete(key);
    if (!person) return undefined;
    session.seenMs = this.#parts.clock.monotonic();
    this.#sessions.set(key, session);
    const { lifeMs, idleMs } = this.#parts;
    const leftMs = session.begunMs + lifeMs - session.seenMs;
    return { caller: callerOf(person), csrfToken: csrfTokenOf(secret), leftMs, idleMs };
  }

  /** Ends a session; false when there is none. */
  async end(secret: string): Promise<boolean> {
    const seen = this.find(secret);
    if (!seen) return false;
    this.#sessions.delete(keyOf(secret));
    const { database, audit } = this.#parts;
    await database.commit([audit.row(seen.caller, "session.ended", seen.caller.id)]);
    return true;
  }

  #personOf(session: Session): Person | undefined {
    const { clock, idleMs, lifeMs, persons } = this.#parts;
    const now = clock.monotonic();
    if (now - session.seenMs >= idleMs || now - session.begunMs >= lifeMs) return undefined;
    const person = persons.find(session.person);
    if (!person || person.isDisabled) return undefined;
    return person.generation === session.generation ? person : undefined;
  }

  /** The oldest of this person, or of all, make place for a new one. */
  #makePlace(name: string): void {
    const { sessionsMax, sessionsOfOneMax } = this.#parts;
    for (const [key, session] of this.#sessions) {
      if (!this.#personOf(session)) this.#sessions.delete(key);
    }
    const own = [...this.#sessions].filter(([, { person }]) => person === name);
    if (own.length >= sessionsOfOneMax) this.#sessions.delete(own[0]?.[0] ?? "");
    const [oldest] = this.#sessions.keys();
    if (this.#sessions.size >= sessionsMax) this.#sessions.delete(oldest ?? "");
  }
}

function keyOf(secret: string): string {
  return toHex(secretHash(secret));
}
