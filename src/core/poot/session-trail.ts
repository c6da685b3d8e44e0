import type { NodeId } from "@/core/ids.ts";
import { sameBytes } from "@/std/bytes.ts";

/** The sessions a node was heard in, the newest one last. It is changed in place, and bounded. */
export type SessionTrails = Map<NodeId, Uint8Array[]>;

const NODES_MAX = 10_000;
const SESSIONS_MAX = 8;

/**
 * Notes in which session a node was heard; true when it goes back to one it had left. A machine that
 * starts anew begins a session and never goes back: two machines with one key do, again and again.
 */
export function noteSession(trails: SessionTrails, node: NodeId, session: Uint8Array): boolean {
  const trail = trails.get(node) ?? [];
  const newest = trail.at(-1);
  if (newest && sameBytes(newest, session)) return false;
  const at = trail.findIndex((former) => sameBytes(former, session));
  const isBack = at !== -1;
  if (isBack) trail.splice(at, 1);
  trail.push(session.slice());
  if (trail.length > SESSIONS_MAX) trail.shift();
  trails.delete(node);
  const [oldest] = trails.keys();
  if (oldest !== undefined && trails.size >= NODES_MAX) trails.delete(oldest);
  trails.set(node, trail);
  return isBack;
}
