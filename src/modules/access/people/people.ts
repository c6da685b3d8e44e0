import type { Audit } from "@/modules/audit/service.ts";
import type { Clock } from "@/ports/clock.ts";
import type { Database } from "@/ports/database.ts";
import type { Passwords } from "@/ports/passwords.ts";
import type { Random } from "@/ports/random.ts";
import { ApiKeys } from "./api-keys.ts";
import { HashQueue } from "./hash-queue.ts";
import { Persons } from "./persons.ts";

/** The figures people and keys are kept by. */
export interface PeopleTerms {
  readonly personsMax: number;
  readonly keysMax: number;
  readonly hashesAtOnce: number;
  readonly hashesWaitingMax: number;
  readonly oneTimeMs: number;
}

/** What people and keys work with. */
export interface PeopleParts {
  readonly database: Database;
  readonly clock: Clock;
  readonly random: Random;
  readonly audit: Audit;
  readonly passwords: Passwords;
  readonly terms: PeopleTerms;
  readonly areas: () => ReadonlySet<string>;
}

/** Everybody who is let in and is no node: people and API keys. */
export class People {
  readonly persons: Persons;
  readonly keys: ApiKeys;
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
  }

  /** Reads who there is. */
  async load(): Promise<void> {
    await this.persons.load();
    await this.keys.load();
  }
}
