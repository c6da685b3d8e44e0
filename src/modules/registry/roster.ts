import type { NodeId, PoolId } from "@/core/ids.ts";
import {
  changedNode,
  isListed,
  type Judgement,
  judgedNode,
  type Node,
  type NodeRecord,
  nodeChanged,
  takesPlace,
  unheardNode,
} from "@/core/node.ts";
import { type Pool, poolCrowded, poolFull } from "@/core/pool.ts";
import { assert } from "@/std/assert.ts";
import { toBase64 } from "@/std/bytes.ts";
import type { Changes } from "./changes.ts";
import { Door, type DoorTerms } from "./door.ts";

interface Entry {
  node: Node;
  /** Its JSON text, until something of it changes. */
  text: string | undefined;
}

/** All pools and nodes, in memory. It is changed after the commit, never before. */
export class Roster {
  readonly changes: Changes;
  readonly #render: (node: Node) => string;
  readonly #pools = new Map<PoolId, Pool>();
  readonly #entries = new Map<NodeId, Entry>();
  readonly #byKey = new Map<string, NodeId>();
  /** All ids in their order, and those that stand in the list of their pool, by pool. */
  readonly #ids: NodeId[] = [];
  readonly #listed = new Map<PoolId, NodeId[]>();
  readonly door = new Door();
  /** Places held for commits under way. */
  readonly #held = new Map<PoolId, Set<NodeId>>();
  readonly #closing = new Set<PoolId>();
  /** The pools nodes are or ever were members of. */
  readonly #stays = new Map<NodeId, Set<PoolId>>();
  #generation = 0;

  constructor(render: (node: Node) => string, changes: Changes) {
    this.#render = render;
    this.changes = changes;
  }

  /** Rises whenever anything shown changes. */
  get generation(): number {
    return this.#generation;
  }

  pools(): Iterable<Pool> {
    return this.#pools.values();
  }

  pool(id: string): Pool | undefined {
    return this.#pools.get(id as PoolId);
  }

  putPool(pool: Pool): void {
    this.#pools.set(pool.id, pool);
    this.#generation += 1;
  }

  dropPool(id: PoolId): void {
    this.#pools.delete(id);
    this.#generation += 1;
  }

  node(id: string): Node | undefined {
    return this.#entries.get(id as NodeId)?.node;
  }

  poolOfNode(id: string): PoolId | undefined {
    return this.node(id)?.pool;
  }

  wasIn(node: NodeId, pool: string): boolean {
    return this.#stays.get(node)?.has(pool as PoolId) === true;
  }

  /** Whether a node was ever a member of any pool. */
  hasStayed(node: NodeId): boolean {
    return this.#stays.has(node);
  }

  noteStay(node: NodeId, pool: PoolId): void {
    this.#stays.set(node, (this.#stays.get(node) ?? new Set()).add(pool));
  }

  nodeOfKey(publicKey: Uint8Array): Node | undefined {
    const id = this.#byKey.get(toBase64(publicKey));
    return id === undefined ? undefined : this.node(id);
  }

  /** Ids in their order, after a position: those listed in one pool, or all there are. */
  *idsAfter(after: string, pool?: PoolId): Iterable<NodeId> {
    const ids = pool === undefined ? this.#ids : (this.#listed.get(pool) ?? []);
    for (let at = placeOf(ids, after); at < ids.length; at++) {
      const id = ids[at];
      if (id !== undefined && id !== after) yield id;
    }
  }

  /** How many nodes take a place in a pool; those at its door do not. */
  countOf(pool: PoolId): number {
    return (this.#listed.get(pool)?.length ?? 0) - this.door.countOf(pool);
  }

  /** All nodes there are, in the order of their ids. */
  *nodes(): Iterable<Node> {
    for (const id of [...this.#ids]) {
      const node = this.node(id);
      if (node) yield node;
    }
  }

  /** The JSON text of a node. */
  textOf(node: Node): string {
    const entry = this.#entries.get(node.id);
    assert(entry, "a node shown is known");
    entry.text ??= this.#render(entry.node);
    return entry.text;
  }

  /**
   * Holds a place in a pool until the commit is done or refused, so that commits under way together
   * never pass the limit; the answer gives it back. A known node is never refused for lack of room.
   */
  hold(pool: Pool, node: NodeId, known: boolean): () => void {
    const held = this.#held.get(pool.id) ?? new Set();
    if (held.has(node) || this.#closing.has(pool.id)) throw nodeChanged(node);
    if (!known && this.countOf(pool.id) + held.size >= pool.maxNodes) throw poolFull(pool);
    this.#held.set(pool.id, held.add(node));
    return () => held.delete(node);
  }

  /** The same for a place at the door of a public pool, which is of no use while the pool is full. */
  holdPending(pool: Pool, node: { readonly id: NodeId; readonly network: string }, max: DoorTerms) {
    const release = this.hold(pool, node.id, false);
    const leave = this.door.hold(pool, node, max);
    if (leave) {
      return () => {
        leave();
        release();
      };
    }
    release();
    throw poolCrowded(pool);
  }

  heldIn(pool: PoolId): number {
    return this.#held.get(pool)?.size ?? 0;
  }

  /** Keeps everybody out of a pool while it is being deleted; the answer opens it again. */
  close(pool: PoolId): () => void {
    this.#closing.add(pool);
    return () => this.#closing.delete(pool);
  }

  isClosing(pool: PoolId): boolean {
    return this.#closing.has(pool);
  }

  /** Takes over what was committed. */
  put(record: NodeRecord): Node {
    const before = this.#entries.get(record.id)?.node;
    const node = before ? changedNode(before, record) : unheardNode(record);
    this.#index(before, node);
    if (takesPlace(node)) this.noteStay(node.id, node.pool);
    this.#entries.set(node.id, { node, text: undefined });
    this.#tell(node, { pool: before?.pool ?? node.pool, reshaped: true });
    return node;
  }

  /** Forgets a node that was never admitted. */
  drop(node: Node): void {
    this.#entries.delete(node.id);
    this.#byKey.delete(toBase64(node.publicKey));
    removeSorted(this.#ids, node.id);
    if (isListed(node)) removeSorted(this.#listedIn(node.pool), node.id);
    this.door.forget(node);
    this.#generation += 1;
    this.changes.add({ id: node.id, pool: node.pool, reshaped: true });
  }

  /** Takes over what was heard of a node; answers whether it shows more than a newer heartbeat. */
  judge(id: NodeId, heard: Partial<Judgement>): Node | undefined {
    const entry = this.#entries.get(id);
    assert(entry, "a node judged is known");
    const { state, healthPermille } = entry.node;
    entry.node = judgedNode(entry.node, heard);
    entry.text = undefined;
    this.#generation += 1;
    if (state === entry.node.state && healthPermille === entry.node.healthPermille)
      return undefined;
    this.#tell(entry.node, { pool: entry.node.pool, reshaped: false });
    return entry.node;
  }

  /** Forgets all texts: they would be written otherwise now. */
  redraw(): void {
    for (const entry of this.#entries.values()) entry.text = undefined;
    this.#generation += 1;
  }

  #index(before: Node | undefined, node: Node): void {
    if (!before) insertSorted(this.#ids, node.id);
    if (before) this.#byKey.delete(toBase64(before.publicKey));
    this.#byKey.set(toBase64(node.publicKey), node.id);
    if (before && isListed(before)) removeSorted(this.#listedIn(before.pool), node.id);
    if (isListed(node)) insertSorted(this.#listedIn(node.pool), node.id);
    if (before) this.door.forget(before);
    if (node.status === "pending" && node.pending) this.door.note(node, node.pending.network);
  }

  #listedIn(pool: PoolId): NodeId[] {
    const ids = this.#listed.get(pool) ?? [];
    this.#listed.set(pool, ids);
    return ids;
  }

  #tell(node: Node, how: { readonly pool: PoolId; readonly reshaped: boolean }): void {
    this.#generation += 1;
    this.changes.add({ id: node.id, ...how });
  }
}

/** Where an id is, or where it would be. */
function placeOf(ids: readonly string[], id: string): number {
  let low = 0;
  let high = ids.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ids[middle] ?? "") < id) low = middle + 1;
    else high = middle;
  }
  return low;
}

function insertSorted(ids: NodeId[], id: NodeId): void {
  ids.splice(placeOf(ids, id), 0, id);
}

function removeSorted(ids: NodeId[], id: NodeId): void {
  const at = placeOf(ids, id);
  assert(ids[at] === id, "an id removed is there");
  ids.splice(at, 1);
}
