import type { Files } from "@/ports/files.ts";
import type { Random } from "@/ports/random.ts";
import { type SigningKey, signingKey } from "@/std/crypto.ts";
import { PoolError } from "@/std/errors.ts";
import { KEY_FILES, notInitialised, readSeed } from "./key-files.ts";

const DAY_MS = 86_400_000;
/** How long a key signs when nobody says. */
export const JWT_LIFE_MS = 30 * DAY_MS;
/** How long a replaced key still verifies. */
const OVERLAP_MS = DAY_MS;
/** How many keys may verify at a time: so often may keys be replaced within a day. */
const KEYS_MAX = 8;

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
  readonly #lifeMs: number;
  #keys: readonly JwtKey[];

  constructor(files: Files, random: Random, lifeMs: number) {
    this.#files = files;
    this.#random = random;
    this.#lifeMs = lifeMs;
    this.#keys = load(files);
  }

  /** The key that signs. */
  get current(): SigningKey {
    return this.#newest.key;
  }

  /** All keys that verify, the one that signs first. */
  all(): readonly SigningKey[] {
    return this.#keys.map(({ key }) => key);
  }

  /** Replaces a key that has signed for its life, and forgets those replaced more than a day ago. */
  renew(nowMs: number): void {
    if (nowMs - this.#newest.createdAtMs >= this.#lifeMs) this.#replace(nowMs);
    this.#keys.forEach(({ path }, at) => {
      const replacedAtMs = this.#keys[at - 1]?.createdAtMs ?? nowMs;
      if (nowMs - replacedAtMs >= OVERLAP_MS) this.#files.remove(path);
    });
    this.#keys = load(this.#files);
  }

  /** Refuses when the key was replaced too often within a day. */
  requireRotatable(nowMs: number): void {
    this.renew(nowMs);
    if (this.#keys.length >= KEYS_MAX) throw rotatedOften();
  }

  /** Replaces the key now. */
  rotate(nowMs: number): void {
    this.#replace(nowMs);
  }

  /** On disk before it signs; the newest by its name, whatever the clock says. */
  #replace(nowMs: number): void {
    writeJwtKey(this.#files, this.#random, Math.max(nowMs, this.#newest.createdAtMs + 1));
    this.#keys = load(this.#files);
  }

  get #newest(): JwtKey {
    const [newest] = this.#keys;
    if (!newest) throw notInitialised(KEY_FILES.jwtFolder);
    return newest;
  }
}

function rotatedOften(): PoolError {
  return new PoolError(
    "precondition",
    "jwt.rotated_often",
    `The key of access tokens was replaced ${KEYS_MAX - 1} times within a day; each one before still verifies. Wait until the oldest is forgotten.`,
  );
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
