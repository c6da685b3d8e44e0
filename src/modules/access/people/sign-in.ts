import { passwordText } from "@/core/person.ts";
import type { Clock } from "@/ports/clock.ts";
import type { Passwords } from "@/ports/passwords.ts";
import { badCredentials } from "../refusals.ts";
import type { ApiKeys } from "./api-keys.ts";
import type { HashQueue } from "./hash-queue.ts";
import type { ApiKey } from "./key-record.ts";
import type { LoginLimit } from "./login-limit.ts";
import type { Person } from "./person-record.ts";
import type { Persons } from "./persons.ts";
import { passwordOneTime } from "./refusals.ts";

const PASSWORD_BYTES_MAX = 1_024;

/** What signing in works with. */
export interface SignInParts {
  readonly clock: Clock;
  readonly passwords: Passwords;
  readonly hashes: HashQueue;
  readonly persons: Persons;
  readonly keys: ApiKeys;
  readonly limit: LoginLimit;
}

/** A name and what is said to be its password. */
export interface Proof {
  readonly user: string;
  readonly password: string;
}

/**
 * Whether somebody is who he says. A name nobody has, one that is kept out, and a wrong password get
 * the same answer after the same work.
 */
export class SignIn {
  readonly #parts: SignInParts;
  #nobody: Promise<string> | undefined;

  constructor(parts: SignInParts) {
    this.#parts = parts;
  }

  /** The person a password proves; a password for one use is not for this (`user.password_one_time`). */
  async prove(address: string, proof: Proof): Promise<Person> {
    const person = await this.#proven(address, proof);
    if (person.oneTimeUntilMs !== undefined) throw passwordOneTime();
    return person;
  }

  /** Takes an own password in exchange for the one before, which may be one for one use. */
  async choose(address: string, proof: Proof, password: string): Promise<void> {
    await this.#parts.persons.choose(await this.#proven(address, proof), password);
  }

  /** The key a text is. */
  proveKey(address: string, text: string): Promise<ApiKey> {
    return this.#parts.limit.attempt("", address, async () => {
      const key = this.#parts.keys.keyOf(text);
      if (!key) throw badCredentials();
      return key;
    });
  }

  /** How many addresses are kept out for guessing. */
  blockedCount(): number {
    return this.#parts.limit.blockedCount();
  }

  #proven(address: string, { user, password }: Proof): Promise<Person> {
    const name = user.toLowerCase();
    const { limit, hashes, persons } = this.#parts;
    return limit.attempt(name, address, () =>
      hashes.run(limit.rank(name, address), async () => {
        const person = persons.find(name);
        const isProven = await this.#verify(password, person?.passwordHash);
        if (!person || !isProven || person.isDisabled) throw badCredentials();
        if (persons.find(name)?.generation !== person.generation) throw badCredentials();
        const { oneTimeUntilMs = Number.POSITIVE_INFINITY } = person;
        if (this.#parts.clock.now() >= oneTimeUntilMs) throw badCredentials();
        return person;
      }),
    );
  }

  /** Nobody's password is verified too, and found wrong. */
  async #verify(password: string, hash: string | undefined): Promise<boolean> {
    const { passwords } = this.#parts;
    if (Buffer.byteLength(password) > PASSWORD_BYTES_MAX) return false;
    this.#nobody ??= passwords.hash("nobody has this password");
    const nobody = await this.#nobody;
    return (await passwords.verify(passwordText(password), hash ?? nobody)) && hash !== undefined;
  }
}
