import { PoolError } from "@/std/errors.ts";
import type { Node } from "./node.ts";

/** How one of several nodes is picked. */
export type PickPolicy = "least_loaded" | "round_robin" | "hash";

/** Every policy, for schemas. */
export const PICK_POLICIES: readonly PickPolicy[] = ["least_loaded", "round_robin", "hash"];

/** The policy when nobody says. */
export const PICK_POLICY: PickPolicy = "least_loaded";

type Candidates = readonly [Node, ...(readonly Node[])];

/**
 * The node with the least load for its health; of equals the one with the smaller id. `loadOf` says
 * how much work was sent to a node lately.
 */
export function pickLeastLoaded(nodes: Candidates, loadOf: (node: Node) => number): Node {
  const burden = (node: Node) => (loadOf(node) + 1) / Math.max(1, node.healthPermille);
  return nodes.reduce((best, node) => {
    const difference = burden(node) - burden(best);
    return difference < 0 || (difference === 0 && node.id < best.id) ? node : best;
  }, nodes[0]);
}

/** The node after the one picked last, in the order of their ids, and then the first again. */
export function pickInTurn(nodes: Candidates, last: string): Node {
  const first = nodes.reduce((least, node) => (node.id < least.id ? node : least), nodes[0]);
  return nodes.reduce((next, node) => {
    if (node.id <= last) return next;
    return next.id <= last || node.id < next.id ? node : next;
  }, first);
}

/**
 * The node a key belongs to, by the highest score (rendezvous hashing): the same key gets the same
 * node while it is there, and when one goes only its own keys move.
 */
export function pickByHash(nodes: Candidates, key: string): Node {
  const seed = hash32(key, 0);
  const score = (node: Node) => mixed(hash32(node.id, seed));
  return nodes.reduce((best, node) => {
    const difference = score(node) - score(best);
    return difference > 0 || (difference === 0 && node.id < best.id) ? node : best;
  }, nodes[0]);
}

/** FNV-1a over the letters of a text. */
function hash32(text: string, seed: number): number {
  let hash = (0x811c9dc5 ^ seed) >>> 0;
  for (let at = 0; at < text.length; at++) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193) >>> 0;
  }
  return hash;
}

/** Spreads what differs in few bits over all (the finalizer of MurmurHash3). */
function mixed(hash: number): number {
  let spread = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  spread = Math.imul(spread ^ (spread >>> 13), 0xc2b2ae35);
  return (spread ^ (spread >>> 16)) >>> 0;
}

/** The refusal when no node can serve. */
export const nobodyServes = (specialization: string | undefined) =>
  new PoolError(
    "not_found",
    "discovery.nobody",
    `No node ${specialization ? `for ${specialization} ` : ""}is up at the moment; try again later.`,
    { retryAfterSeconds: 30 },
  );

/** The refusal for a pick by hash without anything to hash. */
export const hashKeyMissing = () =>
  new PoolError("invalid", "discovery.key_missing", "The policy hash needs a key; send key=….", {
    errors: [{ path: "key", message: "must not be empty with policy hash" }],
  });
