import type { Caller } from "@/core/caller.ts";
import {
  type Node,
  removedNode,
  resumedNode,
  type Suspension,
  suspendedNode,
  takesPlace,
} from "@/core/node.ts";
import type { Clock } from "@/ports/clock.ts";
import type { Steps } from "./steps.ts";

/** What an operator says of a suspension. */
export interface SuspensionTerms {
  readonly reason?: string | undefined;
  /** After how long the pool removes the node; null for never, unstated as configured. */
  readonly removeAfterSeconds?: number | null | undefined;
}

/** What suspensions are made with. */
interface SuspendingParts {
  readonly clock: Clock;
  readonly steps: Steps;
  readonly get: (id: string) => Node;
  readonly graceSeconds: () => number;
}

/** Suspends nodes, takes them back, and removes them for good. */
export class Suspending {
  readonly #parts: SuspendingParts;

  constructor(parts: SuspendingParts) {
    this.#parts = parts;
  }

  /** Already suspended, it keeps its date, and gets the terms that are said anew. */
  async suspend(caller: Caller, id: string, terms: SuspensionTerms = {}): Promise<Node> {
    const node = this.#parts.get(id);
    const { reason, removeAfterSeconds } = terms;
    const isSaid = reason !== undefined || removeAfterSeconds !== undefined;
    if (node.status === "suspended" && !isSaid) return node;
    const suspension = this.#suspensionOf(node, terms);
    const record = suspendedNode(node, suspension);
    const { removeAtMs } = suspension;
    const detail = {
      ...(suspension.reason !== undefined && { reason: suspension.reason }),
      remove_at: removeAtMs === undefined ? "never" : new Date(removeAtMs).toISOString(),
    };
    const step = { record, action: "node.suspended", event: "node.suspended" } as const;
    return this.#parts.steps.save(caller, { ...step, detail });
  }

  #suspensionOf({ suspension }: Node, { reason, removeAfterSeconds }: SuspensionTerms): Suspension {
    const sinceMs = this.#parts.clock.now();
    const after = removeAfterSeconds === null ? 0 : removeAfterSeconds;
    const kept = suspension !== undefined && after === undefined;
    const seconds = after ?? this.#parts.graceSeconds();
    return {
      reason: reason ?? suspension?.reason,
      sinceMs,
      removeAtMs: kept
        ? suspension.removeAtMs
        : seconds === 0
          ? undefined
          : sinceMs + seconds * 1000,
    };
  }

  async resume(caller: Caller, id: string): Promise<Node> {
    const node = this.#parts.get(id);
    if (node.status === "member") return node;
    const record = resumedNode(node);
    return this.#parts.steps.save(caller, {
      record,
      action: "node.resumed",
      event: "node.changed",
    });
  }

  async remove(caller: Caller, id: string, why?: string): Promise<Node> {
    const node = this.#parts.get(id);
    if (node.status === "removed") return node;
    const record = removedNode(node);
    const writes = takesPlace(node) ? [this.#parts.steps.end(node, "removed")] : [];
    const step = { record, action: "node.removed", event: "node.removed", writes } as const;
    return this.#parts.steps.save(
      caller,
      why === undefined ? step : { ...step, detail: { reason: why } },
    );
  }
}
