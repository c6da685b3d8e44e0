import { type Caller, denied, isOfInstallation } from "./caller.ts";
import type { NodeId, PoolId } from "./ids.ts";
import { nodeUnknown } from "./node.ts";
import { type Pool, poolUnknown } from "./pool.ts";

/**
 * How close a caller must be to what a request names: see it, be of its pool, or speak for the whole
 * installation.
 */
export type Reach = "sight" | "members" | "installation";

/** A pool or node a request names, and where. */
export interface Named {
  readonly kind: "pool" | "node";
  readonly id: string;
  readonly place: "path" | "query" | "body";
}

/** What sight is judged by: who is where. */
export interface Places {
  pool(id: string): Pool | undefined;
  /** The pool a node is in, or was in last. */
  poolOfNode(id: string): PoolId | undefined;
  /** Whether a node was in a pool before. */
  wasIn(node: NodeId, pool: string): boolean;
}

/** Whether a caller is of a pool: its operator, of an organization it is for, or a node in it. */
export function isOfPool(places: Places, caller: Caller, pool: Pool): boolean {
  if (caller.node !== undefined) return places.poolOfNode(caller.node) === pool.id;
  if (isOfInstallation(caller)) return true;
  const { org } = caller;
  return org !== undefined && (pool.org === org || pool.allowedOrgs?.includes(org) === true);
}

/** Whether there is a pool at all, as far as a caller can tell. */
export function seesPool(places: Places, caller: Caller, pool: Pool): boolean {
  return pool.visibility === "public" || isOfPool(places, caller, pool);
}

/**
 * Refuses a request that names what its caller may not see exactly as if it did not exist
 * (`pool.unknown`, `node.unknown`), and one that asks for more than sight of what is only to be seen
 * (`access.denied`).
 */
export function requireReach(
  places: Places,
  caller: Caller,
  { named, reach }: { readonly named: readonly Named[]; readonly reach: Reach },
): void {
  if (isOfInstallation(caller)) return;
  for (const one of named) {
    if (!isOwn(places, caller, { one, named })) requireReachOf(places, caller, { one, reach });
  }
}

function requireReachOf(
  places: Places,
  caller: Caller,
  { one, reach }: { readonly one: Named; readonly reach: Reach },
): void {
  const { kind, id } = one;
  const pool = places.pool(kind === "pool" ? id : (places.poolOfNode(id) ?? ""));
  if (!pool || !seesPool(places, caller, pool)) {
    throw kind === "pool" ? poolUnknown(id) : nodeUnknown(id);
  }
  // A node acts for itself alone, in whatever pool: what it may do there is asked where it does it.
  const isForItself = caller.node !== undefined && kind === "pool";
  if (reach === "sight" || isForItself || isOfPool(places, caller, pool)) return;
  throw denied("do this in a pool that is not yours");
}

/** A node may name itself, and the pools it was in where it asks about itself. */
function isOwn(
  places: Places,
  { node }: Caller,
  { one, named }: { readonly one: Named; readonly named: readonly Named[] },
): boolean {
  if (node === undefined) return false;
  if (one.kind === "node") return one.id === node;
  const isAboutItself = named.every(({ kind, id }) => kind === "pool" || id === node);
  return one.place === "query" && isAboutItself && places.wasIn(node, one.id);
}
