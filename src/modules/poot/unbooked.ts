import type { NodeId, PoolId } from "@/core/ids.ts";
import type { ClosedCredits, NodeCredit } from "@/core/poot/booking.ts";

interface Waiting {
  readonly cursor: bigint;
  readonly credit: NodeCredit;
}

/** Credits that are closed and not in the ledger yet, by pool and node. */
export class Unbooked {
  readonly #waiting = new Map<PoolId, Map<NodeId, Waiting[]>>();
  #newest = 0n;
  #bookedUntil: bigint | undefined;

  /** How far the ledger has booked; undefined before it has said so. */
  get bookedUntil(): bigint | undefined {
    return this.#bookedUntil;
  }

  /** Adds an interval; one that was added or booked already is passed over. */
  add({ cursor, pool, credits }: ClosedCredits): void {
    if (cursor <= this.#newest) return;
    this.#newest = cursor;
    const nodes = this.#waiting.get(pool) ?? new Map<NodeId, Waiting[]>();
    this.#waiting.set(pool, nodes);
    for (const credit of credits) {
      const list = nodes.get(credit.node);
      if (list) list.push({ cursor, credit });
      else nodes.set(credit.node, [{ cursor, credit }]);
    }
  }

  /** The ledger has booked up to here. */
  bookUntil(cursor: bigint): void {
    this.#bookedUntil = cursor;
    if (cursor > this.#newest) this.#newest = cursor;
    for (const nodes of this.#waiting.values()) {
      for (const [node, list] of nodes) {
        const left = list.filter((waiting) => waiting.cursor > cursor);
        if (left.length === 0) nodes.delete(node);
        else nodes.set(node, left);
      }
    }
  }

  /** What waits of a node at a pool, oldest first. */
  of(pool: PoolId, node: NodeId): readonly NodeCredit[] {
    return (
      this.#waiting
        .get(pool)
        ?.get(node)
        ?.map(({ credit }) => credit) ?? []
    );
  }
}
