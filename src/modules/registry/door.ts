import type { NodeId, PoolId } from "@/core/ids.ts";

/** How many nodes may wait at the door of a public pool, in all and of one network. */
export interface DoorTerms {
  readonly pendingMax: number;
  readonly pendingPerNetworkMax: number;
}

interface Waiting {
  readonly pool: PoolId;
  readonly network: string;
}

/** Who waits to be admitted to which public pool, commits under way included. */
export class Door {
  readonly #pending = new Map<NodeId, Waiting>();
  readonly #held = new Map<NodeId, Waiting>();

  /** How many nodes wait at the door of a pool. */
  countOf(pool: PoolId): number {
    return count(this.#pending.values(), (one) => one.pool === pool);
  }

  note({ id, pool }: { readonly id: NodeId; readonly pool: PoolId }, network: string): void {
    this.#pending.set(id, { pool, network });
  }

  forget({ id }: { readonly id: NodeId }): void {
    this.#pending.delete(id);
  }

  /** Holds a place for a commit under way; undefined where there is none. */
  hold(
    pool: { readonly id: PoolId },
    node: { readonly id: NodeId; readonly network: string },
    { pendingMax, pendingPerNetworkMax }: DoorTerms,
  ): (() => void) | undefined {
    const { network } = node;
    const all = [...this.#pending, ...this.#held].filter(([id]) => id !== node.id);
    const here = all.map(([, waiting]) => waiting).filter((one) => one.pool === pool.id);
    if (here.length >= pendingMax) return undefined;
    if (count(here, (one) => one.network === network) >= pendingPerNetworkMax) return undefined;
    this.#held.set(node.id, { pool: pool.id, network });
    return () => this.#held.delete(node.id);
  }
}

function count<Item>(items: Iterable<Item>, is: (item: Item) => boolean): number {
  let found = 0;
  for (const item of items) if (is(item)) found++;
  return found;
}
