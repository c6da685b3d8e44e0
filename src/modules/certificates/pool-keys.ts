import { type PoolId, poolIdOf } from "@/core/ids.ts";
import { type ReceiptMaster, type ReceiptMasters, rotateMasters } from "@/core/poot/receipt.ts";
import type { Files } from "@/ports/files.ts";
import type { Random } from "@/ports/random.ts";
import { concat } from "@/std/bytes.ts";
import { type SigningKey, signingKey } from "@/std/crypto.ts";
import { damaged, KEY_FILES, readSeed } from "./key-files.ts";

const SECRET_BYTES = 32;
const ENTRY_BYTES = 1 + SECRET_BYTES;

interface PoolSecrets {
  readonly key: SigningKey;
  readonly masters: ReceiptMasters;
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
    this.#files.write(KEY_FILES.receipts(id), encodeMasters({ current: master }));
    this.#files.write(KEY_FILES.pool(id), seed);
    return { id, publicKey };
  }

  key(pool: PoolId): SigningKey {
    return this.#secrets(pool).key;
  }

  masters(pool: PoolId): ReceiptMasters {
    return this.#secrets(pool).masters;
  }

  /** A new master issues; the one before still verifies. */
  rotate(pool: PoolId): void {
    this.#save(pool, rotateMasters(this.masters(pool), this.#random.bytes(SECRET_BYTES)));
  }

  /** A new master alone: every receipt issued so far is worth nothing (a new time epoch). */
  replace(pool: PoolId): void {
    const { current } = rotateMasters(this.masters(pool), this.#random.bytes(SECRET_BYTES));
    this.#save(pool, { current });
  }

  #save(pool: PoolId, masters: ReceiptMasters): void {
    this.#files.write(KEY_FILES.receipts(pool), encodeMasters(masters));
    this.#pools.set(pool, { ...this.#secrets(pool), masters });
  }

  #secrets(pool: PoolId): PoolSecrets {
    const known = this.#pools.get(pool);
    if (known) return known;
    const path = KEY_FILES.pool(pool);
    const seed = readSeed(this.#files, path);
    if (!seed) throw damaged(path);
    const key = signingKey(seed);
    if (poolIdOf(key.publicKey) !== pool) throw damaged(path);
    const secrets = { key, masters: readMasters(this.#files, KEY_FILES.receipts(pool)) };
    this.#pools.set(pool, secrets);
    return secrets;
  }
}

function encodeMasters({ current, previous }: ReceiptMasters): Uint8Array {
  const live = previous ? [current, previous] : [current];
  return concat(...live.flatMap(({ keyId, secret }) => [Uint8Array.of(keyId), secret]));
}

function readMasters(files: Files, path: string): ReceiptMasters {
  const bytes = files.read(path);
  if (!bytes || ![ENTRY_BYTES, 2 * ENTRY_BYTES].includes(bytes.length)) throw damaged(path);
  const current = masterIn(bytes.subarray(0, ENTRY_BYTES));
  if (bytes.length === ENTRY_BYTES) return { current };
  return { current, previous: masterIn(bytes.subarray(ENTRY_BYTES)) };
}

function masterIn(entry: Uint8Array): ReceiptMaster {
  return { keyId: entry[0] ?? 0, secret: entry.slice(1) };
}
