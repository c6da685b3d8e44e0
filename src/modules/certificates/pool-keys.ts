import { type PoolId, poolIdOf } from "@/core/ids.ts";
import {
  MASTER_LIFE_SECONDS,
  type ReceiptMaster,
  type ReceiptMasters,
  rotateMasters,
} from "@/core/poot/receipt.ts";
import type { Files } from "@/ports/files.ts";
import type { Random } from "@/ports/random.ts";
import { concat } from "@/std/bytes.ts";
import { Reader, Writer } from "@/std/codec.ts";
import { type SigningKey, signingKey } from "@/std/crypto.ts";
import { damaged, KEY_FILES, readSeed } from "./key-files.ts";

const SECRET_BYTES = 32;
const ENTRY_BYTES = 1 + SECRET_BYTES;
const TIME_BYTES = 8;

interface Masters {
  readonly masters: ReceiptMasters;
  /** Since when the current one issues, by pool time; nobody has asked yet when it is not known. */
  readonly sinceMs: number | undefined;
}

interface PoolSecrets extends Masters {
  readonly key: SigningKey;
}

/** The keys of every pool: one that signs, and the masters that MAC receipts. Disk first, then memory. */
export class PoolKeys {
  readonly #files: Files;
  readonly #random: Random;
  readonly #pools = new Map<PoolId, PoolSecrets>();

  constructor(files: Files, random: Random) {
    this.#files = files;
    this.#random = random;
  }

  /** Makes the keys of a new pool; they are durable before anybody learns the id. */
  create(): { readonly id: PoolId; readonly publicKey: Uint8Array } {
    const seed = this.#random.bytes(SECRET_BYTES);
    const { publicKey } = signingKey(seed);
    const id = poolIdOf(publicKey);
    const master = { keyId: 0, secret: this.#random.bytes(SECRET_BYTES) };
    const first = { masters: { current: master }, sinceMs: undefined };
    this.#files.write(KEY_FILES.receipts(id), encodeMasters(first));
    this.#files.write(KEY_FILES.pool(id), seed);
    return { id, publicKey };
  }

  key(pool: PoolId): SigningKey {
    return this.#secrets(pool).key;
  }

  masters(pool: PoolId): ReceiptMasters {
    return this.#secrets(pool).masters;
  }

  /** Lets a new master issue when the current one is old enough; that one still verifies. */
  renew(pool: PoolId, nowMs: number): boolean {
    const { masters, sinceMs } = this.#secrets(pool);
    if (sinceMs === undefined) {
      this.#save(pool, { masters, sinceMs: nowMs });
      return false;
    }
    if (nowMs - sinceMs < MASTER_LIFE_SECONDS * 1000) return false;
    const rotated = rotateMasters(masters, this.#random.bytes(SECRET_BYTES));
    this.#save(pool, { masters: rotated, sinceMs: nowMs });
    return true;
  }

  /** A new master alone: every receipt issued so far is worth nothing (a new time epoch). */
  replace(pool: PoolId): void {
    const { current } = rotateMasters(this.masters(pool), this.#random.bytes(SECRET_BYTES));
    this.#save(pool, { masters: { current }, sinceMs: undefined });
  }

  #save(pool: PoolId, saved: Masters): void {
    this.#files.write(KEY_FILES.receipts(pool), encodeMasters(saved));
    this.#pools.set(pool, { ...this.#secrets(pool), ...saved });
  }

  #secrets(pool: PoolId): PoolSecrets {
    const known = this.#pools.get(pool);
    if (known) return known;
    const path = KEY_FILES.pool(pool);
    const seed = readSeed(this.#files, path);
    if (!seed) throw damaged(path);
    const key = signingKey(seed);
    if (poolIdOf(key.publicKey) !== pool) throw damaged(path);
    const secrets = { key, ...readMasters(this.#files, KEY_FILES.receipts(pool)) };
    this.#pools.set(pool, secrets);
    return secrets;
  }
}

function encodeMasters({ masters, sinceMs }: Masters): Uint8Array {
  const { current, previous } = masters;
  const live = previous ? [current, previous] : [current];
  const entries = live.flatMap(({ keyId, secret }) => [Uint8Array.of(keyId), secret]);
  return concat(...entries, sinceMs === undefined ? new Uint8Array() : timeBytes(sinceMs));
}

function timeBytes(ms: number): Uint8Array {
  return new Writer(TIME_BYTES).u64(ms).done();
}

function readMasters(files: Files, path: string): Masters {
  const bytes = files.read(path) ?? new Uint8Array();
  const isDated = bytes.length % ENTRY_BYTES === TIME_BYTES;
  const secrets = isDated ? bytes.subarray(0, -TIME_BYTES) : bytes;
  if (![ENTRY_BYTES, 2 * ENTRY_BYTES].includes(secrets.length)) throw damaged(path);
  const current = masterIn(secrets.subarray(0, ENTRY_BYTES));
  const sinceMs = isDated ? new Reader(bytes.subarray(-TIME_BYTES)).u64() : undefined;
  if (secrets.length === ENTRY_BYTES) return { masters: { current }, sinceMs };
  return { masters: { current, previous: masterIn(secrets.subarray(ENTRY_BYTES)) }, sinceMs };
}

function masterIn(entry: Uint8Array): ReceiptMaster {
  return { keyId: entry[0] ?? 0, secret: entry.slice(1) };
}
