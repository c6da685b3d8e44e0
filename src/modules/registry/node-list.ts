import type { PoolId } from "@/core/ids.ts";
import { isListed, NODE_STATES, type Node, type NodeState } from "@/core/node.ts";
import { PoolError } from "@/std/errors.ts";
import { type Page, type PageRequest, pageOf } from "@/std/paging.ts";
import type { Roster } from "./roster.ts";

/** Of which pools nodes are asked for: of one, of several, or of all. */
export interface NodeRange {
  readonly pool?: PoolId | undefined;
  readonly pools?: ReadonlySet<PoolId> | undefined;
}

/** Which nodes are asked for. Without a state those that left are not among them. */
export interface NodeFilter extends NodeRange {
  readonly specialization?: string | undefined;
  readonly org?: string | undefined;
  readonly state?: NodeState | undefined;
  /** Part of the name, in either case, or the beginning of the id. */
  readonly q?: string | undefined;
}

/** One page of the nodes a filter lets through, by id. */
export function listNodes<Item>(
  roster: Roster,
  filter: NodeFilter,
  { page, item }: { readonly page: PageRequest; readonly item: (node: Node) => Item },
): Page<Item> {
  const found: Node[] = [];
  for (const node of matching(roster, filter, page.after)) {
    found.push(node);
    if (found.length > page.limit) break;
  }
  return pageOf(found, page.limit, { item, position: (node) => node.id });
}

/** Every node a filter lets through, by id. */
export function* matching(roster: Roster, filter: NodeFilter, after = ""): Iterable<Node> {
  const needle = filter.q?.toLowerCase();
  const pool = filter.state === "left" ? undefined : filter.pool;
  for (const id of roster.idsAfter(after, pool)) {
    const node = roster.node(id);
    if (node && matches(node, filter) && isFound(node, needle)) yield node;
  }
}

/** Whether a filter lets a node through, but for the text searched. */
export function matches(node: Node, filter: NodeFilter): boolean {
  const { pool, pools, specialization, org, state } = filter;
  return (
    (pool === undefined || node.pool === pool) &&
    (pools === undefined || pools.has(node.pool)) &&
    (specialization === undefined || node.specialization === specialization) &&
    (org === undefined || node.org === org) &&
    (state === undefined ? isListed(node) : node.state === state)
  );
}

/** A state as asked for; refuses a word that is none (`request.invalid`). */
export function readState(text: string | undefined): NodeState | undefined {
  if (text === undefined) return undefined;
  const state = NODE_STATES.find((known) => known === text);
  if (state) return state;
  const message = `must be one of ${NODE_STATES.join(", ")}`;
  throw new PoolError("invalid", "request.invalid", `The state ${message}.`, {
    errors: [{ path: "query.state", message }],
  });
}

function isFound(node: Node, needle: string | undefined): boolean {
  if (needle === undefined) return true;
  return node.id.startsWith(needle) || node.name.toLowerCase().includes(needle);
}
