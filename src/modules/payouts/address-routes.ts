import { Elysia, t } from "elysia";
import { type Caller, denied, type Role, requireNodeOr } from "@/core/caller.ts";
import type { NodeId } from "@/core/ids.ts";
import type { Registry } from "@/modules/registry/service.ts";
import type { Http, RouteAccess } from "@/ports/http.ts";
import { fromBase64 } from "@/std/bytes.ts";
import { PoolError } from "@/std/errors.ts";
import type { Addresses } from "./addresses.ts";
import { AddressBody, AddressView, DecisionBody, NodeParams, PoolQuery } from "./schemas.ts";
import { addressView } from "./views.ts";

const LOOKING: readonly Role[] = ["admin", "operator", "auditor", "node"];
const OTHERS: readonly Role[] = ["admin", "operator", "auditor"];
const PATH = "/api/v1/nodes/:node_id/payout-address";

/** Only the node itself sets its address. */
export const addressAccess: readonly RouteAccess[] = [
  { method: "GET", path: PATH, access: LOOKING, reach: "members" },
  { method: "PUT", path: PATH, access: ["node"] },
  { method: "POST", path: `${PATH}/decide`, access: ["admin", "operator"] },
];

/** What the routes work with. */
interface AddressRouteParts {
  readonly addresses: Addresses;
  readonly registry: Registry;
  readonly http: Http;
}

/** The HTTP routes of payout addresses. */
export const addressRoutes = ({ addresses, registry, http }: AddressRouteParts) => {
  const placeOf = (params: { node_id: string }, query: { pool?: string | undefined }) => {
    const { id: node, pool } = registry.getNode(params.node_id);
    return { node, pool: query.pool === undefined ? pool : registry.getPool(query.pool).id };
  };
  return new Elysia({ prefix: PATH, tags: ["money"] })
    .get(
      "",
      async ({ params, query, request }) => {
        requireNodeOr(http.callerOf(request), params.node_id as NodeId, ...OTHERS);
        const { pool, node } = placeOf(params, query);
        return addressView(await addresses.find(pool, node));
      },
      {
        params: NodeParams,
        query: PoolQuery,
        response: { 200: AddressView },
        detail: { summary: "Where a node is paid" },
      },
    )
    .put(
      "",
      async ({ params, body, request }) => {
        const caller = http.callerOf(request);
        requireItself(caller, params.node_id);
        return addressView(await addresses.set(caller, statementIn(body.statement)));
      },
      {
        params: NodeParams,
        body: AddressBody,
        response: { 200: AddressView },
        detail: { summary: "Set it, by a statement the node has signed" },
      },
    )
    .post(
      "/decide",
      ({ params, query, body, request }) =>
        http.once(request, body, async () => {
          const place = placeOf(params, query);
          const caller = http.callerOf(request);
          const standing = await addresses.decide(caller, place, body.choice);
          return { status: 200, body: addressView(standing) };
        }),
      {
        params: NodeParams,
        query: PoolQuery,
        headers: t.Object(http.onceHeaders),
        body: DecisionBody,
        response: { 200: AddressView },
        detail: { summary: "Decide between two changes within a day" },
      },
    );
};

function requireItself(caller: Caller, id: string): void {
  if (caller.node !== id) throw denied("set the payout address of another node");
}

function statementIn(text: string): Uint8Array {
  const bytes = fromBase64(text);
  if (bytes) return bytes;
  const message = "must be base64";
  throw new PoolError("invalid", "request.invalid", `The statement ${message}.`, {
    errors: [{ path: "body.statement", message }],
  });
}
