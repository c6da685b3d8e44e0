import type { Clock } from "@/ports/clock.ts";
import type { Database, Migration, Write } from "@/ports/database.ts";
import type { Answer, Remember } from "@/ports/http.ts";
import { sameBytes, utf8 } from "@/std/bytes.ts";
import { sha256 } from "@/std/crypto.ts";
import { PoolError } from "@/std/errors.ts";

declare module "@/ports/database.ts" {
  interface Tables {
    idempotency: {
      caller: string;
      key: string;
      request_hash: Uint8Array;
      status: bigint;
      answer: string;
      at: bigint;
    };
  }
}

/** The table of remembered answers. */
export const idempotencyMigrations: readonly Migration[] = [
  {
    name: "2025-01-01-idempotency",
    statements: [
      `CREATE TABLE idempotency (
        caller TEXT NOT NULL,
        key TEXT NOT NULL,
        request_hash {blob} NOT NULL,
        status {int} NOT NULL,
        answer TEXT NOT NULL,
        at {int} NOT NULL,
        PRIMARY KEY (caller, key)
      ) {strict}`,
      "CREATE INDEX idempotency_at ON idempotency (at)",
    ],
  },
];

/** One POST that carries an Idempotency-Key. */
export interface KeyedRequest {
  readonly caller: string;
  readonly key: string;
  readonly requestHash: Uint8Array;
}

/** An answer, and whether it was given before. */
export interface OnceAnswer extends Answer {
  readonly replayed: boolean;
}

interface Underway {
  readonly requestHash: Uint8Array;
  readonly answer: Promise<OnceAnswer>;
}

/** The Idempotency-Key of a request; refuses one that is not 1 to 64 visible ASCII characters. */
export function idempotencyKeyOf(request: Request): string | undefined {
  const key = request.headers.get("idempotency-key");
  if (key === null) return undefined;
  if (/^[\x21-\x7e]{1,64}$/.test(key)) return key;
  const message = "must be 1 to 64 visible ASCII characters";
  throw new PoolError("invalid", "request.invalid", `The Idempotency-Key ${message}.`, {
    errors: [{ path: "headers.idempotency-key", message }],
  });
}

/** What a request asks for, as a hash: the same method, path and body give the same. */
export function requestHash(method: string, path: string, body: unknown): Uint8Array {
  return sha256(utf8(`${method} ${path}\n${JSON.stringify(body) ?? ""}`));
}

/** Does each keyed request once, and answers it the same again within the window. */
export class Idempotency {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #windowMs: number;
  readonly #underway = new Map<string, Underway>();

  constructor(database: Database, clock: Clock, windowMs: number) {
    this.#database = database;
    this.#clock = clock;
    this.#windowMs = windowMs;
  }

  /** A request that comes while its twin is underway waits for it and shares its end. */
  async once(
    request: KeyedRequest,
    act: (remember: Remember) => Promise<Answer>,
  ): Promise<OnceAnswer> {
    const name = `${request.caller}\n${request.key}`;
    const twin = this.#underway.get(name);
    if (twin) {
      requireSame(twin.requestHash, request.requestHash);
      return { ...(await twin.answer), replayed: true };
    }
    const answer = this.#answer(request, act);
    this.#underway.set(name, { requestHash: request.requestHash, answer });
    try {
      return await answer;
    } finally {
      this.#underway.delete(name);
    }
  }

  async #answer(
    request: KeyedRequest,
    act: (remember: Remember) => Promise<Answer>,
  ): Promise<OnceAnswer> {
    const known = await this.#find(request);
    if (known) return known;
    const taken = inProgress();
    let remembered = false;
    const remember = (answer: Answer): readonly Write[] => {
      remembered = true;
      return this.#writes(request, answer, taken);
    };
    try {
      const answer = await act(remember);
      if (!remembered) await this.#database.commit(this.#writes(request, answer, taken));
      return { ...answer, replayed: false };
    } catch (thrown) {
      if (thrown !== taken) throw thrown;
      return (await this.#find(request)) ?? Promise.reject(taken);
    }
  }

  async #find({ caller, key, requestHash }: KeyedRequest): Promise<OnceAnswer | undefined> {
    const row = await this.#database.sql
      .selectFrom("idempotency")
      .select(["request_hash", "status", "answer"])
      .where("caller", "=", caller)
      .where("key", "=", key)
      .where("at", ">", this.#expiredAt())
      .executeTakeFirst();
    if (!row) return undefined;
    requireSame(row.request_hash, requestHash);
    return { status: Number(row.status), body: JSON.parse(row.answer), replayed: true };
  }

  /** Forgets what is past the window, then remembers; a key that is taken refuses the whole commit. */
  #writes(request: KeyedRequest, answer: Answer, refusal: PoolError): readonly Write[] {
    const { sql } = this.#database;
    const forget = sql.deleteFrom("idempotency").where("at", "<=", this.#expiredAt());
    const remember = sql.insertInto("idempotency").values({
      caller: request.caller,
      key: request.key,
      request_hash: request.requestHash,
      status: BigInt(answer.status),
      answer: JSON.stringify(answer.body ?? null),
      at: BigInt(this.#clock.now()),
    });
    return [{ query: forget.compile() }, { query: remember.compile(), rows: 1, refusal }];
  }

  #expiredAt(): bigint {
    return BigInt(this.#clock.now() - this.#windowMs);
  }
}

function requireSame(first: Uint8Array, second: Uint8Array): void {
  if (sameBytes(first, second)) return;
  throw new PoolError(
    "conflict",
    "request.idempotency_differs",
    "This Idempotency-Key was used for another request; use a new key for a new request.",
  );
}

function inProgress(): PoolError {
  return new PoolError(
    "conflict",
    "request.in_progress",
    "The same request is being answered elsewhere; repeat it in a moment with the same key.",
  );
}
