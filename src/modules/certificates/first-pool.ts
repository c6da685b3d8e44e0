import { type PoolId, poolIdOf } from "@/core/ids.ts";
import type { PoolKind } from "@/core/pool.ts";
import type { Files } from "@/ports/files.ts";
import type { Random } from "@/ports/random.ts";
import { signingKey } from "@/std/crypto.ts";
import { KEY_FILES, readSeed } from "./key-files.ts";
import { PoolKeys } from "./pool-keys.ts";

/** The pool `init` made the keys of; its row is written at the first start. */
export interface FirstPool {
  readonly id: PoolId;
  readonly name: string;
  readonly kind: PoolKind;
  readonly org?: string | undefined;
}

const FILE = "first-pool.json";

/** Makes the keys of the first pool, once. */
export function makeFirstPool(
  files: Files,
  random: Random,
  { name, kind, org }: Omit<FirstPool, "id">,
): FirstPool {
  const known = readFirstPool(files);
  if (known) return known;
  const { id } = new PoolKeys(files, random).create();
  const pool = { id, name, kind, org };
  files.write(FILE, `${JSON.stringify(pool)}\n`);
  return pool;
}

/** The first pool, whether its row exists yet or not. */
export function readFirstPool(files: Files): FirstPool | undefined {
  const text = files.readText(FILE);
  return text === undefined ? undefined : (JSON.parse(text) as FirstPool);
}

/** The public key of the first pool. */
export function firstPoolKey(files: Files, { id }: FirstPool): Uint8Array | undefined {
  const seed = readSeed(files, KEY_FILES.pool(id));
  const key = seed && signingKey(seed).publicKey;
  return key && poolIdOf(key) === id ? key : undefined;
}
