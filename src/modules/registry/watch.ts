import type { NodeId } from "@/core/ids.ts";
import type { Node } from "@/core/node.ts";
import type { Change } from "./changes.ts";
import { matches, matching, type NodeFilter } from "./node-list.ts";
import type { Roster } from "./roster.ts";

/** What a watcher is told; `number` 0 means that resuming from here needs a snapshot. */
export type WatchEvent =
  | { readonly type: "snapshot" | "changed"; readonly node: Node; readonly number: number }
  | { readonly type: "removed"; readonly id: NodeId; readonly number: number }
  | { readonly type: "ready"; readonly number: number };

/** From where and until when somebody watches. */
export interface Watching {
  /** The number of the last change seen; undefined, or one no longer known, asks for a snapshot. */
  readonly since: number | undefined;
  readonly signal: AbortSignal;
}

/**
 * The nodes a filter lets through, then "ready", then their changes. A watcher that is known to have
 * seen everything up to a number gets the changes since, then "ready".
 */
export async function* watchNodes(
  roster: Roster,
  filter: NodeFilter,
  { since, signal }: Watching,
): AsyncIterable<WatchEvent> {
  const { changes } = roster;
  const leave = changes.enter();
  try {
    const isResumed = since !== undefined && changes.reaches(since);
    let seen = isResumed ? since : changes.newest;
    if (!isResumed) yield* snapshot(roster, filter);
    const goal = changes.newest;
    while (seen < goal) yield* told(roster, filter, ++seen);
    yield { type: "ready", number: seen };
    while (!signal.aborted) {
      while (seen < changes.newest) yield* told(roster, filter, ++seen);
      await changes.after(seen, signal);
    }
  } finally {
    leave();
  }
}

function* snapshot(roster: Roster, filter: NodeFilter): Iterable<WatchEvent> {
  for (const node of [...matching(roster, filter)]) yield { type: "snapshot", node, number: 0 };
}

/** What a change means to one watcher: nothing, a node as it is now, or one that is gone for it. */
function* told(roster: Roster, filter: NodeFilter, number: number): Iterable<WatchEvent> {
  const change = roster.changes.at(number);
  const node = roster.node(change.id);
  if (node && matches(node, filter)) yield { type: "changed", node, number };
  else if (mayHaveBeenSeen(change, filter)) yield { type: "removed", id: change.id, number };
}

function mayHaveBeenSeen(change: Change, filter: NodeFilter): boolean {
  return change.reshaped && (filter.pool === undefined || filter.pool === change.pool);
}
