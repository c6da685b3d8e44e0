import { utf8 } from "@/std/bytes.ts";
import { Writer } from "@/std/codec.ts";
import { sha256 } from "@/std/crypto.ts";

/** More leading zero bits than this nobody is asked for. */
export const WORK_BITS_MAX = 30;

/** How busy the door of a public pool is. */
export interface DoorLoad {
  readonly pending: number;
  readonly pendingMax: number;
  /** Tokens given to strangers within the last minute. */
  readonly recent: number;
}

/** How hard a stranger has to work: harder as the door fills, and as tokens are asked for. */
export function workBits(usualBits: number, { pending, pendingMax, recent }: DoorLoad): number {
  const forPlaces = Math.floor((6 * pending) / Math.max(1, pendingMax));
  const forRate = Math.floor(Math.log2(1 + recent / 4));
  return Math.min(WORK_BITS_MAX, usualBits + forPlaces + forRate);
}

/** What a stranger works with: the pool's challenge, for the key it wants to bring in. */
export interface Work {
  readonly challenge: Uint8Array;
  readonly nodeKey: Uint8Array;
  readonly bits: number;
}

/** Whether a counter is a solution: the hash begins with so many zero bits. */
export function isWorkDone({ challenge, nodeKey, bits }: Work, counter: number): boolean {
  const number = new Writer(8).u64(counter).done();
  return zeroBits(sha256(utf8("gp-work-v1"), challenge, nodeKey, number)) >= bits;
}

/** A solution among so many counters; undefined when there is none. */
export function solveWork(work: Work, from: number, count: number): number | undefined {
  for (let counter = from; counter < from + count; counter++) {
    if (isWorkDone(work, counter)) return counter;
  }
  return undefined;
}

function zeroBits(hash: Uint8Array): number {
  const at = hash.findIndex((byte) => byte !== 0);
  return at === -1 ? hash.length * 8 : at * 8 + Math.clz32(hash[at] ?? 0) - 24;
}
