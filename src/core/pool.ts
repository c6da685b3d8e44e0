import { PoolError } from "@/std/errors.ts";
import type { PoolId } from "./ids.ts";
import { nameProblem, orgProblem } from "./node-profile.ts";

/** What a pool is for. */
export type PoolKind = "main" | "test" | "dev" | "enterprise";

/** Every kind, for schemas and checks. */
export const POOL_KINDS: readonly PoolKind[] = ["main", "test", "dev", "enterprise"];

/** The most nodes one pool may be told to hold. */
export const POOL_NODES_MAX = 10_000;

/** What is kept of a pool. */
export interface PoolRecord {
  readonly id: PoolId;
  readonly publicKey: Uint8Array;
  readonly name: string;
  readonly kind: PoolKind;
  /** Whose it is; only an operator or a token brings nodes into a pool that has one. */
  readonly org: string | undefined;
  readonly createdAtMs: number;
  /** Its own limit of nodes; undefined follows the configuration. */
  readonly ownMaxNodes: number | undefined;
  readonly version: number;
}

/** A pool, with the limit that holds now. */
export interface Pool extends PoolRecord {
  readonly maxNodes: number;
}

/** What somebody wants a pool to be; null takes an optional word away. */
export interface PoolChanges {
  readonly name?: string | undefined;
  readonly kind?: PoolKind | undefined;
  readonly org?: string | null | undefined;
  readonly maxNodes?: number | null | undefined;
}

/** What a pool says of itself. */
export type PoolTerms = Pick<PoolRecord, "name" | "kind" | "org" | "ownMaxNodes">;

/** The kind a word names; refuses any other word (`pool.invalid`). */
export function poolKindOf(text: string): PoolKind {
  const kind = POOL_KINDS.find((known) => known === text);
  if (kind) return kind;
  throw poolInvalid([{ path: "kind", message: `must be one of ${POOL_KINDS.join(", ")}` }]);
}

/** The terms of a new pool; refuses what is malformed (`pool.invalid`). */
export function newTerms(wanted: PoolChanges): PoolTerms {
  return changedTerms({ name: "", kind: "main", org: undefined, ownMaxNodes: undefined }, wanted);
}

/** The terms after changes; refuses what is malformed (`pool.invalid`). */
export function changedTerms(terms: PoolTerms, wanted: PoolChanges): PoolTerms {
  const { name = terms.name, kind = terms.kind, org, maxNodes } = wanted;
  return requireTerms({
    name: name.normalize("NFC").trim(),
    kind,
    org: org === undefined ? terms.org : org || undefined,
    ownMaxNodes: maxNodes === undefined ? terms.ownMaxNodes : (maxNodes ?? undefined),
  });
}

function requireTerms(terms: PoolTerms): PoolTerms {
  const { name, kind, org, ownMaxNodes } = terms;
  const problems = [
    { path: "name", message: nameProblem(name) },
    { path: "org", message: org === undefined ? undefined : orgProblem(org) },
    { path: "org", message: kind === "enterprise" && !org ? "must name the owner" : undefined },
    {
      path: "max_nodes",
      message: ownMaxNodes === undefined ? undefined : limitProblem(ownMaxNodes),
    },
  ].flatMap(({ path, message }) => (message === undefined ? [] : [{ path, message }]));
  if (problems.length > 0) throw poolInvalid(problems);
  return terms;
}

function limitProblem(nodes: number): string | undefined {
  if (Number.isInteger(nodes) && nodes >= 1 && nodes <= POOL_NODES_MAX) return undefined;
  return `must be a whole number from 1 to ${POOL_NODES_MAX}`;
}

function poolInvalid(problems: readonly { path: string; message: string }[]): PoolError {
  const sentence = problems.map(({ path, message }) => `${path} ${message}`).join("; ");
  return new PoolError("invalid", "pool.invalid", `The pool is not well described: ${sentence}.`, {
    errors: problems,
  });
}

/** The refusal for a pool nobody knows. */
export const poolUnknown = (id: string) =>
  new PoolError(
    "not_found",
    "pool.unknown",
    `There is no pool ${id.slice(0, 64)} here; list the pools to see which there are.`,
  );

/** The refusal for a name that is taken. */
export const poolExists = (name: string) =>
  new PoolError(
    "exists",
    "pool.exists",
    `There is a pool named "${name}" already; use another name.`,
  );

/** The refusal for a change decided on something no longer current. */
export const poolChanged = (id: PoolId) =>
  new PoolError(
    "conflict",
    "pool.changed",
    `Pool ${id} was changed in the meantime; read it again and repeat the change.`,
    { poolId: id },
  );

/** The refusal for a pool at its limit. */
export const poolFull = (pool: Pool) =>
  new PoolError(
    "precondition",
    "pool.full",
    `Pool "${pool.name}" holds ${pool.maxNodes} nodes, as many as it may; raise max_nodes, or join another pool.`,
    { poolId: pool.id, maxNodes: pool.maxNodes },
  );

/** The refusal for a pool that is not open to the caller. */
export const poolPrivate = (id: PoolId) =>
  new PoolError(
    "denied",
    "pool.private",
    `Pool ${id} is not open to you; ask its operator for a join token, or to move the node.`,
    { poolId: id },
  );

/** The refusal for deleting a pool that still has nodes. */
export const poolNotEmpty = (pool: Pool, nodes: number) =>
  new PoolError(
    "precondition",
    "pool.not_empty",
    `Pool "${pool.name}" still has ${nodes} nodes; remove or move them first.`,
    { poolId: pool.id, nodes },
  );
