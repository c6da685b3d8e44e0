import { type Caller, requireNodeOr } from "@/core/caller.ts";
import { type NodeId, nodeIdOf, type PoolId } from "@/core/ids.ts";
import {
  admittedNode,
  type EpochSlot,
  isListed,
  joinedNode,
  leftNode,
  type Node,
  type NodeRecord,
  nextVersion,
  nodeChanged,
  nodeExists,
  nodeLeft,
  nodeRemoved,
  nodeUnknown,
  pendingNode,
  requireWelcome,
  takesPlace,
  unheardNode,
  wasMember,
} from "@/core/node.ts";
import { changedProfile, type NodeChanges, newProfile, sameProfile } from "@/core/node-profile.ts";
import { admitsOrg, orgNotAdmitted, type Pool, poolPrivate } from "@/core/pool.ts";
import type { Write } from "@/ports/database.ts";
import { PoolError } from "@/std/errors.ts";
import type { Also, RegistryParts } from "./parts.ts";
import type { Pools } from "./pools.ts";
import type { Roster } from "./roster.ts";
import type { RegistrySettings } from "./settings.ts";
import { type Pending, Steps } from "./steps.ts";
import { Suspending } from "./suspending.ts";
import { beginMembership, deleteNode, insertNode, saveNode } from "./table.ts";

/** What a new node is to be. */
export interface NewNode extends NodeChanges {
  readonly publicKey: Uint8Array;
  readonly pool: PoolId;
  /** A token or an operator named the specialization, not the node. */
  readonly specializationApproved?: boolean;
  /** It comes by itself, from this network: in a public pool it waits until it was heard. */
  readonly pending?: { readonly network: string } | undefined;
}

/** Nodes that move to a public pool by themselves share the places of one network at its door. */
const MOVERS = "moved";

/** What the members are made with. */
interface MembersParts extends RegistryParts {
  /** The slot of the pool's time now. */
  readonly slotNow: () => EpochSlot;
}

/** Changes who belongs to which pool: read from memory, decide, commit, then memory, then tell. */
export class Members {
  readonly #parts: MembersParts;
  readonly #roster: Roster;
  readonly #pools: Pools;
  readonly #steps: Steps;
  readonly suspending: Suspending;
  readonly #alsoForgotten: ((node: NodeId) => readonly Write[])[] = [];
  #settings: RegistrySettings;

  constructor(parts: MembersParts, roster: Roster, pools: Pools) {
    this.#parts = parts;
    this.#roster = roster;
    this.#pools = pools;
    this.#settings = parts.settings;
    this.#steps = new Steps(parts, roster);
    this.suspending = new Suspending({
      clock: parts.clock,
      steps: this.#steps,
      get: (id) => this.get(id),
      graceSeconds: () => this.#settings.graceSeconds,
    });
  }

  apply(settings: RegistrySettings): void {
    this.#settings = settings;
  }

  get(id: string): Node {
    const node = this.#roster.node(id);
    if (!node) throw nodeUnknown(id);
    return node;
  }

  /** A key's admission to a pool, as writes for the commit of its enrolment. */
  admission(caller: Caller, wanted: NewNode, slot: number): Pending {
    requireKey(wanted.publicKey);
    const pool = this.#pools.get(wanted.pool);
    const id = nodeIdOf(wanted.publicKey);
    const known = this.#roster.nodeOfKey(wanted.publicKey) ?? this.#roster.node(id);
    const isKnown = known !== undefined && known.pool === pool.id && wasMember(known);
    const admitted = known
      ? readmitted(known, pool, wanted)
      : this.#newRecord({ id, wanted, pool, slot });
    this.#requireOrg(known, admitted);
    if (wanted.pending && !isKnown) {
      return this.#pendingEntry(caller, { known, pool, record: admitted }, wanted.pending.network);
    }
    const release = this.#roster.hold(pool, admitted.id, isKnown);
    const { sql } = this.#parts.database;
    const save = known ? saveNode(sql, admitted) : insertNode(sql, admitted);
    const writes = [save, beginMembership(sql, admitted, this.#parts.clock.now())];
    const step = { record: admitted, action: "node.joined", event: "node.joined", writes } as const;
    return this.#steps.pending(caller, step, release);
  }

  /** Nobody's membership begins before the node has shown that it lives. */
  #pendingEntry(
    caller: Caller,
    of: { readonly known: Node | undefined; readonly pool: Pool; readonly record: NodeRecord },
    network: string,
  ): Pending {
    const { known, pool } = of;
    if (pool.visibility !== "public") throw poolPrivate(pool.id);
    const { sql } = this.#parts.database;
    const entry = { sinceMs: this.#parts.clock.now(), network };
    const at = { ...of.record, version: of.record.version - 1 };
    const record = pendingNode(at, pool.id, entry);
    const release = this.#roster.holdPending(pool, { id: record.id, network }, this.#settings);
    const writes = [known ? saveNode(sql, record) : insertNode(sql, record)];
    const step = { record, action: "node.pending", event: "node.pending", writes } as const;
    return this.#steps.pending(caller, step, release);
  }

  /** A pending node was heard in as many slots as it takes; it is a member from the next slot on. */
  async admitPending(caller: Caller, id: NodeId, heardIn: EpochSlot): Promise<Node> {
    const node = this.get(id);
    if (node.status !== "pending") return node;
    const pool = this.#pools.get(node.pool);
    if (pool.visibility !== "public") throw poolPrivate(pool.id);
    const release = this.#roster.hold(pool, id, false);
    try {
      const record = admittedNode(node, { epoch: heardIn.epoch, slot: heardIn.slot + 1 });
      return await this.#begin(caller, record);
    } finally {
      release();
    }
  }

  #begin(caller: Caller, record: NodeRecord): Promise<Node> {
    const writes = [beginMembership(this.#parts.database.sql, record, this.#parts.clock.now())];
    return this.#steps.save(caller, {
      record,
      action: "node.joined",
      event: "node.joined",
      writes,
    });
  }

  /** A node that was never admitted is forgotten for good; one that was a member elsewhere has left. */
  async forget(caller: Caller, node: Node, action: "node.expired" | "node.left"): Promise<Node> {
    const { database, audit, events } = this.#parts;
    const { id, pool } = node;
    const record = nextVersion(node, { status: "left" });
    if (this.#roster.hasStayed(id)) {
      return this.#steps.save(caller, { record, action, event: action });
    }
    await database.commit([
      ...this.#alsoForgotten.flatMap((also) => also(id)),
      deleteNode(database.sql, node),
      audit.row(caller, action, id, { pool }),
    ]);
    this.#roster.drop(node);
    events.tell(action, { node: id, pool, from: pool });
    return unheardNode(record);
  }

  /** Writes that go with the forgetting of a node. */
  whenForgotten(also: (node: NodeId) => readonly Write[]): void {
    this.#alsoForgotten.push(also);
  }

  /** Commits what is pending together with other writes. */
  async settle(pending: Pending, also: Also<Node>): Promise<Node> {
    try {
      await this.#parts.database.commit([...pending.writes, ...also(pending.node)]);
    } catch (error) {
      pending.release();
      throw error;
    }
    return pending.done();
  }

  /** A node says what it is; one that had left comes back to the pool it was in. */
  async register(caller: Caller, id: NodeId, wanted: NodeChanges): Promise<Node> {
    const node = this.get(id);
    requireWelcome(node);
    if (wasMember(node)) await this.join(caller, id, node.pool);
    return this.update(caller, id, wanted);
  }

  async update(caller: Caller, id: string, wanted: NodeChanges, etag?: string): Promise<Node> {
    const node = this.#changeable(caller, id);
    if (etag !== undefined && etag !== String(node.version)) throw nodeChanged(node.id);
    const profile = changedProfile(node, wanted);
    const specializationApproved =
      (wanted.specialization !== undefined && caller.node === undefined) ||
      (node.specializationApproved && profile.specialization === node.specialization);
    const isSame = specializationApproved === node.specializationApproved;
    if (isSame && sameProfile(profile, node)) return node;
    const record = nextVersion(node, { ...profile, specializationApproved });
    this.#requireOrg(node, record);
    return this.#steps.save(caller, { record, action: "node.changed", event: "node.changed" });
  }

  async leave(caller: Caller, id: string): Promise<Node> {
    requireMayChange(caller, id);
    const node = this.get(id);
    if (node.status === "left") return node;
    if (node.status === "pending") return this.forget(caller, node, "node.left");
    const record = leftNode(node);
    const writes = [this.#steps.end(node, "left")];
    return this.#steps.save(caller, { record, action: "node.left", event: "node.left", writes });
  }

  async join(caller: Caller, id: string, to: string): Promise<Node> {
    requireMayChange(caller, id);
    const node = this.get(id);
    const pool = this.#pools.get(to);
    const isByItself = caller.node !== undefined;
    if (isHere(node, pool, isByItself)) return node;
    const isKnown = node.pool === pool.id && node.pending === undefined;
    if (isByItself && !isKnown) return this.#enterByItself(caller, node, pool);
    const record = this.#joined(node, pool.id);
    if (!isKnown) this.#requireAdmitted(caller, pool, record);
    return this.#enter(caller, { node, record, pool, isKnown });
  }

  async #enter(
    caller: Caller,
    of: {
      readonly node: Node;
      readonly record: NodeRecord;
      readonly pool: Pool;
      readonly isKnown: boolean;
    },
  ): Promise<Node> {
    const { node, record, pool, isKnown } = of;
    const release = this.#roster.hold(pool, node.id, isKnown);
    const begin = beginMembership(this.#parts.database.sql, record, this.#parts.clock.now());
    const event = takesPlace(node) ? "node.moved" : "node.joined";
    const writes = event === "node.moved" ? [this.#steps.end(node, "moved"), begin] : [begin];
    try {
      return await this.#steps.save(caller, { record, action: event, event, writes });
    } finally {
      release();
    }
  }

  async approve(caller: Caller, id: string): Promise<Node> {
    const node = this.get(id);
    if (node.status === "removed") throw nodeRemoved(node.id);
    if (node.specializationApproved) return node;
    const record = nextVersion(node, { specializationApproved: true });
    return this.#steps.save(caller, { record, action: "node.approved", event: "node.changed" });
  }

  /** A new key for a node, as writes for the commit of its renewal. */
  rotation(caller: Caller, id: NodeId, publicKey: Uint8Array): Pending {
    requireKey(publicKey);
    const node = this.get(id);
    requireWelcome(node);
    const other = this.#roster.nodeOfKey(publicKey) ?? this.#roster.node(nodeIdOf(publicKey));
    if (other) throw nodeExists(other.id);
    const record = nextVersion(node, { publicKey });
    const writes = [saveNode(this.#parts.database.sql, record)];
    const step = { record, action: "node.rekeyed", event: "node.rekeyed", writes } as const;
    return this.#steps.pending(caller, step, () => {});
  }

  #changeable(caller: Caller, id: string): Node {
    requireMayChange(caller, id);
    const node = this.get(id);
    if (caller.node !== undefined) requireWelcome(node);
    if (node.status === "removed") throw nodeRemoved(node.id);
    if (caller.node !== undefined && node.status === "left") throw nodeLeft(node.id);
    return node;
  }

  #newRecord(of: { id: NodeId; wanted: NewNode; pool: Pool; slot: number }): NodeRecord {
    const { id, wanted, pool, slot } = of;
    const profile = newProfile(wanted);
    return {
      ...profile,
      id,
      publicKey: wanted.publicKey,
      pool: pool.id,
      org: profile.org ?? pool.org,
      specializationApproved: wanted.specializationApproved ?? false,
      status: "member",
      suspension: undefined,
      pending: undefined,
      memberFrom: undefined,
      registeredAtMs: this.#parts.clock.now(),
      registeredSlot: slot,
      version: 1,
    };
  }

  /** A node at the door of a public pool is moved there, and waits until it was heard. */
  async #enterByItself(caller: Caller, node: Node, pool: Pool): Promise<Node> {
    const network = MOVERS;
    const entry = { sinceMs: this.#parts.clock.now(), network };
    const record = pendingNode(node, pool.id, entry);
    this.#requireAdmitted(caller, pool, record);
    const release = this.#roster.holdPending(pool, { id: node.id, network }, this.#settings);
    const writes = takesPlace(node) ? [this.#steps.end(node, "moved")] : [];
    const event = takesPlace(node) ? "node.moved" : "node.pending";
    try {
      return await this.#steps.save(caller, { record, action: event, event, writes });
    } finally {
      release();
    }
  }

  /** An operator who brings in a pending node vouches for it; what it did before never earns. */
  #joined(node: Node, pool: PoolId): NodeRecord {
    const record = joinedNode(node, pool);
    if (node.pending === undefined) return record;
    const { epoch, slot } = this.#parts.slotNow();
    return { ...record, memberFrom: { epoch, slot: slot + 1 } };
  }

  /** By itself a node comes into public pools only, and into none that does not admit its organization. */
  #requireAdmitted(caller: Caller, pool: Pool, record: NodeRecord): void {
    const isByItself = caller.node !== undefined;
    if (isByItself && pool.visibility === "private") throw poolPrivate(pool.id);
    if (!admitsOrg(pool, record.org)) throw orgNotAdmitted(pool.id);
  }

  /** Where it is already a node keeps its organization; any other one must be among those allowed. */
  #requireOrg(known: NodeRecord | undefined, record: NodeRecord): void {
    if (known && known.pool === record.pool && known.org === record.org) return;
    const pool = this.#roster.pool(record.pool);
    if (pool && !admitsOrg(pool, record.org)) throw orgNotAdmitted(record.pool);
  }
}

/** Whether joining would change nothing; a pending node makes itself no member by it. */
function isHere(node: Node, pool: Pool, isByItself: boolean): boolean {
  if (node.pool !== pool.id) return false;
  return node.status === "member" || (node.status === "pending" && isByItself);
}

/** A node that had left, admitted again by a new token. */
function readmitted(known: Node, pool: Pool, wanted: NewNode): NodeRecord {
  const record = joinedNode(known, pool.id);
  if (isListed(known)) throw nodeExists(known.id);
  const profile = changedProfile(known, wanted);
  const isApproved =
    known.specializationApproved && profile.specialization === known.specialization;
  return {
    ...record,
    ...profile,
    specializationApproved: wanted.specializationApproved ?? isApproved,
  };
}

function requireMayChange(caller: Caller, id: string): void {
  if (caller.type === "system") return;
  requireNodeOr(caller, id as NodeId, "operator", "admin");
}

function requireKey(publicKey: Uint8Array): void {
  if (publicKey.length === 32) return;
  const message = "must be an Ed25519 key of 32 bytes";
  throw new PoolError(
    "invalid",
    "node.invalid",
    `The node is not well described: public_key ${message}.`,
    {
      errors: [{ path: "public_key", message }],
    },
  );
}
