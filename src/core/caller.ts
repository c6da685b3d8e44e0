import { PoolError } from "@/std/errors.ts";
import type { NodeId } from "./ids.ts";

/** What a caller may be (api.md, section 1). */
export type Role = "admin" | "operator" | "client" | "node" | "auditor";

/** Who asks. Settled once per request by `access`, from a certificate or a token, never from a body. */
export interface Caller {
  readonly type: "operator" | "user" | "key" | "node" | "system";
  /**
   * Who, as the audit names it: `operator:local`, `user:<name>`, `key:<id>`, a node id, or
   * `system:<module>`.
   */
  readonly id: string;
  readonly roles: readonly Role[];
  /** The organization it speaks for and sees private pools of; undefined sees all its roles may. */
  readonly org?: string;
  /** What an API key is limited to, as `<area>:read` or `<area>:write`; undefined is not limited. */
  readonly scopes?: readonly string[];
  /** Set when the caller is a node. */
  readonly node?: NodeId;
  /** The SHA-256 of the certificate the node showed on this connection, hexadecimal. */
  readonly certificate?: string;
}

/** The pool itself, acting for a module by its own schedule. */
export function systemCaller(module: string): Caller {
  return { type: "system", id: `system:${module}`, roles: [] };
}

/** A node, known by its certificate or a token it got by signing a challenge. */
export function nodeCaller(node: NodeId, certificate?: string): Caller {
  const caller: Caller = { type: "node", id: node, roles: ["node"], node };
  return certificate === undefined ? caller : { ...caller, certificate };
}

/** Whether a caller has one of the roles. */
export function hasRole(caller: Caller, ...roles: readonly Role[]): boolean {
  return roles.some((role) => caller.roles.includes(role));
}

/** Whether a caller speaks for the whole installation, and not for one organization or node. */
export function isOfInstallation(caller: Caller): boolean {
  if (caller.type === "system") return true;
  return caller.org === undefined && hasRole(caller, "admin", "operator", "auditor");
}

/** The refusal for a caller who is known but may not do this. */
export function denied(what: string): PoolError {
  return new PoolError(
    "denied",
    "access.denied",
    `You may not ${what} with these credentials; use ones that have the role for it.`,
  );
}

/** The refusal for a request without credentials we know. */
export function unauthenticated(): PoolError {
  return new PoolError(
    "unauthenticated",
    "access.unauthenticated",
    "This needs credentials: send Authorization: Bearer <token>, or call with a node certificate.",
  );
}

/** Refuses unless the caller is this node or has one of the roles. */
export function requireNodeOr(caller: Caller, node: NodeId, ...roles: readonly Role[]): void {
  if (caller.node === node || hasRole(caller, ...roles)) return;
  throw denied("see or change another node");
}
