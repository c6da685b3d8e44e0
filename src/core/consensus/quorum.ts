import { assert } from "@/std/assert.ts";
import { VALIDATORS_MAX } from "./limits.ts";
import type { Hash, PublicKey, View } from "./types.ts";

/** How many of n validators may lie without breaking safety: f (section 1). */
export function faultsOf(n: number): number {
  return Math.floor((n - 1) / 3);
}

/**
 * How many of n validators make a certificate: Q (section 1). Two quorums share 2Q − n > f
 * validators, so at least one honest; and Q ≤ n − f, so the honest alone suffice.
 */
export function quorumOf(n: number): number {
  return Math.floor((n + faultsOf(n)) / 2) + 1;
}

/** The validators of one epoch, and the block it starts from. */
export interface Committee {
  readonly epoch: number;
  /** In the order of their indices; each has one vote. */
  readonly validators: readonly PublicKey[];
  /** The last block of the epoch before: at view 0 of this one it is certified and committed. */
  readonly genesis: Hash;
  readonly genesisHeight: number;
  /** Where the round robin of leaders begins: the first four bytes of the genesis hash. */
  readonly seed: number;
}

/** Whether these may be the validators of an epoch: at least one, not too many, nobody twice. */
export function areValidators(validators: readonly PublicKey[]): boolean {
  const isSizeFine = validators.length >= 1 && validators.length <= VALIDATORS_MAX;
  return isSizeFine && new Set(validators).size === validators.length;
}

/** The committee of an epoch that starts from this block. */
export function newCommittee(epoch: Omit<Committee, "seed">): Committee {
  assert(areValidators(epoch.validators), "an epoch has validators, each once");
  return { ...epoch, seed: Number.parseInt(epoch.genesis.slice(0, 8), 16) };
}

/** The index of the leader of a view. Round robin: the bound on waiting needs it (section 1). */
export function leaderOf({ seed, validators }: Committee, view: View): number {
  return (view + seed) % validators.length;
}

/** The index of a validator, null when it has no vote in this epoch. */
export function indexOf({ validators }: Committee, key: PublicKey): number | null {
  const index = validators.indexOf(key);
  return index < 0 ? null : index;
}
