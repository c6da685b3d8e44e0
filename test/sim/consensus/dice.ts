/** What a throw is for; two purposes never share their luck. */
export const LUCK = {
  options: 1,
  boot: 2,
  delay: 3,
  loss: 4,
  duplicate: 5,
  fsync: 6,
  crash: 7,
  downtime: 8,
  survive: 9,
  build: 10,
  execute: 11,
  submit: 12,
  partition: 13,
  clock: 14,
  byzantine: 15,
  epoch: 16,
  twins: 17,
  rot: 18,
  size: 19,
} as const;

/** What a throw is for. */
export type Luck = (typeof LUCK)[keyof typeof LUCK];

/**
 * Dice whose every throw depends on the seed and on what it is for, and not on what was thrown
 * before: when one fault is left out of a run, all the others keep their luck. That is what makes a
 * schedule of faults small enough to read.
 */
export class Dice {
  readonly seed: number;

  constructor(seed: number) {
    this.seed = seed | 0;
  }

  /** A number in [0, 1). */
  throw(luck: Luck, a = 0, b = 0, c = 0): number {
    let hash = mix(this.seed ^ 0x2545f491, luck);
    hash = mix(hash, a | 0);
    hash = mix(hash, b | 0);
    hash = mix(hash, c | 0);
    hash ^= hash >>> 16;
    hash = Math.imul(hash, 0x85ebca6b);
    hash ^= hash >>> 13;
    hash = Math.imul(hash, 0xc2b2ae35);
    hash ^= hash >>> 16;
    return (hash >>> 0) / 4294967296;
  }

  /** A stream for one purpose, when what it decides is left out as a whole or not at all. */
  stream(luck: Luck, a = 0, b = 0): Stream {
    return new Stream((count) => this.throw(luck, a, b, count + 1));
  }
}

/** A stream of throws. */
export class Stream {
  #count = 0;
  readonly #throw: (count: number) => number;

  constructor(one: (count: number) => number) {
    this.#throw = one;
  }

  next(): number {
    return this.#throw(this.#count++);
  }

  /** A whole number from 0 to below the limit. */
  int(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** As likely between 1 and 10 as between 10 and 100. */
  logUniform(min: number, max: number): number {
    return logUniform(this.next(), min, max);
  }

  pick<T>(from: readonly T[]): T {
    const picked = from[this.int(from.length)];
    if (picked === undefined) throw new Error("there is nothing to pick from");
    return picked;
  }

  /** Some of them, in their order, at least `min`. */
  some<T>(from: readonly T[], min = 1): readonly T[] {
    const count = Math.min(from.length, min + this.int(from.length - min + 1));
    return this.shuffle(from).slice(0, count);
  }

  shuffle<T>(from: readonly T[]): T[] {
    return from
      .map((value) => ({ value, key: this.next() }))
      .sort((a, b) => a.key - b.key)
      .map(({ value }) => value);
  }
}

/** Stretches a throw over orders of magnitude. */
export function logUniform(thrown: number, min: number, max: number): number {
  return min * (max / min) ** thrown;
}

function mix(hash: number, value: number): number {
  let word = Math.imul(value, 0xcc9e2d51);
  word = (word << 15) | (word >>> 17);
  const mixed = hash ^ Math.imul(word, 0x1b873593);
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
}
