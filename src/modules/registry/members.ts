import { type Caller, requireNodeOr } from "@/core/caller.ts";
import { type NodeId, nodeIdOf, type PoolId } from "@/core/ids.ts";
import {
  changedNode,
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
  removedNode,
  requireWelcome,
  resumedNode,
  suspendedNode,
  takesPlace,
  unheardNode,
} from "@/core/node.ts";
import { changedProfile, type NodeChanges, newProfile, sameProfile } from "@/core/node-profile.ts";
import { admitsOrg, type Pool, poolPrivate } from "@/core/pool.ts";
import type { EventMap } from "@/kernel/events.ts";
import type { Write } from "@/ports/database.ts";
import { PoolError } from "@/std/errors.ts";
import type { Also, RegistryParts } from "./parts.ts";
import type { Pools } from "./pools.ts";
import type { Roster } from "./roster.ts";
import { beginMembership, endMembership, insertNode, saveNode } from "./table.ts";

/** What a new node is to be. */
export interface NewNode extends NodeChanges {
  readonly publicKey: Uint8Array;
  readonly pool: PoolId;
  /** A token or an operator named the specialization, not the node. */
  readonly specializationApproved?: boolean;
}

/**
 * A change that somebody else commits together with writes of his own. After the commit he calls
 * `done`; when it was refused, `release`, or the place stays held until the next start.
 */
export interface Pending {
  /** The node as it will be. */
  readonly node: Node;
  readonly writes: readonly Write[];
  done(): Node;
  release(): void;
}

/** The events that name a node and its pool. */
type NodeEventName = Extract<keyof EventMap, `node.${string}`>;

interface Step {
  readonly record: NodeRecord;
  /** Past tense, dotted: the audit's word for it. */
  readonly action: string;
  readonly event: NodeEventName;
  readonly writes?: readonly Write[];
  /** What the audit says besides the pool. */
  readonly detail?: Readonly<Record<string, string>>;
}

/** Changes who belongs to which pool: read from memory, decide, commit, then memory, then tell. */
export class Members {
  readonly #parts: RegistryParts;
  readonly #roster: Roster;
  readonly #pools: Pools;

  constructor(parts: RegistryParts, roster: Roster, pools: Pools) {
    this.#parts = parts;
    this.#roster = roster;
    this.#pools = pools;
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
    const record = known
      ? readmitted(known, pool, wanted)
      : this.#newRecord({ id, wanted, pool, slot });
    this.#requireOrg(known, record);
    const release = this.#roster.hold(pool, record.id, known?.pool === pool.id);
    const { sql } = this.#parts.database;
    const save = known ? saveNode(sql, record) : insertNode(sql, record);
    const writes = [save, beginMembership(sql, record, this.#parts.clock.now())];
    return this.#pending(
      caller,
      { record, action: "node.joined", event: "node.joined", writes },
      release,
    );
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
    if (node.status === "left") await this.join(caller, id, node.pool);
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
    return this.#save(caller, { record, action: "node.changed", event: "node.changed" });
  }

  async leave(caller: Caller, id: string): Promise<Node> {
    requireMayChange(caller, id);
    const node = this.get(id);
    if (node.status === "left") return node;
    const record = leftNode(node);
    const writes = [this.#end(node, "left")];
    return this.#save(caller, { record, action: "node.left", event: "node.left", writes });
  }

  async join(caller: Caller, id: string, to: string): Promise<Node> {
    requireMayChange(caller, id);
    const node = this.get(id);
    const pool = this.#pools.get(to);
    const isKnown = node.pool === pool.id;
    if (isKnown && node.status === "member") return node;
    const record = joinedNode(node, pool.id);
    if (!isKnown) this.#requireAdmitted(caller, pool, record);
    const release = this.#roster.hold(pool, node.id, isKnown);
    const begin = beginMembership(this.#parts.database.sql, record, this.#parts.clock.now());
    const event = node.status === "left" ? "node.joined" : "node.moved";
    const writes = event === "node.moved" ? [this.#end(node, "moved"), begin] : [begin];
    try {
      return await this.#save(caller, { record, action: event, event, writes });
    } finally {
      release();
    }
  }

  async suspend(caller: Caller, id: string, reason?: string): Promise<Node> {
    const node = this.get(id);
    if (node.status === "suspended") return node;
    const record = suspendedNode(node);
    const detail = reason ? { reason } : {};
    const suspension = { record, action: "node.suspended", event: "node.suspended" } as const;
    return this.#save(caller, { ...suspension, detail });
  }

  async resume(caller: Caller, id: string): Promise<Node> {
    const node = this.get(id);
    if (node.status === "member") return node;
    const record = resumedNode(node);
    return this.#save(caller, { record, action: "node.resumed", event: "node.changed" });
  }

  async remove(caller: Caller, id: string): Promise<Node> {
    const node = this.get(id);
    if (node.status === "removed") return node;
    const record = removedNode(node);
    const writes = takesPlace(node) ? [this.#end(node, "removed")] : [];
    return this.#save(caller, { record, action: "node.removed", event: "node.removed", writes });
  }

  async approve(caller: Caller, id: string): Promise<Node> {
    const node = this.get(id);
    if (node.status === "removed") throw nodeRemoved(node.id);
    if (node.specializationApproved) return node;
    const record = nextVersion(node, { specializationApproved: true });
    return this.#save(caller, { record, action: "node.approved", event: "node.changed" });
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
    return this.#pending(caller, step, () => {});
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
      registeredAtMs: this.#parts.clock.now(),
      registeredSlot: slot,
      version: 1,
    };
  }

  /** By itself a node comes into public pools only, and into none that does not admit its organization. */
  #requireAdmitted(caller: Caller, pool: Pool, record: NodeRecord): void {
    const isByItself = caller.node !== undefined;
    if (isByItself && pool.visibility === "private") throw poolPrivate(pool.id);
    if (!admitsOrg(pool, record.org)) throw poolPrivate(pool.id);
  }

  /** Where it is already a node keeps its organization; any other one must be among those allowed. */
  #requireOrg(known: NodeRecord | undefined, record: NodeRecord): void {
    if (known && known.pool === record.pool && known.org === record.org) return;
    const pool = this.#roster.pool(record.pool);
    if (pool && !admitsOrg(pool, record.org)) throw poolPrivate(record.pool);
  }

  #end(node: NodeRecord, reason: "left" | "removed" | "moved"): Write {
    const end = { atMs: this.#parts.clock.now(), reason };
    return endMembership(this.#parts.database.sql, node.id, end);
  }

  #pending(caller: Caller, step: Step, release: () => void): Pending {
    const { record, action, writes = [] } = step;
    const before = this.#roster.node(record.id);
    const row = this.#parts.audit.row(caller, action, record.id, { pool: record.pool });
    return {
      node: before ? changedNode(before, record) : unheardNode(record),
      writes: [...writes, row],
      release,
      done: () => {
        release();
        return this.#land(step);
      },
    };
  }

  async #save(caller: Caller, step: Step): Promise<Node> {
    const { database, audit } = this.#parts;
    const { record, action, writes = [], detail } = step;
    const row = audit.row(caller, action, record.id, { pool: record.pool, ...detail });
    await database.commit([saveNode(database.sql, record), ...writes, row]);
    return this.#land(step);
  }

  #land({ record, event }: Step): Node {
    const from = this.#roster.node(record.id)?.pool ?? record.pool;
    const node = this.#roster.put(record);
    this.#parts.events.tell(event, { node: node.id, pool: node.pool, from });
    return node;
  }
}

/** A node that had left, admitted again by a new token. */
function readmitted(known: Node, pool: Pool, wanted: NewNode): NodeRecord {
  const record = joinedNode(known, pool.id);
  if (takesPlace(known)) throw nodeExists(known.id);
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
