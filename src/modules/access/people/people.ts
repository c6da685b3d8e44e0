import type { Audit } from "@/modules/audit/service.ts";
import type { Authority } from "@/modules/certificates/service.ts";
import type { Clock } from "@/ports/clock.ts";
import type { Database } from "@/ports/database.ts";
import type { Passwords } from "@/ports/passwords.ts";
import type { Random } from "@/ports/random.ts";
import type { Tokens } from "@/ports/tokens.ts";
import { ApiKeys } from "./api-keys.ts";
import { HashQueue } from "./hash-queue.ts";
import { LoginLimit, type LoginTerms } from "./login-limit.ts";
import { PersonLogins } from "./person-logins.ts";
import { Persons } from "./persons.ts";
import { Sessions, type SessionTerms } from "./sessions.ts";
import { SignIn } from "./sign-in.ts";

/** The figures people and keys are kept by. */
export interface PeopleTerms {
  readonly personsMax: number;
  readonly keysMax: number;
  readonly hashesAtOnce: number;
  readonly hashesWaitingMax: number;
  readonly oneTimeMs: number;
  readonly accessMs: number;
  readonly refreshMs: number;
  readonly login: LoginTerms;
  readonly session: SessionTerms;
}

/** What people and keys work with. */
export interface PeopleParts {
  readonly database: Database;
  readonly clock: Clock;
  readonly random: Random;
  readonly audit: Audit;
  readonly passwords: Passwords;
  readonly authority: Authority;
  readonly tokens: Tokens;
  readonly terms: PeopleTerms;
  readonly areas: () => ReadonlySet<string>;
}

/** Everybody who is let in and is no node: people and API keys. */
export class People {
  readonly persons: Persons;
  readonly keys: ApiKeys;
  readonly signIn: SignIn;
  readonly logins: PersonLogins;
  readonly sessions: Sessions;
  readonly nowMs: () => number;

  constructor(parts: PeopleParts) {
    const { terms, clock } = parts;
    this.nowMs = () => clock.now();
    const hashes = new HashQueue({
      atOnce: terms.hashesAtOnce,
      waitingMax: terms.hashesWaitingMax,
    });
    const findPerson = (name: string) => this.persons.find(name);
    this.keys = new ApiKeys({ ...parts, keysMax: terms.keysMax, findPerson });
    this.persons = new Persons({
      ...parts,
      ...terms,
      hashes,
      endKeysOf: (maker) => this.keys.endKeysOf(maker),
    });
    const both = { persons: this.persons, keys: this.keys };
    const limit = new LoginLimit(clock, terms.login);
    this.signIn = new SignIn({ ...parts, ...both, hashes, limit });
    this.sessions = new Sessions({ ...parts, ...terms.session, persons: this.persons });
    this.logins = new PersonLogins({ ...parts, ...terms, ...both });
  }

  /** Reads who there is. */
  async load(): Promise<void> {
    await this.persons.load();
    await this.keys.load();
    await this.logins.load();
  }
}
