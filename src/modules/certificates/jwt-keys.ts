import type { Files } from "@/ports/files.ts";
import type { Random } from "@/ports/random.ts";
import { type SigningKey, signingKey } from "@/std/crypto.ts";
import { KEY_FILES, notInitialised, readSeed } from "./key-files.ts";

const DAY_MS = 86_400_000;
const LIFE_MS = 30 * DAY_MS;
/** How long a replaced key still verifies. */
const OVERLAP_MS = DAY_MS;

interface JwtKey {
  readonly path: string;
  readonly createdAtMs: number;
  readonly key: SigningKey;
}

/** Writes a new key; its file is named by its time. */
export function writeJwtKey(files: Files, random: Random, nowMs: number): void {
  files.write(`${KEY_FILES.jwtFolder}/${nowMs}.seed`, random.bytes(32));
}

/** The keys that sign access tokens: one signs, and the one it replaced still verifies for a day. */
export class JwtKeys {
  readonly #files: Files;
  readonly #random: Random;
  #keys: readonly JwtKey[];

  constructor(files: Files, random: Random) {
    this.#files = files;
    this.#random = random;
    this.#keys = load(files);
  }

  /** The key that signs. */
  get current(): SigningKey {
    const [newest] = this.#keys;
    if (!newest) throw notInitialised(KEY_FILES.jwtFolder);
    return newest.key;
  }

  /** All keys that verify, the one that signs first. */
  all(): readonly SigningKey[] {
    return this.#keys.map(({ key }) => key);
  }

  /** Replaces a key older than 30 days, and forgets one replaced more than a day ago. */
  renew(nowMs: number): void {
    const [newest, ...older] = this.#keys;
    if (!newest) throw notInitialised(KEY_FILES.jwtFolder);
    if (nowMs - newest.createdAtMs >= LIFE_MS) writeJwtKey(this.#files, this.#random, nowMs);
    else if (nowMs - newest.createdAtMs >= OVERLAP_MS) {
      for (const { path } of older) this.#files.remove(path);
    }
    this.#keys = load(this.#files);
  }
}

function load(files: Files): JwtKey[] {
  return files
    .list(KEY_FILES.jwtFolder)
    .flatMap((entry) => jwtKeyAt(files, `${KEY_FILES.jwtFolder}/${entry.split("/").at(-1)}`))
    .sort((a, b) => b.createdAtMs - a.createdAtMs);
}

function jwtKeyAt(files: Files, path: string): JwtKey[] {
  const match = /\/(\d+)\.seed$/.exec(path);
  const seed = match ? readSeed(files, path) : undefined;
  if (!match || seed === undefined) return [];
  return [{ path, createdAtMs: Number(match[1]), key: signingKey(seed) }];
}
