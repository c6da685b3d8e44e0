import { type Caller, isOfInstallation, systemCaller } from "@/core/caller.ts";
import type { NodeId, PoolId } from "@/core/ids.ts";
import {
  canServe,
  type EpochSlot,
  type Judgement,
  type Node,
  type NodeState,
  nodePending,
} from "@/core/node.ts";
import type { NodeChanges } from "@/core/node-profile.ts";
import { type Pool, type PoolChanges, poolPrivate, poolUnknown } from "@/core/pool.ts";
import { isOfPool, type Named, type Reach, requireReach, seesPool } from "@/core/sight.ts";
import { WEIGHT_USUAL } from "@/core/specialization.ts";
import type { Write } from "@/ports/database.ts";
import { assert } from "@/std/assert.ts";
import type { Page, PageRequest } from "@/std/paging.ts";
import { Changes } from "./changes.ts";
import { Members, type NewNode } from "./members.ts";
import { listNodes, matching, type NodeFilter, type NodeRange } from "./node-list.ts";
import type { Also, RegistryParts } from "./parts.ts";
import { Picks, type Question } from "./picks.ts";
import { type PoolDeleteCheck, Pools } from "./pools.ts";
import { Roster } from "./roster.ts";
import { type RegistrySettings, requireSameInterval } from "./settings.ts";
import type { Pending } from "./steps.ts";
import type { SuspensionTerms } from "./suspending.ts";
import { type Membership, readAll, readMemberships } from "./table.ts";
import { Tending } from "./tending.ts";
import { nodeView, poolView } from "./views.ts";
import { type WatchEvent, type Watching, watchNodes } from "./watch.ts";

interface ToldOfNode {
  readonly node: NodeId;
  readonly pool: PoolId;
  /** The pool before; another one only when the node moved. */
  readonly from: PoolId;
}

declare module "@/kernel/events.ts" {
  interface EventMap {
    "node.joined": ToldOfNode;
    /** At the door of a public pool; `node.joined` follows when it was admitted. */
    "node.pending": ToldOfNode;
    /** Was pending for too long, and is forgotten. */
    "node.expired": ToldOfNode;
    "node.left": ToldOfNode;
    "node.changed": ToldOfNode;
    "node.suspended": ToldOfNode;
    "node.removed": ToldOfNode;
    "node.moved": ToldOfNode;
    "node.rekeyed": ToldOfNode;
    "pool.created": { readonly pool: PoolId };
    "pool.changed": { readonly pool: PoolId };
    "pool.deleted": { readonly pool: PoolId };
  }
}

/** How many nodes of a pool are in a state. */
export interface Census {
  readonly pool: PoolId;
  readonly state: NodeState;
  readonly nodes: number;
}

/** What the registry needs to know of the pool's time. */
interface PoolTime {
  readonly epoch: number;
  readonly trusted: boolean;
}

const ITSELF = systemCaller("registry");

/** Who belongs to which pool. All of it is in memory; the disk is read once, at the start. */
export class Registry {
  readonly #parts: RegistryParts;
  readonly #roster: Roster;
  readonly #pools: Pools;
  readonly #members: Members;
  readonly #picks: Picks;
  #settings: RegistrySettings;
  readonly #tending: Tending;
  #slotNow: (() => number) | undefined;
  #time: () => PoolTime = () => ({ epoch: 0, trusted: true });
  #weightOf: (specialization: string) => number = () => WEIGHT_USUAL;

  private constructor(parts: RegistryParts) {
    this.#parts = parts;
    this.#settings = parts.settings;
    const epoch = Buffer.from(parts.random.bytes(3)).readUIntBE(0, 3);
    this.#roster = new Roster((node) => JSON.stringify(this.nodeView(node)), new Changes(epoch));
    this.#pools = new Pools(parts, this.#roster);
    const slotNow = () => this.#epochSlot();
    this.#members = new Members({ ...parts, slotNow }, this.#roster, this.#pools);
    this.#tending = new Tending(parts.clock, this.#roster, this.#members);
    this.#picks = new Picks(parts.clock);
  }

  /** The registry with everything the disk knows; the tables must be there. */
  static async open(parts: RegistryParts): Promise<Registry> {
    const registry = new Registry(parts);
    const { pools, nodes, stays } = await readAll(parts.database);
    for (const pool of pools) registry.#pools.put(pool);
    for (const node of nodes) registry.#roster.put(node);
    for (const { node, pool } of stays) registry.#roster.noteStay(node, pool);
    await registry.#pools.adoptFirst();
    return registry;
  }

  /** Who counts slots says which one it is now, of which epoch, and whether that is to be believed. */
  countSlotsWith(slotNow: () => number, time?: () => PoolTime): void {
    this.#slotNow = slotNow;
    if (time) this.#time = time;
  }

  #epochSlot(): EpochSlot {
    assert(this.#slotNow, "somebody counts slots: poot calls registry.countSlotsWith");
    return { epoch: this.#time().epoch, slot: this.#slotNow() };
  }

  /** Removes and forgets the nodes whose time is over; while the clock is not believed, nobody. */
  async tend(): Promise<void> {
    if (this.#time().trusted) await this.#tending.tend(this.#settings.pendingSeconds);
  }

  /** Writes that go with the forgetting of a node that was never admitted. */
  whenForgotten(also: (node: NodeId) => readonly Write[]): void {
    this.#members.whenForgotten(also);
  }

  /** A pending node was heard in a slot for the last time it takes; it is a member from the next on. */
  admitPending(node: NodeId, heardIn: EpochSlot): Promise<Node> {
    return this.#members.admitPending(ITSELF, node, heardIn);
  }

  /** How many nodes may wait at the door of one public pool. */
  get pendingMax(): number {
    return this.#settings.pendingMax;
  }

  /** How many nodes wait at the door of a pool. */
  pendingIn(pool: PoolId): number {
    return this.#roster.door.countOf(pool);
  }

  /** Who keeps the tariff says what a specialization weighs now; it shows which nodes wait. */
  weighWith(weightOf: (specialization: string) => number): void {
    this.#weightOf = weightOf;
    this.#roster.redraw();
  }

  /** Asked before a pool is deleted; it refuses by throwing. */
  beforePoolDelete(check: PoolDeleteCheck): void {
    this.#pools.beforeDelete(check);
  }

  /** Slots missed in a row after which a node is lost. */
  get lostAfterSlots(): number {
    return this.#settings.lostAfterSlots;
  }

  /** Refuses slots of another length than `registry.health_check_interval` says (`config.invalid`). */
  requireSlotSeconds(slotSeconds: number): void {
    requireSameInterval(this.#settings.healthCheckSeconds, slotSeconds);
  }

  /** Applies limits that changed while running. */
  apply(settings: RegistrySettings): void {
    this.#settings = settings;
    this.#pools.apply(settings);
    this.#members.apply(settings);
  }

  /** All pools, oldest first. */
  listPools(): readonly Pool[] {
    return this.#pools.list();
  }

  findPool(id: string): Pool | undefined {
    return this.#roster.pool(id);
  }

  /** Refuses with `pool.unknown`. */
  getPool(id: string): Pool {
    return this.#pools.get(id);
  }

  /** Refuses with `pool.invalid`, `pool.exists`, `pool.too_many`. */
  createPool(caller: Caller, wanted: PoolChanges, also?: Also<Pool>): Promise<Pool> {
    return this.#pools.create(caller, wanted, also);
  }

  /** Refuses with `pool.changed` when `etag` is not the current one. */
  updatePool(caller: Caller, id: string, wanted: PoolChanges, etag?: string): Promise<Pool> {
    return this.#pools.update(caller, id, wanted, etag);
  }

  /** Refuses while nodes (`pool.not_empty`) or money remain. */
  deletePool(caller: Caller, id: string): Promise<void> {
    return this.#pools.delete(caller, id);
  }

  poolView(pool: Pool): ReturnType<typeof poolView> {
    return poolView(pool, { nodes: this.countOf(pool.id), pending: this.pendingIn(pool.id) });
  }

  findNode(id: string): Node | undefined {
    return this.#roster.node(id);
  }

  /** Refuses with `node.unknown`. */
  getNode(id: string): Node {
    return this.#members.get(id);
  }

  /** By the key it has now. */
  findNodeByKey(publicKey: Uint8Array): Node | undefined {
    return this.#roster.nodeOfKey(publicKey);
  }

  /** The members of a pool, suspended ones too, by id. */
  nodesOf(pool: PoolId): Iterable<Node> {
    return matching(this.#roster, { pool });
  }

  /** How many nodes take a place in a pool. */
  countOf(pool: PoolId): number {
    return this.#roster.countOf(pool);
  }

  /** Where a node belonged from when to when, oldest first. */
  membershipsOf(node: NodeId): Promise<readonly Membership[]> {
    return readMemberships(this.#parts.database, node);
  }

  /** The pool of a node that calls; refuses a node that is in none (`pool.private`). */
  homeOf(id: NodeId): PoolId {
    const node = this.getNode(id);
    if (node.status === "pending") throw nodePending(id);
    if (node.status !== "member") throw poolPrivate(node.pool);
    return node.pool;
  }

  /** Refuses what names a pool or node that is hidden from its caller as if it did not exist. */
  requireReach(caller: Caller, asked: { readonly named: readonly Named[]; readonly reach: Reach }) {
    requireReach(this.#roster, caller, asked);
  }

  /** The pools there are as far as a caller can tell, oldest first. */
  poolsSeenBy(caller: Caller): readonly Pool[] {
    return this.listPools().filter((pool) => seesPool(this.#roster, caller, pool));
  }

  /** The pools a caller is of, oldest first. */
  poolsOf(caller: Caller): readonly Pool[] {
    return this.listPools().filter((pool) => isOfPool(this.#roster, caller, pool));
  }

  /**
   * The nodes a caller may ask for: of the pool named, a node of its own pool, others of every pool
   * they see. Refuses a pool that is hidden from the caller (`pool.unknown`).
   */
  rangeOf(caller: Caller, named?: string): NodeRange {
    if (named !== undefined && !isOfInstallation(caller)) {
      const pool = this.#roster.pool(named);
      if (!pool || !seesPool(this.#roster, caller, pool)) throw poolUnknown(named);
    }
    if (named !== undefined) return { pool: named as PoolId };
    if (caller.node !== undefined) return { pool: this.homeOf(caller.node) };
    if (isOfInstallation(caller)) return {};
    return { pools: new Set(this.poolsSeenBy(caller).map(({ id }) => id)) };
  }

  /** One page of nodes, by id. */
  list(filter: NodeFilter, page: PageRequest): Page<Node> {
    return listNodes(this.#roster, filter, { page, item: (node) => node });
  }

  /** The same page as JSON text. */
  listText(filter: NodeFilter, page: PageRequest): string {
    const item = (node: Node) => this.#roster.textOf(node);
    const { items, next_cursor } = listNodes(this.#roster, filter, { page, item });
    return `{"items":[${items.join(",")}],"next_cursor":${JSON.stringify(next_cursor)}}`;
  }

  nodeText(node: Node): string {
    return this.#roster.textOf(node);
  }

  /** How many nodes of each pool are in each state; those that left are not counted. */
  census(): readonly Census[] {
    return this.listPools().flatMap(({ id: pool }) => {
      const counts = new Map<NodeState, number>();
      for (const { state } of this.nodesOf(pool)) counts.set(state, (counts.get(state) ?? 0) + 1);
      return [...counts].map(([state, nodes]) => ({ pool, state, nodes }));
    });
  }

  /** Rises whenever anything shown of nodes or pools changes. */
  get generation(): number {
    return this.#roster.generation;
  }

  nodeView(node: Node): ReturnType<typeof nodeView> {
    const isUsual = this.#weightOf(node.specialization) === WEIGHT_USUAL;
    return nodeView(node, node.specializationApproved || isUsual);
  }

  /**
   * A key's admission, for whoever commits it with writes of his own: `done` after the commit,
   * `release` when it was refused. Refuses with `pool.full`, `pool.private`, `node.exists`,
   * `node.suspended`, `node.removed`, `node.invalid`.
   */
  admission(caller: Caller, wanted: NewNode, slot: number): Pending {
    return this.#members.admission(caller, wanted, slot);
  }

  /** A node's new key, committed in the same way. */
  rotation(caller: Caller, node: NodeId, publicKey: Uint8Array): Pending {
    return this.#members.rotation(caller, node, publicKey);
  }

  /** An operator registers a node by its key. */
  async admit(caller: Caller, wanted: NewNode, also: Also<Node> = () => []): Promise<Node> {
    return this.#members.settle(this.admission(caller, wanted, this.#epochSlot().slot), also);
  }

  /** A node says what it is; one that had left comes back. */
  register(caller: Caller, node: NodeId, wanted: NodeChanges): Promise<Node> {
    return this.#members.register(caller, node, wanted);
  }

  /** By an operator or the node itself; refuses with `node.changed` when `etag` is not current. */
  update(caller: Caller, id: string, wanted: NodeChanges, etag?: string): Promise<Node> {
    return this.#members.update(caller, id, wanted, etag);
  }

  /** The node leaves; what it is owed stays payable. */
  leave(caller: Caller, id: string): Promise<Node> {
    return this.#members.leave(caller, id);
  }

  /** Moves a node to another pool, or takes one back that had left. */
  join(caller: Caller, id: string, pool: string): Promise<Node> {
    return this.#members.join(caller, id, pool);
  }

  /** No credit, no work, until it is resumed, or removed when its time of grace is over. */
  suspend(caller: Caller, id: string, terms?: SuspensionTerms): Promise<Node> {
    return this.#members.suspending.suspend(caller, id, terms);
  }

  resume(caller: Caller, id: string): Promise<Node> {
    return this.#members.suspending.resume(caller, id);
  }

  /** For good: the key never joins again. */
  remove(caller: Caller, id: string): Promise<Node> {
    return this.#members.suspending.remove(caller, id);
  }

  /** An operator agrees with the specialization a node chose by itself. */
  approveSpecialization(caller: Caller, id: string): Promise<Node> {
    return this.#members.approve(caller, id);
  }

  /** What heartbeats and probes say of a node; it is kept in memory only. */
  judge(node: NodeId, heard: Partial<Judgement>): void {
    const judged = this.#roster.judge(node, heard);
    if (!judged) return;
    const { id, pool } = judged;
    this.#parts.events.tell("node.changed", { node: id, pool, from: pool });
  }

  /** Up to `count` nodes that can serve, by id: those heard lately. */
  discover(filter: NodeFilter, count: number): readonly Node[] {
    const found: Node[] = [];
    for (const node of matching(this.#roster, filter)) {
      if (found.length >= count) break;
      if (canServe(node)) found.push(node);
    }
    return found;
  }

  /** One node that can serve; refuses with `discovery.nobody`. */
  resolve(question: Question, range: NodeRange = {}): Node {
    const { specialization, org } = question;
    const serving = this.discover({ ...range, specialization, org }, Number.POSITIVE_INFINITY);
    return this.#picks.pick(serving, question);
  }

  /** The nodes a filter lets through, then "ready", then every change. */
  watch(filter: NodeFilter, watching: Watching): AsyncIterable<WatchEvent> {
    return watchNodes(this.#roster, filter, watching);
  }
}
