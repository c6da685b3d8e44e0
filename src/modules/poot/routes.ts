import { Elysia, t } from "elysia";
import type { Role } from "@/core/caller.ts";
import type { NodeId, PoolId } from "@/core/ids.ts";
import type { Node } from "@/core/node.ts";
import type { Pool } from "@/core/pool.ts";
import { toPlainProof } from "@/core/poot/plain-proof.ts";
import { SLOT_MAX, type Slot, slotAt, slotStartMs } from "@/core/poot/slot.ts";
import type { SlotState } from "@/core/poot/slot-state.ts";
import { uptimePermille } from "@/core/poot/uptime.ts";
import type { Registry } from "@/modules/registry/service.ts";
import type { Http, RouteAccess } from "@/ports/http.ts";
import { toBase64 } from "@/std/bytes.ts";
import { PoolError } from "@/std/errors.ts";
import type { NodeTime, ProofRequest, TableRow } from "./proofs.ts";
import { CalculateBody, CalculationView, ClockView, NodeTimeView, TimeQuery } from "./schemas.ts";
import type { Calculation, Poot } from "./service.ts";

const ANY: readonly Role[] = ["admin", "operator", "client", "node", "auditor"];
const DAY_MS = 86_400_000;
const RANGE_MS_MAX = 31 * DAY_MS;
/** One letter per slot of the table. */
const LETTERS: Readonly<Record<SlotState, string>> = {
  up: "U",
  down: "D",
  unobserved: "?",
  planned: "P",
};

/** Who may ask for time and proofs. */
export const pootAccess: readonly RouteAccess[] = [
  { method: "GET", path: "/api/v1/poot/:node_id", access: ANY, class: "export" },
  {
    method: "POST",
    path: "/api/v1/poot/calculate",
    access: ["admin", "operator", "auditor"],
    class: "export",
  },
  { method: "POST", path: "/api/v1/clock/accept", access: ["admin"], reach: "installation" },
  { method: "POST", path: "/api/v1/clock/rewind", access: ["admin"], reach: "installation" },
];

/** The HTTP routes of time and its proofs. */
export const pootRoutes = (poot: Poot, registry: Registry, http: Http) =>
  new Elysia({ prefix: "/api/v1", tags: ["proof of operational time"] })
    .use(timeRoutes(poot, registry, http))
    .use(clockRoutes(poot, http));

const timeRoutes = (poot: Poot, registry: Registry, http: Http) =>
  new Elysia({ prefix: "/poot" })
    .get(
      "/:node_id",
      async ({ params, query }) => {
        const node = registry.getNode(params.node_id);
        const wanted = requestOf(poot, node, query);
        if (query.format === "file") return fileOf(poot, wanted);
        return Response.json(timeView(poot, wanted, await poot.nodeTime(wanted)));
      },
      {
        params: t.Object({ node_id: t.String() }),
        query: TimeQuery,
        response: { 200: NodeTimeView },
        detail: { summary: "A node's proof and slot table; ?format=file to check it offline" },
      },
    )
    .post(
      "/calculate",
      async ({ body, request }) => {
        const pools = registry.poolsOf(http.callerOf(request));
        const range = rangeOf({ poot, registry, pools }, body);
        return calculationView(poot, body, await poot.calculate(range));
      },
      {
        body: CalculateBody,
        response: { 200: CalculationView },
        detail: { summary: "Recompute credits and compare; it never writes" },
      },
    );

const clockRoutes = (poot: Poot, http: Http) =>
  new Elysia({ prefix: "/clock" })
    .post(
      "/accept",
      async ({ request }) => {
        await poot.acceptClock(http.callerOf(request));
        return clockView(poot);
      },
      {
        body: t.Optional(t.Object({})),
        response: { 200: ClockView },
        detail: { summary: "Believe the clock after a jump forward" },
      },
    )
    .post(
      "/rewind",
      async ({ request }) => {
        await poot.rewindClock(http.callerOf(request));
        return clockView(poot);
      },
      {
        body: t.Optional(t.Object({})),
        response: { 200: ClockView },
        detail: { summary: "Begin a new time epoch after the clock was ahead" },
      },
    );

interface Range {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

function requestOf(
  poot: Poot,
  node: Node,
  query: Range & { readonly pool?: string | undefined },
): ProofRequest {
  const { nowMs, slotSeconds } = poot.poolTime();
  const toMs = query.to === undefined ? nowMs : Date.parse(query.to);
  const fromMs = query.from === undefined ? toMs - DAY_MS : Date.parse(query.from);
  requireRange(fromMs, toMs, RANGE_MS_MAX);
  const from = Math.max(0, slotAt(fromMs, slotSeconds));
  const to = Math.max(0, slotAt(toMs, slotSeconds));
  return { node, pool: (query.pool ?? node.pool) as PoolId, from, to };
}

function requireRange(fromMs: number, toMs: number, maxMs: number): void {
  if (fromMs <= toMs && toMs - fromMs <= maxMs) return;
  throw new PoolError(
    "invalid",
    "poot.range",
    `Ask for a time range whose end is not before its begin and that has at most ${maxMs / DAY_MS} days.`,
  );
}

async function fileOf(poot: Poot, wanted: ProofRequest): Promise<Response> {
  const proof = toPlainProof(await poot.proof(wanted));
  const name = `poot-${wanted.node.id}-${wanted.to}.json`;
  return Response.json(proof, {
    headers: { "content-disposition": `attachment; filename="${name}"` },
  });
}

function timeView(poot: Poot, { node, pool, from, to }: ProofRequest, time: NodeTime) {
  const { slotSeconds, slotsPerInterval } = poot.poolTime();
  const { newest, creditTotal, rows } = time;
  const today = poot.today(node.id);
  return {
    node_id: node.id as string,
    pool_id: pool as string,
    node_key: toBase64(node.publicKey),
    slot_seconds: slotSeconds,
    slots_per_interval: slotsPerInterval,
    credit_total: creditTotal,
    open: newest?.open ? toBase64(newest.open) : null,
    claim: newest ? toBase64(newest.claim) : null,
    ack: newest ? toBase64(newest.ack) : null,
    today: { ...today, uptime_permille: uptimePermille(today) },
    from: timeOf(from, slotSeconds),
    to: timeOf(to, slotSeconds),
    intervals: rows.map((row) => rowView(row, slotSeconds)),
  };
}

function rowView(row: TableRow, slotSeconds: number) {
  const { slots, firstSlot, up, down, unobserved, planned, epoch, ticks, recovered } = row;
  return {
    epoch,
    first_slot: firstSlot,
    begins_at: timeOf(firstSlot, slotSeconds),
    from_slot: slots?.from ?? firstSlot,
    slots: slots?.states.map((state) => LETTERS[state]).join("") ?? "",
    up,
    down,
    unobserved,
    planned,
    ticks,
    recovered,
  };
}

function timeOf(slot: Slot, slotSeconds: number): string {
  return new Date(slotStartMs(slot, slotSeconds)).toISOString();
}

interface Calculate extends Range {
  readonly node_id?: string | undefined;
  readonly pool_id?: string | undefined;
}

interface CalculateParts {
  readonly poot: Poot;
  readonly registry: Registry;
  /** The pools the caller is of. */
  readonly pools: readonly Pool[];
}

function rangeOf({ poot, registry, pools }: CalculateParts, body: Calculate) {
  const node = body.node_id === undefined ? undefined : registry.getNode(body.node_id);
  const pool = body.pool_id === undefined ? poolOf(pools, node) : registry.getPool(body.pool_id).id;
  const { slotSeconds } = poot.poolTime();
  const slotOf = (time: string) => Math.max(0, slotAt(Date.parse(time), slotSeconds));
  return {
    pool,
    node: node?.id as NodeId | undefined,
    from: body.from === undefined ? 0 : slotOf(body.from),
    to: body.to === undefined ? SLOT_MAX : slotOf(body.to),
  };
}

function poolOf(pools: readonly Pool[], node: Node | undefined): PoolId {
  if (node) return node.pool;
  const [only, ...others] = pools;
  if (only && others.length === 0) return only.id;
  throw new PoolError("invalid", "poot.which_pool", "Name a pool_id or a node_id to calculate.");
}

function calculationView(poot: Poot, body: Calculate, found: Calculation) {
  const { slotSeconds } = poot.poolTime();
  const { ledger, stored, recomputed } = found;
  return {
    pool_id: found.pool as string,
    node_id: body.node_id ?? null,
    intervals: found.intervals,
    stored: { ticks: stored.ticks, cu: `${stored.cu}` },
    recomputed: { ticks: recomputed.ticks, cu: `${recomputed.cu}` },
    ledger: ledger
      ? {
          recomputed_micro_usdt: `${ledger.recomputedMicroUsdt}`,
          ledger_micro_usdt: `${ledger.ledgerMicroUsdt}`,
        }
      : null,
    equal: found.isEqual,
    differences: found.differences.map((one) => ({
      node_id: one.node as string,
      begins_at: timeOf(one.firstSlot, slotSeconds),
      stored_ticks: one.storedTicks,
      recomputed_ticks: one.recomputedTicks,
    })),
  };
}

function clockView(poot: Poot) {
  const { nowMs, slot, epoch, trusted, waitReason } = poot.poolTime();
  const pool_time = new Date(nowMs).toISOString();
  return { pool_time, slot, epoch, trusted, reason: waitReason ?? null };
}
