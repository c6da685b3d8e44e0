import { PoolError } from "@/std/errors.ts";
import type { PoolId } from "./ids.ts";
import { nameProblem, orgProblem } from "./node-profile.ts";

/** What a pool is for. */
export type PoolKind = "main" | "test" | "dev" | "enterprise";

/** Every kind, for schemas and checks. */
export const POOL_KINDS: readonly PoolKind[] = ["main", "test", "dev", "enterprise"];

/** Who may come in and look: anybody, or only those it is for. */
export type Visibility = "public" | "private";

/** Both, for schemas and checks. */
export const VISIBILITIES: readonly Visibility[] = ["public", "private"];

/** How many organizations one pool may name. */
export const ALLOWED_ORGS_MAX = 100;

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
  /** What it says of itself; undefined follows the configuration. */
  readonly ownVisibility: Visibility | undefined;
  /** Organizations it admits and shows itself to; undefined follows the configuration. */
  readonly ownAllowedOrgs: readonly string[] | undefined;
  readonly version: number;
}

/** A pool, with what holds now. */
export interface Pool extends PoolRecord {
  readonly maxNodes: number;
  readonly visibility: Visibility;
  /** Undefined admits any organization; an empty list admits nobody. */
  readonly allowedOrgs: readonly string[] | undefined;
}

/** What holds for pools that say nothing of it. */
export interface PoolDefaults {
  readonly maxNodes: number;
  readonly isPublic: boolean;
  readonly allowedOrgs: readonly string[] | undefined;
}

/** What somebody wants a pool to be; null takes an optional word away. */
export interface PoolChanges {
  readonly name?: string | undefined;
  readonly kind?: PoolKind | undefined;
  readonly org?: string | null | undefined;
  readonly maxNodes?: number | null | undefined;
  readonly visibility?: Visibility | null | undefined;
  readonly allowedOrgs?: readonly string[] | null | undefined;
}

/** What a pool says of itself. */
export type PoolTerms = Pick<
  PoolRecord,
  "name" | "kind" | "org" | "ownMaxNodes" | "ownVisibility" | "ownAllowedOrgs"
>;

const NO_TERMS: PoolTerms = {
  name: "",
  kind: "main",
  org: undefined,
  ownMaxNodes: undefined,
  ownVisibility: undefined,
  ownAllowedOrgs: undefined,
};

/**
 * The pool as it is now. One with an organization, of kind enterprise or with organizations of its
 * own is private unless it says otherwise; a public one admits any organization.
 */
export function effectivePool(record: PoolRecord, defaults: PoolDefaults): Pool {
  const { ownMaxNodes, ownVisibility, ownAllowedOrgs, kind, org } = record;
  const isAnybodys = org === undefined && kind !== "enterprise" && ownAllowedOrgs === undefined;
  const usual = defaults.isPublic && isAnybodys ? "public" : "private";
  const visibility = ownVisibility ?? usual;
  const allowedOrgs = ownAllowedOrgs ?? defaults.allowedOrgs;
  return {
    ...record,
    maxNodes: ownMaxNodes ?? defaults.maxNodes,
    visibility,
    allowedOrgs: visibility === "public" ? undefined : allowedOrgs,
  };
}

/** Whether nodes of an organization, or of none, may be in a pool. */
export function admitsOrg({ allowedOrgs }: Pool, org: string | undefined): boolean {
  return allowedOrgs === undefined || (org !== undefined && allowedOrgs.includes(org));
}

/** The kind a word names; refuses any other word (`pool.invalid`). */
export function poolKindOf(text: string): PoolKind {
  const kind = POOL_KINDS.find((known) => known === text);
  if (kind) return kind;
  throw poolInvalid([{ path: "kind", message: `must be one of ${POOL_KINDS.join(", ")}` }]);
}

/** The terms of a new pool; refuses what is malformed (`pool.invalid`). */
export function newTerms(wanted: PoolChanges): PoolTerms {
  return changedTerms(NO_TERMS, wanted);
}

/** The terms after changes; refuses what is malformed (`pool.invalid`). */
export function changedTerms(terms: PoolTerms, wanted: PoolChanges): PoolTerms {
  const { name = terms.name, kind = terms.kind, org, maxNodes, visibility, allowedOrgs } = wanted;
  return requireTerms({
    name: name.normalize("NFC").trim(),
    kind,
    org: org === undefined ? terms.org : org || undefined,
    ownMaxNodes: changed(terms.ownMaxNodes, maxNodes),
    ownVisibility: changed(terms.ownVisibility, visibility),
    ownAllowedOrgs: changed(terms.ownAllowedOrgs, allowedOrgs && [...new Set(allowedOrgs)]),
  });
}

/** Null takes a word away, undefined leaves it. */
function changed<T>(known: T | undefined, wanted: T | null | undefined): T | undefined {
  return wanted === undefined ? known : (wanted ?? undefined);
}

function requireTerms(terms: PoolTerms): PoolTerms {
  const { name, kind, org, ownMaxNodes, ownAllowedOrgs } = terms;
  const problems = [
    { path: "name", message: nameProblem(name) },
    { path: "org", message: org === undefined ? undefined : orgProblem(org) },
    { path: "org", message: kind === "enterprise" && !org ? "must name the owner" : undefined },
    {
      path: "max_nodes",
      message: ownMaxNodes === undefined ? undefined : limitProblem(ownMaxNodes),
    },
    { path: "allowed_orgs", message: ownAllowedOrgs && allowedOrgsProblem(ownAllowedOrgs, terms) },
  ].flatMap(({ path, message }) => (message === undefined ? [] : [{ path, message }]));
  if (problems.length > 0) throw poolInvalid(problems);
  return terms;
}

function allowedOrgsProblem(
  orgs: readonly string[],
  { ownVisibility }: PoolTerms,
): string | undefined {
  if (ownVisibility === "public") return "are for private pools; a public one admits anybody";
  if (orgs.length > ALLOWED_ORGS_MAX) return `must be at most ${ALLOWED_ORGS_MAX}`;
  const problem = orgs.map(orgProblem).find((found) => found !== undefined);
  return problem === undefined ? undefined : `must hold organizations only: each ${problem}`;
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

/** The refusal for a stranger when too many are at the door of a public pool. */
export const poolCrowded = (pool: Pool) =>
  new PoolError(
    "exhausted",
    "pool.pending_full",
    `Too many new nodes wait to be admitted to pool "${pool.name}", or too many from your network; try again in some minutes.`,
    { poolId: pool.id, retryAfterSeconds: 300 },
  );

/** The refusal for a pool that is not open to the caller. */
export const poolPrivate = (id: PoolId) =>
  new PoolError(
    "denied",
    "pool.private",
    `Pool ${id} is not open to you; ask its operator for a join token, or to move the node.`,
    { poolId: id },
  );

/** The refusal for a node of an organization the pool does not admit; it does not say which it admits. */
export const orgNotAdmitted = (id: PoolId) =>
  new PoolError(
    "denied",
    "pool.private",
    `Pool ${id} takes nodes of the organizations its operator named, and this node is of none of them; ` +
      "say which one it is of (--org when joining), or ask the operator to allow it.",
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
