import type { Kysely } from "kysely";
import type { NodeId, PoolId } from "@/core/ids.ts";
import { type NodeRecord, type NodeStatus, nodeChanged, nodeExists } from "@/core/node.ts";
import {
  POOL_KINDS,
  type PoolKind,
  type PoolRecord,
  poolChanged,
  poolExists,
  VISIBILITIES,
  type Visibility,
} from "@/core/pool.ts";
import type { Database, Migration, Tables, Write } from "@/ports/database.ts";
import type { PoolError } from "@/std/errors.ts";

interface PoolRow {
  id: string;
  public_key: Uint8Array;
  name: string;
  kind: string;
  org: string | null;
  created_at_ms: bigint;
  max_nodes: bigint | null;
  deleted_at_ms: bigint | null;
  version: bigint;
  visibility: string | null;
  /** A JSON list of texts. */
  allowed_orgs: string | null;
}

interface NodeRow {
  id: string;
  public_key: Uint8Array;
  pool: string;
  name: string;
  specialization: string;
  specialization_approved: bigint;
  endpoint: string | null;
  org: string | null;
  /** A JSON object of texts. */
  metadata: string;
  status: string;
  registered_at_ms: bigint;
  registered_slot: bigint;
  version: bigint;
  suspended_at_ms: bigint | null;
  suspension_reason: string | null;
  remove_at_ms: bigint | null;
  /** A pending node is a member that has this, so that the older rule about status holds. */
  pending_since_ms: bigint | null;
  pending_network: string | null;
  member_from_epoch: bigint | null;
  member_from_slot: bigint | null;
}

interface MembershipRow {
  node: string;
  pool: string;
  from_ms: bigint;
  to_ms: bigint | null;
  /** Why it ended: left, removed or moved. */
  reason: string | null;
}

declare module "@/ports/database.ts" {
  interface Tables {
    pool: PoolRow;
    node: NodeRow;
    membership: MembershipRow;
  }
}

const KINDS = POOL_KINDS.map((kind) => `'${kind}'`).join(", ");
const SIGHTS = VISIBILITIES.map((word) => `'${word}'`).join(", ");

/** Pools, nodes, and who belonged where from when to when. */
export const REGISTRY_MIGRATIONS: readonly Migration[] = [
  {
    name: "registry/0001-pools",
    statements: [
      `CREATE TABLE pool (id TEXT PRIMARY KEY, public_key {blob} NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL CHECK (kind IN (${KINDS})), org TEXT, created_at_ms {int} NOT NULL, max_nodes {int} CHECK (max_nodes > 0), deleted_at_ms {int}, version {int} NOT NULL) {strict}`,
      "CREATE UNIQUE INDEX pool_name ON pool (name) WHERE deleted_at_ms IS NULL",
    ],
  },
  {
    name: "registry/0002-nodes",
    statements: [
      "CREATE TABLE node (id TEXT PRIMARY KEY, public_key {blob} NOT NULL UNIQUE, pool TEXT NOT NULL REFERENCES pool (id), name TEXT NOT NULL, specialization TEXT NOT NULL, specialization_approved {int} NOT NULL CHECK (specialization_approved IN (0, 1)), endpoint TEXT, org TEXT, metadata TEXT NOT NULL, status TEXT NOT NULL CHECK (status IN ('member', 'suspended', 'left', 'removed')), registered_at_ms {int} NOT NULL, registered_slot {int} NOT NULL, version {int} NOT NULL) {strict}",
      "CREATE TABLE membership (node TEXT NOT NULL REFERENCES node (id), pool TEXT NOT NULL REFERENCES pool (id), from_ms {int} NOT NULL, to_ms {int}, reason TEXT) {strict}",
      "CREATE INDEX membership_node ON membership (node, from_ms)",
      "CREATE UNIQUE INDEX membership_now ON membership (node) WHERE to_ms IS NULL",
    ],
  },
  {
    name: "registry/0003-visibility",
    statements: [
      `ALTER TABLE pool ADD COLUMN visibility TEXT CHECK (visibility IN (${SIGHTS}))`,
      "ALTER TABLE pool ADD COLUMN allowed_orgs TEXT",
    ],
  },
  {
    name: "registry/0004-suspension",
    statements: [
      "ALTER TABLE node ADD COLUMN suspended_at_ms {int}",
      "ALTER TABLE node ADD COLUMN suspension_reason TEXT",
      "ALTER TABLE node ADD COLUMN remove_at_ms {int}",
    ],
  },
  {
    name: "registry/0005-pending",
    statements: [
      "ALTER TABLE node ADD COLUMN pending_since_ms {int}",
      "ALTER TABLE node ADD COLUMN pending_network TEXT",
      "ALTER TABLE node ADD COLUMN member_from_epoch {int}",
      "ALTER TABLE node ADD COLUMN member_from_slot {int}",
    ],
  },
];

/** One stay of a node in a pool. */
export interface Membership {
  readonly node: NodeId;
  readonly pool: PoolId;
  readonly fromMs: number;
  readonly toMs: number | undefined;
  readonly reason: string | undefined;
}

/** Why a membership ended. */
export type EndReason = "left" | "removed" | "moved";

/** All pools that are not deleted, all nodes, and which pools they are or were members of. */
export async function readAll(database: Database): Promise<{
  readonly pools: readonly PoolRecord[];
  readonly nodes: readonly NodeRecord[];
  readonly stays: readonly Pick<Membership, "node" | "pool">[];
}> {
  const pools = await database.sql
    .selectFrom("pool")
    .selectAll()
    .where("deleted_at_ms", "is", null)
    .execute();
  const nodes = await database.sql.selectFrom("node").selectAll().execute();
  const stays = await database.sql
    .selectFrom("membership")
    .select(["node", "pool"])
    .distinct()
    .execute();
  return {
    pools: pools.map(poolOf),
    nodes: nodes.map(nodeOf),
    stays: stays.map(({ node, pool }) => ({ node: node as NodeId, pool: pool as PoolId })),
  };
}

/** Where a node belonged, oldest first. */
export async function readMemberships(
  database: Database,
  node: NodeId,
): Promise<readonly Membership[]> {
  const rows = await database.sql
    .selectFrom("membership")
    .selectAll()
    .where("node", "=", node)
    .orderBy("from_ms")
    .execute();
  return rows.map((row) => ({
    node: row.node as NodeId,
    pool: row.pool as PoolId,
    fromMs: Number(row.from_ms),
    toMs: row.to_ms === null ? undefined : Number(row.to_ms),
    reason: row.reason ?? undefined,
  }));
}

/** Whether there is or ever was a pool of this id. */
export async function wasPool(database: Database, id: PoolId): Promise<boolean> {
  const rows = await database.sql.selectFrom("pool").select("id").where("id", "=", id).execute();
  return rows.length > 0;
}

/** A new pool; its name must be free. */
export function insertPool(sql: Kysely<Tables>, pool: PoolRecord): Write {
  const row = { ...poolValues(pool), deleted_at_ms: null };
  const query = sql
    .insertInto("pool")
    .values({
      ...row,
      id: pool.id,
      public_key: pool.publicKey,
      created_at_ms: BigInt(pool.createdAtMs),
    })
    .compile();
  return { query, rows: 1, refusal: poolExists(pool.name) };
}

/** A changed pool, if it is still at the version before; `refusal` when it is not, or the name is taken. */
export function savePool(sql: Kysely<Tables>, pool: PoolRecord, refusal: PoolError): Write {
  return { query: poolUpdate(sql, pool).set(poolValues(pool)).compile(), rows: 1, refusal };
}

/** A deleted pool: its row stays, for the history that names it. */
export function endPool(sql: Kysely<Tables>, pool: PoolRecord, atMs: number): Write {
  const next = { ...pool, version: pool.version + 1 };
  const query = poolUpdate(sql, next).set({
    deleted_at_ms: BigInt(atMs),
    version: BigInt(next.version),
  });
  return { query: query.compile(), rows: 1, refusal: poolChanged(pool.id) };
}

/** A new node; its key must be unseen. */
export function insertNode(sql: Kysely<Tables>, node: NodeRecord): Write {
  const row = {
    ...nodeValues(node),
    id: node.id,
    registered_at_ms: BigInt(node.registeredAtMs),
    registered_slot: BigInt(node.registeredSlot),
  };
  const query = sql.insertInto("node").values(row).compile();
  return { query, rows: 1, refusal: nodeExists(node.id) };
}

/** A changed node, if it is still at the version before. */
export function saveNode(sql: Kysely<Tables>, node: NodeRecord): Write {
  const query = sql
    .updateTable("node")
    .set(nodeValues(node))
    .where("id", "=", node.id)
    .where("version", "=", BigInt(node.version - 1))
    .compile();
  return { query, rows: 1, refusal: nodeChanged(node.id) };
}

/** A node that was never admitted is forgotten, if it is still at this version. */
export function deleteNode(sql: Kysely<Tables>, node: NodeRecord): Write {
  const query = sql
    .deleteFrom("node")
    .where("id", "=", node.id)
    .where("version", "=", BigInt(node.version))
    .compile();
  return { query, rows: 1, refusal: nodeChanged(node.id) };
}

/** A node's membership begins; it must have none. */
export function beginMembership(sql: Kysely<Tables>, node: NodeRecord, atMs: number): Write {
  const row = { node: node.id, pool: node.pool, from_ms: BigInt(atMs), to_ms: null, reason: null };
  const query = sql.insertInto("membership").values(row).compile();
  return { query, rows: 1, refusal: nodeChanged(node.id) };
}

/** A node's membership ends; it must have one. */
export function endMembership(
  sql: Kysely<Tables>,
  node: NodeId,
  end: { readonly atMs: number; readonly reason: EndReason },
): Write {
  const query = sql
    .updateTable("membership")
    .set({ to_ms: BigInt(end.atMs), reason: end.reason })
    .where("node", "=", node)
    .where("to_ms", "is", null)
    .compile();
  return { query, rows: 1, refusal: nodeChanged(node) };
}

function poolUpdate(sql: Kysely<Tables>, next: PoolRecord) {
  return sql
    .updateTable("pool")
    .where("id", "=", next.id)
    .where("version", "=", BigInt(next.version - 1))
    .where("deleted_at_ms", "is", null);
}

function poolValues(pool: PoolRecord) {
  return {
    name: pool.name,
    kind: pool.kind,
    org: pool.org ?? null,
    max_nodes: pool.ownMaxNodes === undefined ? null : BigInt(pool.ownMaxNodes),
    visibility: pool.ownVisibility ?? null,
    allowed_orgs: pool.ownAllowedOrgs === undefined ? null : JSON.stringify(pool.ownAllowedOrgs),
    version: BigInt(pool.version),
  };
}

function nodeValues(node: NodeRecord) {
  return {
    public_key: node.publicKey,
    pool: node.pool,
    name: node.name,
    specialization: node.specialization,
    specialization_approved: node.specializationApproved ? 1n : 0n,
    endpoint: node.endpoint ?? null,
    org: node.org ?? null,
    metadata: JSON.stringify(node.metadata),
    status: node.status === "pending" ? "member" : node.status,
    suspended_at_ms: bigOf(node.suspension?.sinceMs),
    suspension_reason: node.suspension?.reason ?? null,
    remove_at_ms: bigOf(node.suspension?.removeAtMs),
    pending_since_ms: bigOf(node.pending?.sinceMs),
    pending_network: node.pending?.network ?? null,
    member_from_epoch: bigOf(node.memberFrom?.epoch),
    member_from_slot: bigOf(node.memberFrom?.slot),
    version: BigInt(node.version),
  };
}

function poolOf(row: PoolRow): PoolRecord {
  return {
    id: row.id as PoolId,
    publicKey: row.public_key,
    name: row.name,
    kind: row.kind as PoolKind,
    org: row.org ?? undefined,
    createdAtMs: Number(row.created_at_ms),
    ownMaxNodes: row.max_nodes === null ? undefined : Number(row.max_nodes),
    ownVisibility: (row.visibility ?? undefined) as Visibility | undefined,
    ownAllowedOrgs:
      row.allowed_orgs === null ? undefined : (JSON.parse(row.allowed_orgs) as string[]),
    version: Number(row.version),
  };
}

function nodeOf(row: NodeRow): NodeRecord {
  return {
    id: row.id as NodeId,
    publicKey: row.public_key,
    pool: row.pool as PoolId,
    name: row.name,
    specialization: row.specialization,
    specializationApproved: row.specialization_approved === 1n,
    endpoint: row.endpoint ?? undefined,
    org: row.org ?? undefined,
    metadata: JSON.parse(row.metadata) as Record<string, string>,
    status: statusOf(row),
    registeredAtMs: Number(row.registered_at_ms),
    registeredSlot: Number(row.registered_slot),
    ...standingOf(row),
    version: Number(row.version),
  };
}

function statusOf({ status, pending_since_ms: pending }: NodeRow): NodeStatus {
  return status === "member" && pending !== null ? "pending" : (status as NodeStatus);
}

function standingOf(row: NodeRow): Pick<NodeRecord, "suspension" | "pending" | "memberFrom"> {
  const suspension = {
    reason: row.suspension_reason ?? undefined,
    // A suspension of an older program has no date.
    sinceMs: Number(row.suspended_at_ms ?? row.registered_at_ms),
    removeAtMs: row.remove_at_ms === null ? undefined : Number(row.remove_at_ms),
  };
  const pending = {
    sinceMs: Number(row.pending_since_ms),
    network: row.pending_network ?? "",
  };
  const memberFrom = {
    epoch: Number(row.member_from_epoch),
    slot: Number(row.member_from_slot),
  };
  return {
    suspension: row.status === "suspended" ? suspension : undefined,
    pending: row.pending_since_ms === null ? undefined : pending,
    memberFrom: row.member_from_slot === null ? undefined : memberFrom,
  };
}

function bigOf(value: number | undefined): bigint | null {
  return value === undefined ? null : BigInt(value);
}
