import { Elysia, t } from "elysia";
import { type Caller, type Role, requireNodeOr } from "@/core/caller.ts";
import type { NodeId } from "@/core/ids.ts";
import type { ItemReport, SettleCommand } from "@/core/payout/settlement.ts";
import type { Registry } from "@/modules/registry/service.ts";
import type { Http, RouteAccess } from "@/ports/http.ts";
import type { Rail } from "@/ports/rail.ts";
import { pageOf, readPage } from "@/std/paging.ts";
import type { BatchState } from "./batches.ts";
import {
  BatchPage,
  BatchParams,
  BatchQuery,
  BatchView,
  CancelBody,
  NodeParams,
  PaymentsPage,
  PaymentsView,
  PlanView,
  PoolQuery,
  ProcessAnswer,
  SettleBody,
} from "./schemas.ts";
import type { Payouts } from "./service.ts";
import {
  addressView,
  batchView,
  historyView,
  paymentsView,
  planView,
  processView,
} from "./views.ts";

const ADMIN: readonly Role[] = ["admin"];
const OPERATORS: readonly Role[] = ["admin", "operator"];
const LOOKING: readonly Role[] = ["admin", "operator", "auditor"];

/** Who may look at payouts, and who may make them. */
export const payoutAccess: readonly RouteAccess[] = [
  { method: "GET", path: "/api/v1/payouts", access: LOOKING, reach: "members" },
  {
    method: "GET",
    path: "/api/v1/payouts/plan",
    access: LOOKING,
    reach: "installation",
    class: "export",
  },
  { method: "GET", path: "/api/v1/payouts/batches", access: LOOKING, reach: "installation" },
  {
    method: "GET",
    path: "/api/v1/payouts/:node_id",
    access: [...LOOKING, "node"],
    reach: "members",
  },
  { method: "POST", path: "/api/v1/payouts/process", access: ADMIN, reach: "installation" },
  {
    method: "POST",
    path: "/api/v1/payouts/batches/:batch_id/settle",
    access: OPERATORS,
    reach: "installation",
  },
  {
    method: "POST",
    path: "/api/v1/payouts/batches/:batch_id/cancel",
    access: OPERATORS,
    reach: "installation",
  },
  { method: "POST", path: "/api/v1/payouts/:node_id/release", access: OPERATORS },
];

/** What the routes work with. */
export interface PayoutRouteParts {
  readonly payouts: Payouts;
  readonly registry: Registry;
  readonly rail: Rail;
  readonly http: Http;
}

/** The HTTP routes of payouts. */
export const payoutRoutes = (parts: PayoutRouteParts) =>
  new Elysia({ prefix: "/api/v1/payouts", tags: ["money"] })
    .use(lookRoutes(parts))
    .use(batchRoutes(parts))
    .use(nodeRoutes(parts));

const lookRoutes = ({ payouts, registry, rail, http }: PayoutRouteParts) =>
  new Elysia()
    .get(
      "",
      async ({ query, request }) => {
        const range = ownRange(registry, http.callerOf(request), query.pool);
        const page = registry.list(range, readPage(query));
        const found = await payouts.standingsOf(page.items.map(({ id }) => id));
        const items = found.map((one) => paymentsView(registry.getNode(one.node), one));
        return { items, next_cursor: page.next_cursor };
      },
      {
        query: t.Object({ ...PoolQuery.properties, ...http.pageQuery }),
        response: { 200: PaymentsPage },
        detail: { summary: "What every node has, and when it is paid" },
      },
    )
    .get(
      "/plan",
      async ({ query }) => {
        const pool = query.pool === undefined ? undefined : registry.getPool(query.pool).id;
        return planView(await payouts.plan(pool));
      },
      {
        query: PoolQuery,
        response: { 200: PlanView },
        detail: { summary: "Who would be paid now, and who not and why" },
      },
    )
    .get(
      "/batches",
      async ({ query }) => {
        const { limit, after } = readPage(query);
        const found = await payouts.batches({
          state: query.state as BatchState | undefined,
          pool: query.pool === undefined ? undefined : registry.getPool(query.pool).id,
          below: after === undefined ? undefined : Number(after),
          limit: limit + 1,
        });
        const page = pageOf(found, limit, {
          item: (batch) => batchView({ rail }, batch),
          position: (batch) => `${batch.number}`,
        });
        return { items: [...page.items], next_cursor: page.next_cursor };
      },
      {
        query: t.Object({ ...BatchQuery, ...http.pageQuery }),
        response: { 200: BatchPage },
        detail: { summary: "Batches, newest first" },
      },
    )
    .post(
      "/process",
      ({ body, request }) =>
        http.once(request, body, async (remember) => {
          const answer = (batches: Parameters<typeof processView>[0]) => {
            return { status: 202, body: processView(batches) };
          };
          const caller = http.callerOf(request);
          return answer(await payouts.process(caller, (made) => remember(answer(made))));
        }),
      {
        headers: t.Object(http.onceHeaders),
        body: t.Optional(t.Object({})),
        response: { 202: ProcessAnswer },
        detail: { summary: "Run the payout engine now" },
      },
    );

const batchRoutes = ({ payouts, rail, http }: PayoutRouteParts) => {
  const say = (request: Request, id: string, said: Said) =>
    http.once(request, said.body, async (remember) => {
      const answer = (batch: Parameters<typeof batchView>[1]) => {
        return { status: 200, body: batchView({ rail }, batch) };
      };
      const caller = http.callerOf(request);
      const command = said.commandBy(caller.id);
      const batch = await payouts.settle(caller, { id, command, note: said.note }, (after) =>
        remember(answer(after)),
      );
      return answer(batch);
    });
  return new Elysia({ prefix: "/batches/:batch_id" })
    .post(
      "/settle",
      ({ params, body, request }) =>
        say(request, params.batch_id, { body, commandBy: () => commandOf(body) }),
      {
        params: BatchParams,
        headers: t.Object(http.onceHeaders),
        body: SettleBody,
        response: { 200: BatchView },
        detail: { summary: "Say that a batch was paid, whole or payment by payment" },
      },
    )
    .post(
      "/cancel",
      ({ params, body, request }) => {
        const { not_sent: isNotSent, ref: note } = body;
        const commandBy = (by: string): SettleCommand => ({ type: "cancel", isNotSent, by });
        return say(request, params.batch_id, { body, commandBy, note });
      },
      {
        params: BatchParams,
        headers: t.Object(http.onceHeaders),
        body: CancelBody,
        response: { 200: BatchView },
        detail: { summary: "Void a batch of which nothing was sent" },
      },
    );
};

const nodeRoutes = ({ payouts, registry, http }: PayoutRouteParts) =>
  new Elysia({ prefix: "/:node_id" })
    .get(
      "",
      async ({ params, query, request }) => {
        requireNodeOr(http.callerOf(request), params.node_id as NodeId, ...LOOKING);
        const node = registry.getNode(params.node_id);
        const pool = query.pool === undefined ? node.pool : registry.getPool(query.pool).id;
        const payments = await payouts.paymentsOf(node.id, pool);
        return {
          ...paymentsView(node, payments),
          address: addressView(await payouts.addresses.find(pool, node.id)),
          last_sealed_sha256: payments.history[0]?.hash ?? null,
          history: historyView(payments),
        };
      },
      {
        params: NodeParams,
        query: PoolQuery,
        response: { 200: PaymentsView },
        detail: { summary: "What a node has, why it is held, when it is paid, what it was paid" },
      },
    )
    .post(
      "/release",
      ({ params, query, request }) =>
        http.once(request, undefined, async () => {
          const node = registry.getNode(params.node_id);
          const pool = query.pool === undefined ? node.pool : registry.getPool(query.pool).id;
          await payouts.release(http.callerOf(request), pool, node.id);
          const payments = await payouts.paymentsOf(node.id, pool);
          return { status: 200, body: paymentsView(node, payments) };
        }),
      {
        params: NodeParams,
        query: PoolQuery,
        headers: t.Object(http.onceHeaders),
        body: t.Optional(t.Object({})),
        response: { 200: PaymentsPage.properties.items.items },
        detail: { summary: "Let a payee be paid again whose payment had failed" },
      },
    );

/** The pool named, or all pools the caller is of. */
function ownRange(registry: Registry, caller: Caller, pool: string | undefined) {
  if (pool !== undefined) return { pool: registry.getPool(pool).id };
  return { pools: new Set(registry.poolsOf(caller).map(({ id }) => id)) };
}

/** What an operator said of a batch. */
interface Said {
  readonly body: unknown;
  readonly commandBy: (by: string) => SettleCommand;
  readonly note?: string | undefined;
}

function commandOf(body: typeof SettleBody.static): SettleCommand {
  if ("ref" in body) return { type: "all", ref: body.ref };
  return { type: "items", items: body.items.map(reportOf) };
}

type ItemBody = { readonly id: number | string } & (
  | { readonly ref: string }
  | { readonly failed: string }
);

function reportOf(item: ItemBody): ItemReport {
  const id = Number(item.id);
  return "ref" in item ? { id, ref: item.ref } : { id, failed: item.failed };
}
