import { assert } from "@/std/assert.ts";
import { sameBytes } from "@/std/bytes.ts";
import { sha256 } from "@/std/crypto.ts";

/** A hash of the tree: 32 bytes of SHA-256. */
export type Hash = Uint8Array;

/** How long a hash is. */
export const HASH_BYTES = 32;
const LEAF = new Uint8Array([0]);
const NODE = new Uint8Array([1]);

/** The root of a tree without leaves. */
export const EMPTY_ROOT: Hash = sha256();

/** The hash of one entry (RFC 6962, section 2.1): a leaf can never pass for a node. */
export function leafHash(entry: Uint8Array): Hash {
  return sha256(LEAF, entry);
}

/** The hash of two neighbours. */
export function nodeHash(left: Hash, right: Hash): Hash {
  return sha256(NODE, left, right);
}

/** Which leaf of a tree of which size, and the tree's root. */
export interface Inclusion {
  readonly index: number;
  readonly size: number;
  readonly leaf: Hash;
  readonly root: Hash;
}

/** Whether the leaf stands where it is said to stand (RFC 9162, section 2.1.3.2). */
export function verifyInclusion(inclusion: Inclusion, proof: readonly Hash[]): boolean {
  const { index, size, leaf, root } = inclusion;
  if (!isIndex(index) || !isIndex(size) || index >= size) return false;
  if ([leaf, ...proof].some((hash) => hash.length !== HASH_BYTES)) return false;
  const ends = climb({ at: index, last: size - 1, first: leaf }, proof);
  return ends !== undefined && sameBytes(ends.after, root);
}

/** Two trees, the later one said to hold all of the earlier one. */
export interface Growth {
  readonly from: number;
  readonly fromRoot: Hash;
  readonly to: number;
  readonly toRoot: Hash;
}

/**
 * Whether the later tree only added to the earlier one (RFC 9162, section 2.1.4.2). To an empty tree
 * there is nothing to be consistent with, and so no proof.
 */
export function verifyConsistency(growth: Growth, proof: readonly Hash[]): boolean {
  const { from, fromRoot, to, toRoot } = growth;
  if (!isIndex(from) || !isIndex(to) || from === 0 || from > to) return false;
  if ([fromRoot, toRoot, ...proof].some((hash) => hash.length !== HASH_BYTES)) return false;
  if (from === to) return proof.length === 0 && sameBytes(fromRoot, toRoot);
  const path = isPowerOfTwo(from) ? [fromRoot, ...proof] : proof;
  const [first, ...steps] = path;
  if (!first) return false;
  let [at, last] = [from - 1, to - 1];
  while (isOdd(at)) [at, last] = [half(at), half(last)];
  const ends = climb({ at, last, first }, steps);
  return ends !== undefined && sameBytes(ends.before, fromRoot) && sameBytes(ends.after, toRoot);
}

/** A node by its index on a level, and the last index of that level. */
interface Foot {
  readonly at: number;
  readonly last: number;
  readonly first: Hash;
}

/**
 * From a node up to the root: `after` of the whole tree, `before` of the tree that ends with this node.
 * Undefined when the steps are not as many as the tree is high.
 */
function climb(foot: Foot, steps: readonly Hash[]) {
  let { at, last, first: before } = foot;
  let after = before;
  for (const step of steps) {
    if (last === 0) return undefined;
    if (isOdd(at) || at === last) {
      before = nodeHash(step, before);
      after = nodeHash(step, after);
      [at, last] = upTo(at, last);
    } else after = nodeHash(after, step);
    [at, last] = [half(at), half(last)];
  }
  return last === 0 ? { before, after } : undefined;
}

/** Past the levels on which this node has no neighbour to its right, and so none of its own. */
function upTo(at: number, last: number): [number, number] {
  let [index, end] = [at, last];
  while (!isOdd(index) && index !== 0) [index, end] = [half(index), half(end)];
  return [index, end];
}

/**
 * The tree of a log (RFC 6962): it only grows. Every whole subtree's hash is kept, 64 bytes an entry,
 * so that a root or a proof of any size so far takes a few dozen hashes.
 */
export class MerkleTree {
  readonly #levels: Level[] = [];

  get size(): number {
    return this.#levels[0]?.length ?? 0;
  }

  /** Adds a leaf, and every subtree it completes. */
  append(leaf: Hash): void {
    assert(leaf.length === HASH_BYTES, "a leaf is a hash");
    let hash = leaf;
    for (let level = 0; ; level++) {
      const row = this.#level(level);
      const index = row.push(hash);
      if (!isOdd(index)) return;
      hash = nodeHash(row.at(index - 1), hash);
    }
  }

  /** The root when the tree had `size` leaves. */
  root(size = this.size): Hash {
    assert(size <= this.size, "the tree has not grown so far");
    return size === 0 ? EMPTY_ROOT : this.#range(0, size);
  }

  /** The hash of one leaf. */
  leaf(index: number): Hash {
    assert(index < this.size, "the tree has this leaf");
    return this.#level(0).at(index);
  }

  /** What proves that leaf `index` is in the tree of `size` leaves. */
  inclusionProof(index: number, size: number): readonly Hash[] {
    assert(index < size && size <= this.size, "the leaf is in the tree");
    return this.#path(index, 0, size);
  }

  /** What proves that the tree of `to` leaves begins with that of `from`. */
  consistencyProof(from: number, to: number): readonly Hash[] {
    assert(from <= to && to <= this.size, "the earlier tree is the smaller one");
    return from === 0 || from === to ? [] : this.#growth(from, { low: 0, high: to, isWhole: true });
  }

  #path(index: number, low: number, high: number): Hash[] {
    if (high - low === 1) return [];
    const middle = low + splitOf(high - low);
    if (index < middle) return [...this.#path(index, low, middle), this.#range(middle, high)];
    return [...this.#path(index, middle, high), this.#range(low, middle)];
  }

  /** SUBPROOF of RFC 6962, section 2.1.2: `isWhole` while the verifier knows the earlier root itself. */
  #growth(from: number, range: { low: number; high: number; isWhole: boolean }): Hash[] {
    const { low, high, isWhole } = range;
    if (from === high) return isWhole ? [] : [this.#range(low, high)];
    const middle = low + splitOf(high - low);
    if (from <= middle) {
      return [...this.#growth(from, { low, high: middle, isWhole }), this.#range(middle, high)];
    }
    return [...this.#growth(from, { low: middle, high, isWhole: false }), this.#range(low, middle)];
  }

  /** The hash over leaves `low` to `high`, without `high`; `low` is where a subtree may begin. */
  #range(low: number, high: number): Hash {
    const count = high - low;
    if (isPowerOfTwo(count)) {
      const level = Math.log2(count);
      return this.#level(level).at(low / count);
    }
    const middle = low + splitOf(count);
    return nodeHash(this.#range(low, middle), this.#range(middle, high));
  }

  #level(level: number): Level {
    const known = this.#levels[level];
    if (known) return known;
    const made = new Level();
    this.#levels.push(made);
    return made;
  }
}

/** The hashes of one level side by side: an array of arrays would take three times as much. */
class Level {
  length = 0;
  #bytes = new Uint8Array(8 * HASH_BYTES);

  push(hash: Hash): number {
    const end = this.length * HASH_BYTES;
    if (end === this.#bytes.length) {
      const wider = new Uint8Array(end * 2);
      wider.set(this.#bytes);
      this.#bytes = wider;
    }
    this.#bytes.set(hash, end);
    return this.length++;
  }

  at(index: number): Hash {
    return this.#bytes.slice(index * HASH_BYTES, (index + 1) * HASH_BYTES);
  }
}

/** The largest power of two below `count`. */
function splitOf(count: number): number {
  let split = 1;
  while (split * 2 < count) split *= 2;
  return split;
}

// Sizes may pass 2^32, where the operators on bits end.
function isOdd(value: number): boolean {
  return value % 2 === 1;
}

function half(value: number): number {
  return Math.floor(value / 2);
}

function isPowerOfTwo(value: number): boolean {
  let rest = value;
  while (rest > 1 && rest % 2 === 0) rest /= 2;
  return rest === 1;
}

function isIndex(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
