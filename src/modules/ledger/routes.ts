import { Elysia, t } from "elysia";
import { type Role, requireNodeOr } from "@/core/caller.ts";
import type { NodeId } from "@/core/ids.ts";
import { poolSlotOf } from "@/core/ledger/ledger-slot.ts";
import { statementTable, statementValue } from "@/core/ledger/statement.ts";
import { slotStartMs } from "@/core/poot/slot.ts";
import type { Registry } from "@/modules/registry/service.ts";
import type { Http, RouteAccess } from "@/ports/http.ts";
import { PoolError } from "@/std/errors.ts";
import { readTime } from "@/std/time-text.ts";
import type { ExplainedCredit, NodeExplanation } from "./explaining.ts";
import { ExplainQuery, ExplainView, StatementQuery, StatementView } from "./schemas.ts";
import type { Ledger } from "./service.ts";

const LOOKING: readonly Role[] = ["admin", "operator", "auditor", "node"];
const OTHERS: readonly Role[] = ["admin", "operator", "auditor"];
const DAY_MS = 86_400_000;
const EXPLAINED_DAYS = 7;
const EXPLAINED_DAYS_MAX = 92;

/** Who may see what a node is owed and why; a node only its own. */
export const ledgerAccess: readonly RouteAccess[] = [
  { method: "GET", path: "/api/v1/explain", access: LOOKING, reach: "members", class: "export" },
  {
    method: "GET",
    path: "/api/v1/statements/:node_id",
    access: LOOKING,
    reach: "members",
    class: "export",
    alsoAs: ["text/csv"],
  },
];

/** What the routes ask. */
export interface LedgerRouteParts {
  readonly ledger: Ledger;
  readonly registry: Registry;
  readonly http: Http;
  /** The newest checkpoint of the audit log, as a signed note. */
  readonly checkpoint: () => string | undefined;
  readonly now: () => { readonly nowMs: number; readonly slotSeconds: number };
}

/** The HTTP routes that explain money. */
export const ledgerRoutes = (parts: LedgerRouteParts) =>
  new Elysia({ prefix: "/api/v1", tags: ["money"] })
    .get("/explain", ({ query, request }) => explain(parts, query, request), {
      query: ExplainQuery,
      response: { 200: ExplainView },
      detail: { summary: "Why a node is owed this much: balance, transfers, credits, claims" },
    })
    .get(
      "/statements/:node_id",
      ({ params, query, request }) => statement(parts, { ...query, node: params.node_id }, request),
      {
        params: t.Object({ node_id: t.String({ maxLength: 64 }) }),
        query: StatementQuery,
        response: { 200: StatementView },
        detail: { summary: "A node's account of a period, signed by the pool" },
      },
    );

interface Asked {
  readonly node?: string | undefined;
  readonly pool?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

/** Which node at which pool; a caller who may not see it learns nothing else. */
function whomOf({ registry, http }: LedgerRouteParts, query: Asked, request: Request) {
  const caller = http.callerOf(request);
  const id = query.node ?? caller.node ?? "";
  requireNodeOr(caller, id as NodeId, ...OTHERS);
  const node = registry.getNode(id);
  const pool = query.pool === undefined ? node.pool : registry.getPool(query.pool).id;
  return { node, pool };
}

async function explain(parts: LedgerRouteParts, query: Asked, request: Request) {
  const { node, pool } = whomOf(parts, query, request);
  const { nowMs, slotSeconds } = parts.now();
  const toMs = query.to === undefined ? nowMs : readTime(query.to, "query.to");
  const usualMs = toMs - EXPLAINED_DAYS * DAY_MS;
  const fromMs = query.from === undefined ? usualMs : readTime(query.from, "query.from");
  requireRange(fromMs, toMs, EXPLAINED_DAYS_MAX);
  const found = await parts.ledger.explain({ pool, node: node.id, fromMs, toMs });
  return {
    node_id: node.id as string,
    pool_id: pool as string,
    from: timeText(fromMs),
    to: timeText(toMs),
    ...standingView(found),
    opening_micro_usdt: `${found.opening}`,
    transfers: found.transfers.map(({ id, at, code, kind, change, balance, ref }) => ({
      id,
      at: timeText(at),
      code: code as string,
      kind: kind as string,
      amount_micro_usdt: `${change}`,
      balance_micro_usdt: `${balance}`,
      ref,
    })),
    credits: found.credits.map((credit) => creditView(credit, slotSeconds)),
    unexplained: [...found.unexplained],
  };
}

function standingView({ standing }: NodeExplanation) {
  return {
    owed_micro_usdt: `${standing.owed}`,
    accruing_micro_usdt: `${standing.accruing}`,
    payable_micro_usdt: `${standing.payable}`,
    pending_micro_usdt: `${standing.pending}`,
    paid_micro_usdt: `${standing.paid}`,
  };
}

function creditView(credit: ExplainedCredit, slotSeconds: number) {
  const firstSlot = poolSlotOf(credit.slot);
  return {
    first_slot: `${firstSlot}`,
    from: timeText(slotStartMs(firstSlot, slotSeconds)),
    from_slot: `${credit.fromSlot}`,
    to_slot: `${credit.toSlot}`,
    ticks: credit.ticks,
    weight_permille: credit.weight,
    health_permille: credit.health,
    cu: `${credit.cu}`,
    booked: credit.isBooked,
    claim_hash: credit.claim,
  };
}

async function statement(
  parts: LedgerRouteParts,
  query: Asked & { readonly format?: "json" | "csv" | undefined },
  request: Request,
) {
  const { node, pool } = whomOf(parts, query, request);
  const registeredDay = Math.floor(node.registeredAtMs / DAY_MS) * DAY_MS;
  const fromMs = query.from === undefined ? registeredDay : readTime(query.from, "query.from");
  const toMs = query.to === undefined ? parts.now().nowMs : readTime(query.to, "query.to");
  requireRange(fromMs, toMs);
  const signed = await parts.ledger.statement({ pool, node: node.id, fromMs, toMs });
  const checkpoint = parts.checkpoint() ?? null;
  if (query.format === "csv") {
    return csvOf(node.id, statementTable(signed.statement, signed.seal, checkpoint));
  }
  const statement = statementValue(signed.statement);
  return Response.json({ statement, ...signed.seal, audit_checkpoint: checkpoint });
}

function csvOf(node: NodeId, table: string): Response {
  const headers = {
    "content-type": "text/csv; charset=utf-8; header=present",
    "content-disposition": `attachment; filename="statement-${node}.csv"`,
  };
  return new Response(table, { headers });
}

function requireRange(fromMs: number, toMs: number, daysMax = Number.POSITIVE_INFINITY): void {
  if (fromMs <= toMs && toMs - fromMs <= daysMax * DAY_MS) return;
  const longest = Number.isFinite(daysMax) ? ` and it has at most ${daysMax} days` : "";
  const message = `the period must not end before it begins${longest}`;
  throw new PoolError("invalid", "request.invalid", `In this request ${message}.`, {
    errors: [{ path: "query.from", message }],
  });
}

function timeText(ms: number): string {
  return new Date(ms).toISOString();
}
