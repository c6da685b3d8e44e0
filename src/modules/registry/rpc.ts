import { create } from "@bufbuild/protobuf";
import { type Caller, denied, unauthenticated } from "@/core/caller.ts";
import { PICK_POLICIES } from "@/core/discovery.ts";
import type { NodeId, PoolId } from "@/core/ids.ts";
import type { Node } from "@/core/node.ts";
import { poolPrivate } from "@/core/pool.ts";
import type { Call, ServiceRpcs } from "@/ports/grpc.ts";
import {
  JoinPoolReplySchema,
  ListNodesReplySchema,
  type NodeEvent,
  NodeEventSchema,
  NodeSchema,
  type Registry as RegistryService,
  type Node as WireNode,
} from "@/proto/registry_pb.ts";
import { PoolError } from "@/std/errors.ts";
import { PAGE_LIMIT, readPage } from "@/std/paging.ts";
import { type NodeFilter, readState } from "./node-list.ts";
import type { Question } from "./picks.ts";
import type { Registry } from "./service.ts";
import type { WatchEvent } from "./watch.ts";

/** The calls of galaxy.pool.v1.Registry that change who belongs to the pool. */
export function memberRpcs(registry: Registry): ServiceRpcs<typeof RegistryService> {
  return {
    async registerNode(request, call) {
      const { name, specialization, endpoint, org, metadata } = request;
      return wireNode(
        await registry.register(callerOf(call), itself(call), {
          name: name || undefined,
          specialization: specialization || undefined,
          endpoint,
          org: org || undefined,
          metadata,
        }),
      );
    },
    async updateNode(request, call) {
      const { name, specialization, endpoint, metadata, etag } = request;
      const wanted = { name, specialization, endpoint, metadata: metadata?.entries };
      const id = ownId(request.nodeId, call);
      return wireNode(await registry.update(callerOf(call), id, wanted, etag || undefined));
    },
    async deregisterNode(request, call) {
      return wireNode(await registry.leave(callerOf(call), ownId(request.nodeId, call)));
    },
    async joinPool(request, call) {
      const { pool } = await registry.join(callerOf(call), itself(call), request.poolId);
      const poolKey = registry.getPool(pool).publicKey;
      return create(JoinPoolReplySchema, { poolId: pool, poolKey });
    },
  };
}

/** Its calls that look at who belongs to the pool; a node sees only its own. */
export function lookRpcs(registry: Registry): ServiceRpcs<typeof RegistryService> {
  return {
    async getNode(request, call) {
      const id = request.nodeId || itself(call);
      registry.requireReach(callerOf(call), {
        named: [{ kind: "node", id, place: "path" }],
        reach: "sight",
      });
      return wireNode(registry.getNode(id));
    },
    async listNodes(request, call) {
      const range = registry.rangeOf(callerOf(call), request.poolId || undefined);
      const limit = request.limit || PAGE_LIMIT;
      const page = readPage({ limit, cursor: request.cursor || undefined });
      const state = readState(request.state || undefined);
      const found = registry.list({ ...filterOf(request), ...range, state }, page);
      const nodes = found.items.map(wireNode);
      return create(ListNodesReplySchema, { nodes, nextCursor: found.next_cursor ?? "" });
    },
    async *watchNodes(request, call) {
      const pool = registry.homeOf(itself(call));
      const filter = { ...filterOf(request), pool };
      const watching = { since: request.sinceVersion, signal: call.signal };
      for await (const event of registry.watch(filter, watching)) {
        yield wireEvent(event);
        requireStill(registry, call, pool);
      }
    },
    async resolve(request, call) {
      const { specialization, org, key } = request;
      const question = {
        specialization: specialization || undefined,
        org: org || undefined,
        policy: readPolicy(request.policy),
        key,
      };
      return wireNode(registry.resolve(question, { pool: registry.homeOf(itself(call)) }));
    },
  };
}

function callerOf(call: Call): Caller {
  if (!call.caller) throw unauthenticated();
  return call.caller;
}

/** The node that calls. */
function itself(call: Call): NodeId {
  const { node } = callerOf(call);
  if (node === undefined) throw denied("do what only a node does");
  return node;
}

/** The caller's own id, which a request may leave out. */
function ownId(id: string, call: Call): NodeId {
  if (id !== "" && id !== itself(call)) throw denied("change another node");
  return itself(call);
}

/** A node that moved on no longer watches its old pool. */
function requireStill(registry: Registry, call: Call, watched: PoolId): void {
  const pool = registry.homeOf(itself(call));
  if (pool !== watched) throw poolPrivate(pool);
}

function filterOf({
  specialization,
  org,
}: {
  readonly specialization: string;
  readonly org: string;
}): NodeFilter {
  return { specialization: specialization || undefined, org: org || undefined };
}

function readPolicy(text: string): Question["policy"] {
  if (text === "") return undefined;
  const policy = PICK_POLICIES.find((known) => known === text);
  if (policy) return policy;
  const message = `must be one of ${PICK_POLICIES.join(", ")}`;
  throw new PoolError("invalid", "request.invalid", `The policy ${message}.`, {
    errors: [{ path: "policy", message }],
  });
}

function wireEvent(event: WatchEvent): NodeEvent {
  const { type, version } = event;
  if (type === "ready") return create(NodeEventSchema, { type, version });
  const node = type === "removed" ? { nodeId: event.id } : wireNode(event.node);
  return create(NodeEventSchema, { type, version, node });
}

function wireNode(node: Node): WireNode {
  return create(NodeSchema, {
    nodeId: node.id,
    poolId: node.pool,
    name: node.name,
    specialization: node.specialization,
    endpoint: node.endpoint ?? "",
    org: node.org ?? "",
    metadata: { ...node.metadata },
    state: node.state,
    publicKey: node.publicKey,
    registeredAtMs: BigInt(node.registeredAtMs),
    lastSeenMs: BigInt(node.lastSeenMs),
    healthPermille: node.healthPermille,
    etag: String(node.version),
  });
}
