import { Elysia, t } from "elysia";
import { type Caller, isOfInstallation, type Role } from "@/core/caller.ts";
import type { PoolId } from "@/core/ids.ts";
import type { Pool } from "@/core/pool.ts";
import type { Registry } from "@/modules/registry/service.ts";
import type { Http, RouteAccess } from "@/ports/http.ts";
import { pageOf, readPage } from "@/std/paging.ts";
import {
  type JoinTokenRecord,
  type JoinTokenTerms,
  placeOf,
  stateOf,
  TTL_SECONDS_DEFAULT,
  TTL_SECONDS_MAX,
  USES_MAX,
} from "./join-tokens.ts";
import type { Access } from "./service.ts";

const OPERATORS: readonly Role[] = ["admin", "operator"];

/** Who may call which of these routes. */
export const accessRoutesAccess: readonly RouteAccess[] = [
  { method: "GET", path: "/api/v1/tokens", access: OPERATORS },
  { method: "POST", path: "/api/v1/tokens", access: OPERATORS },
  { method: "DELETE", path: "/api/v1/tokens/:token_id", access: OPERATORS },
];

const fields = {
  token_id: t.String(),
  pool_id: t.String(),
  uses: t.Integer(),
  uses_left: t.Integer(),
  state: t.UnionEnum(["live", "used", "expired", "revoked"]),
  node_name: t.Nullable(t.String()),
  specialization: t.Nullable(t.String()),
  created_at: t.String({ format: "date-time" }),
  expires_at: t.String({ format: "date-time" }),
  revoked_at: t.Nullable(t.String({ format: "date-time" })),
  created_by: t.String(),
};

const TokenView = t.Object(fields);
const CreatedView = t.Object({
  ...fields,
  token: t.Optional(t.String({ description: "The join token; it is shown this once." })),
});
const TokenPage = t.Object({
  items: t.Array(TokenView),
  next_cursor: t.Nullable(t.String()),
});

const NewToken = t.Object({
  pool_id: t.Optional(
    t.String({
      minLength: 1,
      maxLength: 64,
      description: "The pool it lets into; the oldest if unstated.",
    }),
  ),
  uses: t.Optional(
    t.Integer({ minimum: 1, maximum: USES_MAX, description: "Nodes it admits; 1 if unstated." }),
  ),
  ttl_seconds: t.Optional(
    t.Integer({
      minimum: 60,
      maximum: TTL_SECONDS_MAX,
      description: `How long it lives; ${TTL_SECONDS_DEFAULT} if unstated.`,
    }),
  ),
  node_name: t.Optional(
    t.String({ minLength: 1, maxLength: 64, description: "Only a node of this name may use it." }),
  ),
  specialization: t.Optional(
    t.String({ minLength: 1, maxLength: 64, description: "What its nodes are for, approved." }),
  ),
});

/** Join tokens for operators. */
export const accessRoutes = (
  access: Access,
  { http, registry }: { http: Http; registry: Registry },
) =>
  new Elysia({ prefix: "/api/v1", tags: ["access"] })
    .get(
      "/tokens",
      async ({ query, request }) => {
        const page = readPage(query);
        const found = await access.joinTokens.list(
          page,
          ownPools(registry, http.callerOf(request)),
        );
        const item = (token: JoinTokenRecord) => viewOf(token, access.time().nowMs);
        return pageOf(found, page.limit, { item, position: placeOf });
      },
      {
        query: t.Object(http.pageQuery),
        response: TokenPage,
        detail: { summary: "List join tokens" },
      },
    )
    .post(
      "/tokens",
      ({ request, body }) =>
        http.once(request, body, async (remember) => {
          const caller = http.callerOf(request);
          const pool = poolFor(registry, caller, body.pool_id);
          const made = await access.joinTokens.create(caller, termsOf(body, pool.id), (token) =>
            remember({ status: 201, body: viewOf(token, token.createdAtMs) }),
          );
          const view = viewOf(made.token, made.token.createdAtMs);
          return { status: 201, body: { ...view, token: made.text } };
        }),
      {
        headers: t.Object(http.onceHeaders, { additionalProperties: true }),
        body: NewToken,
        response: { 201: CreatedView },
        detail: {
          summary: "Create a join token",
          description:
            "Repeated with the same Idempotency-Key it answers without the token's text.",
        },
      },
    )
    .delete(
      "/tokens/:token_id",
      async ({ request, params, set }) => {
        const caller = http.callerOf(request);
        await access.joinTokens.revoke(caller, params.token_id, ownPools(registry, caller));
        set.status = 204;
      },
      {
        params: t.Object({ token_id: t.String({ maxLength: 64 }) }),
        response: { 204: t.Void() },
        detail: { summary: "Revoke a join token" },
      },
    );

/** The pools whose tokens a caller may see and end; undefined for all. */
function ownPools(registry: Registry, caller: Caller): readonly PoolId[] | undefined {
  if (isOfInstallation(caller)) return undefined;
  return registry.poolsOf(caller).map(({ id }) => id);
}

/** The pool named, or the caller's oldest one; refuses when there is none. */
function poolFor(registry: Registry, caller: Caller, id: string | undefined): Pool {
  const [oldest] = registry.poolsOf(caller);
  if (id !== undefined || !oldest) return registry.getPool(id ?? "");
  return oldest;
}

function termsOf(body: typeof NewToken.static, pool: PoolId): JoinTokenTerms {
  return {
    pool,
    uses: body.uses,
    ttlSeconds: body.ttl_seconds,
    nodeName: body.node_name,
    specialization: body.specialization,
  };
}

function viewOf(token: JoinTokenRecord, nowMs: number): typeof TokenView.static {
  return {
    token_id: token.id,
    pool_id: token.pool,
    uses: token.uses,
    uses_left: token.usesLeft,
    state: stateOf(token, nowMs),
    node_name: token.nodeName ?? null,
    specialization: token.specialization ?? null,
    created_at: timeText(token.createdAtMs),
    expires_at: timeText(token.expiresAtMs),
    revoked_at: token.revokedAtMs === undefined ? null : timeText(token.revokedAtMs),
    created_by: token.createdBy,
  };
}

function timeText(ms: number): string {
  return new Date(ms).toISOString();
}
