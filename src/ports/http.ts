import type { TInteger, TOptional, TString } from "@sinclair/typebox";
import type { AnyElysia } from "elysia";
import type { Caller, Role } from "@/core/caller.ts";
import type { Named, Reach } from "@/core/sight.ts";
import type { Page } from "@/std/paging.ts";
import type { CertificatePair } from "./certificates.ts";
import type { Write } from "./database.ts";
import type { RequestClass } from "./intake.ts";

/** Who may call one route: a list of roles, or `anyone` for the public ones. */
export type Access = readonly Role[] | "anyone";

/** One row of the permission table: what is not listed is denied. */
export interface RouteAccess {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** As mounted, with parameters as `:name`. */
  readonly path: string;
  readonly access: Access;
  /** Media types a good answer may have besides the one of its schema, for the document. */
  readonly alsoAs?: readonly string[];
  /** Open to anyone on the plain loopback listener, whatever `access` says (metrics). */
  readonly openOnLoopback?: boolean;
  /** A browser may ask from pages of this host alone, also without a cookie (signing in). */
  readonly ownPagesOnly?: boolean;
  /**
   * How close a caller must be to the pools and nodes it names: `sight` for a GET and `members` else,
   * when unstated. `installation` is refused to who speaks for one organization, whatever is named.
   */
  readonly reach?: Reach;
  /**
   * How it is treated when there is too much to do. Unstated: `read` for a GET, `enrol` for a change
   * that anyone may ask for, `admin` for any other.
   */
  readonly class?: RequestClass;
}

/** Refuses what names a pool or a node that is hidden from the caller as if it did not exist. */
export type Guard = (
  caller: Caller,
  asked: { readonly named: readonly Named[]; readonly reach: Reach },
) => void;

/**
 * Says who calls; settled by the access module. Undefined means no credentials; bad ones are refused.
 * A cookie counts only on a request that came in over TLS.
 */
export type Authenticate = (request: Request, isSecure: boolean) => Promise<Caller | undefined>;

/** What a POST answered: what its Idempotency-Key will answer again. */
export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/**
 * The writes that remember an answer, to go into the commit of the act itself; none when the request
 * carries no Idempotency-Key. Leave out of the answer what may be shown only once.
 */
export type Remember = (answer: Answer) => readonly Write[];

/**
 * The HTTP servers: modules mount routes before they listen. Schemas are kept to the letter: a field
 * they do not name is refused in a request (`request.invalid`) and is our own fault in an answer.
 */
export interface Http {
  /** Adds routes with their rows of the permission table; a route without a row fails the start. */
  mount(routes: AnyElysia, access: readonly RouteAccess[]): void;
  /** Settled once, by `access`. */
  authenticateWith(authenticate: Authenticate): void;
  /**
   * Settled once, by the registry: asked before every handler of a route that is not open to anyone,
   * with each pool and node that path, query or body name (`pool`, `pool_id`, `node`, `node_id`).
   */
  guardWith(guard: Guard): void;
  /** Who makes this request; only inside a route that is not open to anyone. */
  callerOf(request: Request): Caller;
  /** Whether a request came in over TLS. */
  isSecure(request: Request): boolean;
  /** The address the request came from, for limits and the audit. */
  addressOf(request: Request): string;
  /**
   * Does what a POST asks for once per Idempotency-Key of its caller: the same key and body get the
   * same answer again (header `Idempotency-Replayed`), another body is refused with `conflict`
   * (`request.idempotency_differs`). The act hands `remember(answer)` to its commit, so that the deed
   * and its answer are on disk together; an act that does not is remembered right after it. A refusal
   * is not remembered. Only inside a route that is not open to anyone.
   */
  once(
    request: Request,
    body: unknown,
    act: (remember: Remember) => Promise<Answer>,
  ): Promise<Response>;
  /** For the `headers` schema of a route that uses `once`. */
  readonly onceHeaders: { readonly "idempotency-key": TOptional<TString> };
  /** For the `query` schema of a route that lists; `readPage` of std/paging.ts reads it. */
  readonly pageQuery: { readonly limit: TOptional<TInteger>; readonly cursor: TOptional<TString> };
  /**
   * Answers a page. Items are never changed, only replaced: the very same items are not encoded again,
   * which is most of what a long list costs. Its schema is for the documents and is not checked.
   */
  answerPage(page: Page<object>): Response;
  /** Spares one connection the idle timeout: for streams of events. */
  keepOpen(request: Request): void;
  /**
   * The certificate the secure listener shows, and its private key. Handed in again it is renewed:
   * new connections see the new one, open ones go on. Without one the secure listener stays shut.
   */
  identifyWith(identity: CertificatePair): Promise<void>;
  /** The whole permission table, for tests and documents. */
  permissions(): readonly RouteAccess[];
  /** Where it listens once ready: base URLs, `plain` on the loopback and `secure` for the LAN. */
  urls(): { readonly plain: readonly string[]; readonly secure: readonly string[] };
}
