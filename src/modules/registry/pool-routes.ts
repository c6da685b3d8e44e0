import { Elysia, t } from "elysia";
import type { Role } from "@/core/caller.ts";
import type { Pool } from "@/core/pool.ts";
import type { Http, RouteAccess } from "@/ports/http.ts";
import { PoolError } from "@/std/errors.ts";
import { pageOf, readPage } from "@/std/paging.ts";
import { ifMatchOf } from "./if-match.ts";
import {
  IfMatch,
  JoinBody,
  NewPoolBody,
  NodeView,
  PoolChangesBody,
  PoolPage,
  PoolParams,
  PoolView,
} from "./schemas.ts";
import type { Registry } from "./service.ts";

const ANY: readonly Role[] = ["admin", "operator", "client", "node", "auditor"];

/** Who may use the routes of pools. */
export const poolAccess: readonly RouteAccess[] = [
  { method: "GET", path: "/api/v1/pools", access: ANY },
  { method: "POST", path: "/api/v1/pools", access: ["admin"], reach: "installation" },
  { method: "GET", path: "/api/v1/pools/:pool_id", access: ANY },
  { method: "PUT", path: "/api/v1/pools/:pool_id", access: ["admin"], reach: "installation" },
  { method: "DELETE", path: "/api/v1/pools/:pool_id", access: ["admin"], reach: "installation" },
  { method: "POST", path: "/api/v1/pools/:pool_id/join", access: ["admin", "operator", "node"] },
];

/** The HTTP routes of pools. */
export const poolRoutes = (registry: Registry, http: Http) =>
  new Elysia({ prefix: "/api/v1/pools", tags: ["pools"] })
    .use(readRoutes(registry, http))
    .use(changeRoutes(registry, http))
    .use(joinRoutes(registry, http));

const readRoutes = (registry: Registry, http: Http) =>
  new Elysia()
    .get(
      "",
      ({ query, request }) => {
        const { limit, after = "" } = readPage(query);
        const seen = registry.poolsSeenBy(http.callerOf(request));
        const found = seen.filter((pool) => placeOf(pool) > after);
        const item = (pool: Pool) => registry.poolView(pool);
        return pageOf(found, limit, { item, position: placeOf });
      },
      {
        query: t.Object({ ...http.pageQuery }),
        response: { 200: PoolPage },
        detail: { summary: "List pools, oldest first" },
      },
    )
    .get("/:pool_id", ({ params }) => tagged(registry, registry.getPool(params.pool_id)), {
      params: PoolParams,
      response: { 200: PoolView },
      detail: { summary: "Show a pool" },
    });

const changeRoutes = (registry: Registry, http: Http) =>
  new Elysia()
    .post(
      "",
      ({ body, request }) =>
        http.once(request, body, async (remember) => {
          const answer = (pool: Pool) => ({ status: 201, body: registry.poolView(pool) });
          const caller = http.callerOf(request);
          const wanted = changesOf(body);
          return answer(
            await registry.createPool(caller, wanted, (made) => remember(answer(made))),
          );
        }),
      {
        headers: t.Object(http.onceHeaders),
        body: NewPoolBody,
        response: { 201: PoolView },
        detail: { summary: "Create a pool with a key of its own" },
      },
    )
    .put(
      "/:pool_id",
      async ({ params, body, request }) => {
        const caller = http.callerOf(request);
        const etag = ifMatchOf(request);
        const pool = await registry.updatePool(caller, params.pool_id, changesOf(body), etag);
        return tagged(registry, pool);
      },
      {
        params: PoolParams,
        headers: IfMatch,
        body: PoolChangesBody,
        response: { 200: PoolView },
        detail: { summary: "Change a pool" },
      },
    )
    .delete(
      "/:pool_id",
      async ({ params, request, set }) => {
        await registry.deletePool(http.callerOf(request), params.pool_id);
        set.status = 204;
      },
      {
        params: PoolParams,
        response: { 204: t.Void() },
        detail: { summary: "Delete a pool without nodes and money" },
      },
    );

const joinRoutes = (registry: Registry, http: Http) =>
  new Elysia().post(
    "/:pool_id/join",
    ({ params, body, request }) =>
      http.once(request, body, async () => {
        const caller = http.callerOf(request);
        const id = body?.node_id ?? caller.node;
        if (id === undefined) throw joinerUnnamed();
        const node = await registry.join(caller, id, params.pool_id);
        return { status: 200, body: registry.nodeView(node) };
      }),
    {
      params: PoolParams,
      headers: t.Object(http.onceHeaders),
      body: JoinBody,
      response: { 200: NodeView },
      detail: { summary: "Move a node to this pool, or take it back after it had left" },
    },
  );

function changesOf(body: typeof PoolChangesBody.static) {
  const { name, kind, org, max_nodes: maxNodes, visibility, allowed_orgs: allowedOrgs } = body;
  return { name, kind, org, maxNodes, visibility, allowedOrgs };
}

/** Where a pool stands in the list. */
function placeOf(pool: Pool): string {
  return `${String(pool.createdAtMs).padStart(16, "0")} ${pool.id}`;
}

function tagged(registry: Registry, pool: Pool): Response {
  return Response.json(registry.poolView(pool), { headers: { etag: `"${pool.version}"` } });
}

function joinerUnnamed(): PoolError {
  const message = "say which node joins";
  return new PoolError("invalid", "request.invalid", `An operator must ${message}: node_id.`, {
    errors: [{ path: "body.node_id", message }],
  });
}
