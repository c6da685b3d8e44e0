import type { NodeId } from "@/core/ids.ts";
import { slotAt, slotStartMs } from "./slot.ts";

/** The part of a slot in which heartbeats are asked for; its edges are left to skewed clocks. */
const FROM_PERMILLE = 100;
const SPREAD_PERMILLE = 600;

/**
 * In how many milliseconds a node should send its next heartbeat: in the next slot, always at the
 * same place of it, and each node at another, so that a pool is not asked by all at once.
 */
export function nextHeartbeatMs(node: NodeId, nowMs: number, slotSeconds: number): number {
  const next = slotStartMs(slotAt(nowMs, slotSeconds) + 1, slotSeconds);
  const permille = FROM_PERMILLE + (hashOf(node) % (SPREAD_PERMILLE + 1));
  return Math.round(next + slotSeconds * permille - nowMs);
}

/** FNV-1a of 32 bits: it only spreads, and nobody gains by choosing their place. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193) >>> 0;
  }
  return hash;
}
