import type { Node } from "@/core/node.ts";
import type { Pool } from "@/core/pool.ts";
import { toBase64 } from "@/std/bytes.ts";

/** A node, as HTTP shows it. */
export function nodeView(node: Node, specializationApproved: boolean) {
  return {
    node_id: node.id as string,
    pool_id: node.pool as string,
    name: node.name,
    specialization: node.specialization,
    specialization_approved: specializationApproved,
    endpoint: node.endpoint ?? null,
    org: node.org ?? null,
    metadata: node.metadata,
    state: node.state as string,
    status: node.status as string,
    suspension: suspensionView(node),
    pending_since:
      node.status === "pending" && node.pending ? timeText(node.pending.sinceMs) : null,
    public_key: toBase64(node.publicKey),
    registered_at: new Date(node.registeredAtMs).toISOString(),
    last_seen_at: node.lastSeenMs === 0 ? null : new Date(node.lastSeenMs).toISOString(),
    health_permille: node.healthPermille,
    etag: String(node.version),
  };
}

function suspensionView({ suspension }: Node) {
  if (!suspension) return null;
  const { reason, sinceMs, removeAtMs } = suspension;
  return {
    reason: reason ?? null,
    since: timeText(sinceMs),
    remove_at: removeAtMs === undefined ? null : timeText(removeAtMs),
  };
}

function timeText(ms: number): string {
  return new Date(ms).toISOString();
}

/** A pool, as HTTP shows it; `nodes` counts those that take a place, `pending` those at its door. */
export function poolView(
  pool: Pool,
  { nodes, pending }: { readonly nodes: number; readonly pending: number },
) {
  return {
    pool_id: pool.id as string,
    name: pool.name,
    kind: pool.kind as string,
    org: pool.org ?? null,
    visibility: pool.visibility as string,
    allowed_orgs: pool.allowedOrgs === undefined ? null : [...pool.allowedOrgs],
    public_key: toBase64(pool.publicKey),
    created_at: new Date(pool.createdAtMs).toISOString(),
    max_nodes: pool.maxNodes,
    nodes,
    pending,
    etag: String(pool.version),
  };
}
