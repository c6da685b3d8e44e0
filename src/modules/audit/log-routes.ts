import { Elysia, t } from "elysia";
import {
  findCosignature,
  formatCheckpoint,
  logKey,
  type SignedCheckpoint,
} from "@/core/audit/checkpoint.ts";
import { detailOf, timeOf } from "@/core/audit/entry.ts";
import { nodeOfWitness, witnessKey } from "@/core/audit/log-names.ts";
import { formatNoteKey } from "@/core/audit/note.ts";
import type { Role } from "@/core/caller.ts";
import type { NodeId } from "@/core/ids.ts";
import type { Registry } from "@/modules/registry/service.ts";
import type { Database } from "@/ports/database.ts";
import type { Http, RouteAccess } from "@/ports/http.ts";
import { toBase64 } from "@/std/bytes.ts";
import { PoolError } from "@/std/errors.ts";
import { pageOf, readPage } from "@/std/paging.ts";
import { readTime } from "@/std/time-text.ts";
import { type ActRow, listActs } from "./list.ts";
import type { AuditLog } from "./log.ts";
import type { LogTree } from "./log-tree.ts";
import {
  ActsQuery,
  ActsView,
  CheckpointQuery,
  CheckpointView,
  ProofQuery,
  ProofView,
  RestartBody,
} from "./schemas.ts";

const LOOKING: readonly Role[] = ["admin", "auditor"];

/** Who may look back, and who may begin the log anew. */
export const logAccess: readonly RouteAccess[] = [
  { method: "GET", path: "/api/v1/audit", access: LOOKING, reach: "installation" },
  {
    method: "GET",
    path: "/api/v1/audit/checkpoint",
    access: LOOKING,
    reach: "installation",
    alsoAs: ["text/plain"],
  },
  { method: "GET", path: "/api/v1/audit/proof", access: LOOKING, reach: "installation" },
  { method: "POST", path: "/api/v1/audit/restart", access: ["admin"], reach: "installation" },
];

/** What the routes ask. */
export interface LogRouteParts {
  readonly log: AuditLog;
  readonly database: Database;
  readonly registry: Pick<Registry, "findNode">;
  readonly http: Http;
}

/** The HTTP routes of the audit log. */
export const logRoutes = (parts: LogRouteParts) =>
  new Elysia({ prefix: "/api/v1", tags: ["audit"] })
    .get("/audit", ({ query }) => acts(parts, query), {
      query: t.Object({ ...ActsQuery, ...parts.http.pageQuery }),
      response: { 200: ActsView },
      detail: { summary: "Who did what to what, and when" },
    })
    .get("/audit/checkpoint", ({ query }) => checkpoint(parts, query), {
      query: CheckpointQuery,
      response: { 200: CheckpointView },
      detail: { summary: "The newest signed checkpoint of the log, with its cosignatures" },
    })
    .get("/audit/proof", ({ query }) => proof(parts, query), {
      query: ProofQuery,
      response: { 200: ProofView },
      detail: { summary: "Proves that an entry is in the log, or that the log only grew" },
    })
    .post(
      "/audit/restart",
      async ({ body, request }) => {
        await parts.log.restart(parts.http.callerOf(request), body.reason);
        return checkpoint(parts, {});
      },
      {
        body: RestartBody,
        response: { 200: CheckpointView },
        detail: { summary: "Begin the log anew after a fault, naming what was signed before" },
      },
    );

interface ActsAsked {
  readonly actor?: string | undefined;
  readonly action?: string | undefined;
  readonly subject?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly order?: "newest" | "oldest" | undefined;
  readonly limit?: number | undefined;
  readonly cursor?: string | undefined;
}

async function acts({ log, database }: LogRouteParts, query: ActsAsked) {
  const page = readPage(query);
  const { actor, action, subject, from, to, order = "newest" } = query;
  const fromMs = from === undefined ? undefined : readTime(from, "query.from");
  const toMs = to === undefined ? undefined : readTime(to, "query.to");
  const filter = { actor, action, subject, fromMs, toMs, order };
  const [rows, tree] = [await listActs(database, filter, page), await log.tree()];
  const signed = log.newest?.origin === tree.origin ? log.newest.size : 0;
  return pageOf(rows, page.limit, {
    position: ({ id }) => `${id}`,
    item: (row) => actView(row, tree, signed),
  });
}

function actView(
  { id, at, actor, action, subject, detail }: ActRow,
  tree: LogTree,
  signed: number,
) {
  const leaf = tree.leafOf(id);
  return {
    number: `${id}`,
    leaf: leaf !== undefined && leaf < signed ? leaf : null,
    at: timeOf(at),
    actor,
    action,
    subject,
    detail: detailOf(detail),
  };
}

interface CheckpointAsked {
  readonly which?: "newest" | "cosigned" | undefined;
  readonly format?: "json" | "note" | undefined;
}

function checkpoint({ log, registry }: LogRouteParts, query: CheckpointAsked) {
  const cosigned = query.which === "cosigned" ? log.cosigned : undefined;
  const found = cosigned ?? log.newestCosigned;
  if (!found) throw noCheckpoint();
  const note = formatCheckpoint(found);
  if (query.format === "note") {
    return new Response(note, { headers: { "content-type": "text/plain; charset=utf-8" } });
  }
  return Response.json({
    origin: found.origin,
    size: found.size,
    root: toBase64(found.root),
    note,
    key: formatNoteKey(logKey(found.origin, log.publicKey)),
    cosigned_by: cosignersOf(found, registry),
    fault: log.fault ?? null,
  });
}

/** The cosignatures by keys that are still those of their nodes. */
function cosignersOf({ note }: SignedCheckpoint, registry: LogRouteParts["registry"]) {
  return note.signatures.flatMap(({ name }) => {
    const id = nodeOfWitness(name);
    const node = id === undefined ? undefined : registry.findNode(id as NodeId);
    const key = node && witnessKey(node.id, node.publicKey);
    const found = key && findCosignature(note, key);
    if (!node || !key || !found) return [];
    const at = new Date(found.atSeconds * 1_000).toISOString();
    return [{ node_id: node.id as string, key: formatNoteKey(key), at }];
  });
}

interface ProofAsked {
  readonly index?: number | undefined;
  readonly from?: number | undefined;
  readonly size?: number | undefined;
}

async function proof({ log }: LogRouteParts, { index, from, size: asked }: ProofAsked) {
  const tree = await log.tree();
  const signed = log.newest?.origin === tree.origin ? Math.min(log.newest.size, tree.size) : 0;
  const size = asked ?? signed;
  if ((index === undefined) === (from === undefined)) {
    throw badProof("say either index, for inclusion, or from, for consistency", "query.index");
  }
  if (size > signed) throw badProof(`the newest checkpoint has ${signed} entries`, "query.size");
  const root = toBase64(tree.root(size));
  if (index !== undefined) {
    if (index >= size) throw badProof(`the tree has ${size} leaves`, "query.index");
    const proof = tree.inclusionProof(index, size).map(toBase64);
    const leaf_hash = toBase64(tree.leafHash(index));
    return { type: "inclusion", origin: tree.origin, index, size, leaf_hash, root, proof };
  }
  if (from === undefined || from > size)
    throw badProof(`the tree has ${size} leaves`, "query.from");
  const proof = tree.consistencyProof(from, size).map(toBase64);
  return { type: "consistency", origin: tree.origin, from, size, root, proof };
}

function badProof(message: string, path: string): PoolError {
  return new PoolError("invalid", "request.invalid", `There is no such proof: ${message}.`, {
    errors: [{ path, message }],
  });
}

function noCheckpoint(): PoolError {
  return new PoolError(
    "not_found",
    "audit.no_checkpoint",
    "Nothing has been signed yet: the first checkpoint comes some two minutes after the first act.",
  );
}
