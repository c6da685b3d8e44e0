import type { AnyElysia } from "elysia";
import type { Caller, Role } from "@/core/caller.ts";

/** Who may call one route: a list of roles, or `anyone` for the public ones. */
export type Access = readonly Role[] | "anyone";

/** One row of the permission table: what is not listed is denied. */
export interface RouteAccess {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** As mounted, with parameters as `:name`. */
  readonly path: string;
  readonly access: Access;
  /** Open to anyone on the plain loopback listener, whatever `access` says (metrics). */
  readonly openOnLoopback?: boolean;
}

/** Says who calls; settled by the access module. Undefined means no credentials; bad ones are refused. */
export type Authenticate = (request: Request) => Promise<Caller | undefined>;

/** The HTTP servers: modules mount routes before they listen. */
export interface Http {
  /** Adds routes with their rows of the permission table; a route without a row fails the start. */
  mount(routes: AnyElysia, access: readonly RouteAccess[]): void;
  /** Settled once, by `access`. */
  authenticateWith(authenticate: Authenticate): void;
  /** Who makes this request; only inside a route that is not open to anyone. */
  callerOf(request: Request): Caller;
  /** The address the request came from, for limits and the audit. */
  addressOf(request: Request): string;
  /** The whole permission table, for tests and documents. */
  permissions(): readonly RouteAccess[];
  /** Where it listens once ready: base URLs, `plain` on the loopback and `secure` for the LAN. */
  urls(): { readonly plain: readonly string[]; readonly secure: readonly string[] };
}
