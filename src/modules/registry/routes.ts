import { Elysia, t } from "elysia";
import { type Caller, denied, isOfInstallation, type Role } from "@/core/caller.ts";
import type { PoolId } from "@/core/ids.ts";
import type { Node } from "@/core/node.ts";
import type { Http, RouteAccess } from "@/ports/http.ts";
import { fromBase64, fromHex, sameBytes } from "@/std/bytes.ts";
import { PoolError } from "@/std/errors.ts";
import { ifMatchOf } from "./if-match.ts";
import { readListQuery } from "./list-query.ts";
import { PageCache } from "./page-cache.ts";
import {
  DiscoveryQuery,
  IfMatch,
  NewNodeBody,
  NodeChangesBody,
  NodePage,
  NodeParams,
  NodeQuery,
  NodeView,
  ResolveQuery,
  SuspendBody,
} from "./schemas.ts";
import type { Registry } from "./service.ts";

const ANY: readonly Role[] = ["admin", "operator", "client", "node", "auditor"];
const OPERATORS: readonly Role[] = ["admin", "operator"];
const OPERATORS_AND_NODES: readonly Role[] = ["admin", "operator", "node"];
const JSON_TYPE = { "content-type": "application/json" };
const DISCOVERED_USUAL = 50;

/** Who may use the routes of nodes. */
export const nodeAccess: readonly RouteAccess[] = [
  { method: "POST", path: "/api/v1/nodes", access: OPERATORS_AND_NODES },
  { method: "GET", path: "/api/v1/nodes", access: ANY },
  { method: "GET", path: "/api/v1/nodes/:node_id", access: ANY },
  { method: "PUT", path: "/api/v1/nodes/:node_id", access: OPERATORS_AND_NODES },
  { method: "DELETE", path: "/api/v1/nodes/:node_id", access: OPERATORS_AND_NODES },
  { method: "POST", path: "/api/v1/nodes/:node_id/approve", access: OPERATORS },
  { method: "POST", path: "/api/v1/nodes/:node_id/suspend", access: OPERATORS },
  { method: "POST", path: "/api/v1/nodes/:node_id/resume", access: OPERATORS },
  { method: "GET", path: "/api/v1/discovery", access: ANY },
  { method: "GET", path: "/api/v1/resolve", access: ANY },
];

/** The HTTP routes of nodes. */
export const nodeRoutes = (registry: Registry, http: Http) =>
  new Elysia({ prefix: "/api/v1", tags: ["nodes"] })
    .use(listRoutes(registry, http))
    .use(oneNodeRoutes(registry, http))
    .use(operatorRoutes(registry, http))
    .use(discoveryRoutes(registry, http));

const listRoutes = (registry: Registry, http: Http) => {
  const pages = new PageCache();
  return new Elysia()
    .get(
      "/nodes",
      ({ request }) => {
        const caller = http.callerOf(request);
        const query = queryOf(request.url);
        const bytes = pages.page(
          registry.generation,
          `${eyesOf(registry, caller)} ${query}`,
          () => {
            const rangeOf = (pool: string | undefined) => registry.rangeOf(caller, pool);
            const { filter, page } = readListQuery(query, rangeOf);
            return registry.listText(filter, page);
          },
        );
        return new Response(bytes, { headers: JSON_TYPE });
      },
      {
        response: { 200: NodePage },
        detail: {
          summary: "List nodes",
          parameters: parametersOf({ ...NodeQuery, ...http.pageQuery }),
        },
      },
    )
    .post(
      "/nodes",
      ({ body, request }) =>
        http.once(request, body, async (remember) => {
          const caller = http.callerOf(request);
          if (caller.node !== undefined) return registerItself(registry, caller, body);
          const answer = (node: Node) => ({ status: 201, body: registry.nodeView(node) });
          const named = admissionOf(registry, caller, body);
          const wanted = { ...body, ...named, specializationApproved: true };
          const node = await registry.admit(caller, wanted, (made) => remember(answer(made)));
          return answer(node);
        }),
      {
        headers: t.Object(http.onceHeaders),
        body: NewNodeBody,
        response: { 200: NodeView, 201: NodeView },
        detail: { summary: "Register a node by its key; a node only itself" },
      },
    );
};

const oneNodeRoutes = (registry: Registry, http: Http) =>
  new Elysia({ prefix: "/nodes" })
    .get("/:node_id", ({ params }) => tagged(registry, registry.getNode(params.node_id)), {
      params: NodeParams,
      response: { 200: NodeView },
      detail: { summary: "Show a node" },
    })
    .put(
      "/:node_id",
      async ({ params, body, request }) => {
        const caller = http.callerOf(request);
        const etag = ifMatchOf(request);
        return tagged(registry, await registry.update(caller, params.node_id, body, etag));
      },
      {
        params: NodeParams,
        headers: IfMatch,
        body: NodeChangesBody,
        response: { 200: NodeView },
        detail: { summary: "Change a node" },
      },
    )
    .delete(
      "/:node_id",
      async ({ params, request }) => {
        const caller = http.callerOf(request);
        const isItself = caller.node !== undefined;
        const gone = isItself
          ? await registry.leave(caller, params.node_id)
          : await registry.remove(caller, params.node_id);
        return registry.nodeView(gone);
      },
      {
        params: NodeParams,
        response: { 200: NodeView },
        detail: { summary: "Leave (the node itself), or remove for good (an operator)" },
      },
    );

const operatorRoutes = (registry: Registry, http: Http) => {
  type Act = (caller: Caller, id: string) => Promise<Node>;
  const route = (act: Act) => (context: { params: { node_id: string }; request: Request }) =>
    http.once(context.request, undefined, async () => {
      const node = await act(http.callerOf(context.request), context.params.node_id);
      return { status: 200, body: registry.nodeView(node) };
    });
  const schema = (summary: string) => ({
    params: NodeParams,
    headers: t.Object(http.onceHeaders),
    response: { 200: NodeView },
    detail: { summary },
  });
  return new Elysia({ prefix: "/nodes/:node_id" })
    .post(
      "/approve",
      route((caller, id) => registry.approveSpecialization(caller, id)),
      schema("Agree with the specialization a node chose"),
    )
    .post(
      "/suspend",
      ({ body, params, request }) =>
        http.once(request, body, async () => {
          const caller = http.callerOf(request);
          const { reason, remove_after_seconds: removeAfterSeconds } = body ?? {};
          const terms = { reason, removeAfterSeconds };
          const node = await registry.suspend(caller, params.node_id, terms);
          return { status: 200, body: registry.nodeView(node) };
        }),
      {
        ...schema("Suspend a node: no credit, no work, until it is resumed or removed"),
        body: SuspendBody,
      },
    )
    .post(
      "/resume",
      route((caller, id) => registry.resume(caller, id)),
      schema("End a suspension"),
    );
};

const discoveryRoutes = (registry: Registry, http: Http) =>
  new Elysia()
    .get(
      "/discovery",
      ({ query, request }) => {
        const { specialization, org, n = DISCOVERED_USUAL } = query;
        const range = registry.rangeOf(http.callerOf(request));
        const found = registry.discover({ ...range, specialization, org }, n);
        return { items: found.map((node) => registry.nodeView(node)), next_cursor: null };
      },
      {
        query: DiscoveryQuery,
        response: { 200: NodePage },
        detail: { summary: "Who can serve" },
      },
    )
    .get(
      "/resolve",
      ({ query, request }) => {
        const range = registry.rangeOf(http.callerOf(request));
        return registry.nodeView(registry.resolve(query, range));
      },
      {
        query: ResolveQuery,
        response: { 200: NodeView },
        detail: { summary: "One node that can serve" },
      },
    );

/** Whoever sees the same pools sees the same pages; a node is asked whether it is still in its own. */
function eyesOf(registry: Registry, caller: Caller): string {
  if (caller.node !== undefined) return registry.homeOf(caller.node);
  return isOfInstallation(caller) ? "" : `org ${caller.org ?? ""}`;
}

async function registerItself(
  registry: Registry,
  caller: Caller,
  body: typeof NewNodeBody.static,
): Promise<{ status: number; body: unknown }> {
  const node = registry.getNode(caller.node ?? "");
  if (!sameBytes(readKey(body.public_key), node.publicKey)) throw denied("register another node");
  if (body.pool !== undefined && body.pool !== node.pool) {
    await registry.join(caller, node.id, body.pool);
  }
  const status = node.status === "left" ? 201 : 200;
  const registered = await registry.register(caller, node.id, body);
  return { status, body: registry.nodeView(registered) };
}

function admissionOf(registry: Registry, caller: Caller, body: typeof NewNodeBody.static) {
  return { publicKey: readKey(body.public_key), pool: poolFor(registry, caller, body.pool) };
}

/** The pool named, or the only one the caller has. */
function poolFor(registry: Registry, caller: Caller, id: string | undefined): PoolId {
  if (id !== undefined) return registry.getPool(id).id;
  const [only, ...others] = registry.poolsOf(caller);
  if (only && others.length === 0) return only.id;
  const message = only
    ? "say which of the pools the node joins"
    : "there is no pool yet; create one";
  throw new PoolError("invalid", "pool.unnamed", `The pool is not clear: ${message}.`, {
    errors: [{ path: "body.pool", message }],
  });
}

function readKey(text: string): Uint8Array {
  const key = text.length === 64 ? fromHex(text) : fromBase64(text);
  return key ?? new Uint8Array();
}

/** The parameters of a query, as OpenAPI words them. */
function parametersOf(fields: Readonly<Record<string, { readonly description?: string }>>) {
  return Object.entries(fields).map(([name, schema]) => ({
    name,
    in: "query" as const,
    required: false,
    description: schema.description ?? "",
    schema: { ...schema },
  }));
}

function queryOf(url: string): string {
  const at = url.indexOf("?");
  return at === -1 ? "" : url.slice(at + 1);
}

function tagged(registry: Registry, node: Node): Response {
  const headers = { ...JSON_TYPE, etag: `"${node.version}"` };
  return new Response(registry.nodeText(node), { headers });
}
