import { type Caller, systemCaller } from "@/core/caller.ts";
import { isWorkDone, workBits } from "@/core/enrolment-work.ts";
import type { PoolId } from "@/core/ids.ts";
import { type Pool, poolUnknown } from "@/core/pool.ts";
import type { Registry } from "@/modules/registry/service.ts";
import type { Write } from "@/ports/database.ts";
import type { Random } from "@/ports/random.ts";
import { concat, sameBytes, toHex, utf8 } from "@/std/bytes.ts";
import { Writer } from "@/std/codec.ts";
import { hmacSha256 } from "@/std/crypto.ts";
import { PoolError } from "@/std/errors.ts";
import { networkOf } from "@/std/network.ts";
import type { CreatedToken, JoinTokenRecord, JoinTokens } from "./join-tokens.ts";
import { clockUntrusted, workRefused } from "./refusals.ts";

const MINUTE_MS = 60_000;
/** How long a challenge is good, and the token it was solved for. */
const CHALLENGE_MS = 5 * MINUTE_MS;
const TOKEN_SECONDS = 15 * 60;
const NONCE_BYTES = 16;
const ID_LETTERS = 26;
const SAID_BYTES = 1 + 8 + ID_LETTERS + NONCE_BYTES;
const MAC_BYTES = 32;
const KEY_BYTES = 32;
/** How many solved challenges are remembered while they would still be good. */
const SOLVED_MAX = 10_000;

/** What visitors are let in with. */
export interface VisitorParts {
  readonly registry: Registry;
  readonly joinTokens: JoinTokens;
  readonly random: Random;
  readonly workBits: number;
  readonly time: () => { readonly nowMs: number; readonly trusted: boolean };
}

/** What a stranger is to do. */
export interface VisitorWork {
  readonly challenge: Uint8Array;
  readonly bits: number;
  readonly expiresAtMs: number;
  readonly pool: Pool;
}

/** Who asks for a token, and for which key. */
export interface Visit {
  readonly address: string;
  readonly nodeKey: Uint8Array;
}

type Also = (token: JoinTokenRecord) => readonly Write[];

/**
 * Gives strangers tokens of public pools, for work or for an API key. A challenge is not kept: a MAC
 * says that it is ours, with a secret of this run; only solved ones are remembered until they expire.
 */
export class Visitors {
  readonly #parts: VisitorParts;
  readonly #secret: Uint8Array;
  readonly #solved = new Map<string, number>();
  /** When tokens were given within the last minute. */
  #givenMs: readonly number[] = [];

  constructor(parts: VisitorParts) {
    this.#parts = parts;
    this.#secret = parts.random.bytes(32);
  }

  /** What to do for a token; a pool that is not public does not exist (`pool.unknown`). */
  work(poolId: string | undefined): VisitorWork {
    const { nowMs, trusted } = this.#parts.time();
    if (!trusted) throw clockUntrusted();
    const pool = this.#openPool(poolId);
    const expiresAtMs = nowMs + CHALLENGE_MS;
    const bits = workBits(this.#parts.workBits, this.#loadOf(pool.id, nowMs));
    const numbers = new Writer(9).u8(bits).u64(expiresAtMs).done();
    const nonce = this.#parts.random.bytes(NONCE_BYTES);
    const said = concat(numbers, utf8(pool.id), nonce);
    return { challenge: concat(said, this.#mac(said)), bits, expiresAtMs, pool };
  }

  /** A token for a challenge that was solved, once. */
  async tokenForWork(
    visit: Visit,
    solution: { readonly challenge: Uint8Array; readonly counter: number },
  ): Promise<CreatedToken> {
    const { challenge, counter } = solution;
    const { nowMs } = this.#parts.time();
    const asked = this.#read(challenge);
    if (!asked || asked.expiresAtMs <= nowMs) throw workRefused();
    const { nodeKey } = visit;
    const isDone = isWorkDone({ challenge, nodeKey, bits: asked.bits }, counter);
    if (!isDone || nodeKey.length !== KEY_BYTES) throw workRefused();
    const pool = this.#openPool(asked.pool);
    this.#useUp(challenge, asked.expiresAtMs, nowMs);
    return this.#give(systemCaller("enrolment"), { ...visit, pool, org: undefined });
  }

  /** A token for who has an API key. */
  tokenForCaller(
    caller: Caller,
    visit: Visit & { readonly pool: string | undefined },
    also?: Also,
  ): Promise<CreatedToken> {
    if (visit.nodeKey.length !== KEY_BYTES) throw keyInvalid();
    const pool = this.#openPool(visit.pool);
    return this.#give(caller, { ...visit, pool, org: caller.org }, also);
  }

  async #give(
    caller: Caller,
    visit: Visit & { readonly pool: Pool; readonly org: string | undefined },
    also?: Also,
  ): Promise<CreatedToken> {
    const { nowMs, trusted } = this.#parts.time();
    if (!trusted) throw clockUntrusted();
    const { nodeKey, org, pool } = visit;
    const visitor = { network: networkOf(visit.address), nodeKey, org };
    this.#givenMs = [...this.#recent(nowMs), nowMs];
    const terms = { pool: pool.id, uses: 1, ttlSeconds: TOKEN_SECONDS, visitor };
    return this.#parts.joinTokens.create(caller, terms, also);
  }

  #openPool(id: string | undefined): Pool {
    const isOpen = (pool: Pool | undefined) => pool?.visibility === "public";
    if (id) {
      const pool = this.#parts.registry.findPool(id);
      if (!pool || !isOpen(pool)) throw poolUnknown(id);
      return pool;
    }
    const [only, ...others] = this.#parts.registry.listPools().filter(isOpen);
    if (only && others.length === 0) return only;
    throw poolUnclear([...(only ? [only] : []), ...others]);
  }

  #loadOf(pool: PoolId, nowMs: number) {
    const recent = this.#recent(nowMs).length;
    const { registry } = this.#parts;
    return { pending: registry.pendingIn(pool), pendingMax: registry.pendingMax, recent };
  }

  #recent(nowMs: number): readonly number[] {
    return this.#givenMs.filter((at) => nowMs - at < MINUTE_MS).slice(-SOLVED_MAX);
  }

  #read(challenge: Uint8Array) {
    if (challenge.length !== SAID_BYTES + MAC_BYTES) return undefined;
    const said = challenge.subarray(0, SAID_BYTES);
    if (!sameBytes(this.#mac(said), challenge.subarray(SAID_BYTES))) return undefined;
    const view = new DataView(said.buffer, said.byteOffset, said.byteLength);
    const pool = new TextDecoder().decode(said.subarray(9, 9 + ID_LETTERS));
    return { bits: view.getUint8(0), expiresAtMs: Number(view.getBigUint64(1)), pool };
  }

  #mac(said: Uint8Array): Uint8Array {
    return hmacSha256(this.#secret, utf8("gp-work-challenge-v1"), said);
  }

  #useUp(challenge: Uint8Array, expiresAtMs: number, nowMs: number): void {
    for (const [name, until] of this.#solved) if (until <= nowMs) this.#solved.delete(name);
    const name = toHex(challenge);
    if (this.#solved.has(name)) throw workRefused();
    if (this.#solved.size >= SOLVED_MAX) throw tooBusy();
    this.#solved.set(name, expiresAtMs);
  }
}

function keyInvalid(): PoolError {
  const message = "must be an Ed25519 key of 32 bytes";
  return new PoolError("invalid", "node.invalid", `The node_key ${message}.`, {
    errors: [{ path: "node_key", message }],
  });
}

function tooBusy(): PoolError {
  const message = "Too many strangers ask at once; try again in some minutes.";
  return new PoolError("exhausted", "enrolment.busy", message, { retryAfterSeconds: 300 });
}

function poolUnclear(open: readonly Pool[]): PoolError {
  const message =
    open.length === 0
      ? "No pool here is public; ask its operator for a join token."
      : `Say which pool: ${open
          .slice(0, 20)
          .map(({ id, name }) => `${id} (${name})`)
          .join(", ")}.`;
  return new PoolError("precondition", "pool.unnamed", message);
}
