import type { NodeId } from "@/core/ids.ts";
import type { Node } from "@/core/node.ts";
import type { Change } from "./changes.ts";
import { matches, matching, type NodeFilter } from "./node-list.ts";
import type { Roster } from "./roster.ts";

/** What a watcher is told. A watch may be resumed from the version of any event that has one. */
export type WatchEvent =
  | { readonly type: "snapshot"; readonly node: Node; readonly version: 0n }
  | { readonly type: "changed"; readonly node: Node; readonly version: bigint }
  | { readonly type: "removed"; readonly id: NodeId; readonly version: bigint }
  | { readonly type: "ready"; readonly version: bigint };

/** From where and until when somebody watches. */
export interface Watching {
  /** The version of the last event seen; 0, or one no longer known, asks for a snapshot. */
  readonly since: bigint;
  readonly signal: AbortSignal;
}

/**
 * The nodes a filter lets through, then "ready", then their changes. A watcher that has seen
 * everything up to a version gets the changes since instead of a snapshot.
 */
export async function* watchNodes(
  roster: Roster,
  filter: NodeFilter,
  { since, signal }: Watching,
): AsyncIterable<WatchEvent> {
  const { changes } = roster;
  const leave = changes.enter();
  try {
    const resumed = changes.numberOf(since);
    let seen = resumed ?? changes.newest;
    if (resumed === undefined) yield* snapshot(roster, filter);
    const goal = changes.newest;
    while (seen < goal) yield* told(roster, filter, ++seen);
    yield { type: "ready", version: changes.versionOf(seen) };
    while (!signal.aborted) {
      while (seen < changes.newest && !signal.aborted) yield* told(roster, filter, ++seen);
      await changes.after(seen, signal);
    }
  } finally {
    leave();
  }
}

function* snapshot(roster: Roster, filter: NodeFilter): Iterable<WatchEvent> {
  for (const node of [...matching(roster, filter)]) {
    if (node.state !== "pending") yield { type: "snapshot", node, version: 0n };
  }
}

/** What a change means to one watcher: nothing, a node as it is now, or one that is gone for it. */
function* told(roster: Roster, filter: NodeFilter, number: number): Iterable<WatchEvent> {
  const change = roster.changes.at(number);
  const version = roster.changes.versionOf(number);
  const node = roster.node(change.id);
  const isShown = node !== undefined && node.state !== "pending" && matches(node, filter);
  if (isShown) yield { type: "changed", node, version };
  else if (mayHaveBeenSeen(change, filter)) yield { type: "removed", id: change.id, version };
}

function mayHaveBeenSeen(change: Change, filter: NodeFilter): boolean {
  return change.reshaped && (filter.pool === undefined || filter.pool === change.pool);
}
