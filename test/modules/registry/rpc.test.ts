import { describe, expect, test } from "bun:test";
import { create } from "@bufbuild/protobuf";
import { TestClock } from "#test/support/clock.ts";
import {
  beAlive,
  codeOf,
  memberOf,
  poolNamed,
  registryOn,
  SYSTEM,
} from "#test/support/registry.ts";
import { nodeCaller } from "@/core/caller.ts";
import type { Node } from "@/core/node.ts";
import { openSqlite } from "@/drivers/sqlite/database.ts";
import { lookRpcs, memberRpcs } from "@/modules/registry/rpc.ts";
import type { Call } from "@/ports/grpc.ts";
import {
  DeregisterNodeRequestSchema,
  GetNodeRequestSchema,
  JoinPoolRequestSchema,
  ListNodesRequestSchema,
  type NodeEvent,
  RegisterNodeRequestSchema,
  ResolveRequestSchema,
  UpdateNodeRequestSchema,
  WatchNodesRequestSchema,
} from "@/proto/registry_pb.ts";

/** Pool "home" with nodes 1 and 2, pool "lab" with node 3; node 1 calls. */
async function world() {
  const clock = new TestClock();
  const database = openSqlite({ path: ":memory:", clock, onFailed: () => {} });
  const made = await registryOn(database, {}, clock);
  const { registry } = made;
  const home = await poolNamed(registry, "home");
  const lab = await poolNamed(registry, "lab");
  const park = await poolNamed(registry, "park", { visibility: "public" });
  const one = await memberOf(registry, home.id, 1, { org: "acme" });
  const two = await memberOf(registry, home.id, 2, { specialization: "gpu" });
  const three = await memberOf(registry, lab.id, 3);
  const served = { ...memberRpcs(registry), ...lookRpcs(registry) };
  const rpcs = served as Required<typeof served>;
  return { ...made, rpcs, home, lab, park, one, two, three, call: callOf(one) };
}

function callOf(node: Node, signal = new AbortController().signal): Call {
  const caller = nodeCaller(node.id);
  return { caller, address: "127.0.0.1", serverLeafHash: new Uint8Array(32), signal };
}

describe("over gRPC", () => {
  test("a node says what it is, and keeps what it leaves out of its name", async () => {
    const { rpcs, call, one } = await world();
    const request = create(RegisterNodeRequestSchema, {
      specialization: "gpu",
      endpoint: "grpc://10.0.0.1:7",
      metadata: { rack: "2" },
    });
    const node = await rpcs.registerNode(request, call);
    expect(node).toMatchObject({
      nodeId: one.id,
      poolId: one.pool,
      name: "node 1",
      specialization: "gpu",
      endpoint: "grpc://10.0.0.1:7",
      org: "acme",
      metadata: { rack: "2" },
      state: "new",
      publicKey: one.publicKey,
      lastSeenMs: 0n,
      healthPermille: 1_000,
    });
    const again = await rpcs.registerNode(request, call);
    expect(again.etag).toBe(node.etag);
  });

  test("a node that left registers again", async () => {
    const { rpcs, call } = await world();
    const left = await rpcs.deregisterNode(create(DeregisterNodeRequestSchema), call);
    expect(left.state).toBe("left");
    expect(await codeOf(rpcs.updateNode(create(UpdateNodeRequestSchema), call))).toBe("node.left");
    const back = await rpcs.registerNode(create(RegisterNodeRequestSchema), call);
    expect(back.state).toBe("new");
  });

  test("an update changes only what it names, and only what is current", async () => {
    const { rpcs, call } = await world();
    const node = await rpcs.updateNode(
      create(UpdateNodeRequestSchema, { endpoint: "tcp://a:1", etag: "1" }),
      call,
    );
    expect(node).toMatchObject({ name: "node 1", endpoint: "tcp://a:1", etag: "2" });
    const late = create(UpdateNodeRequestSchema, { name: "late", etag: "1" });
    expect(await codeOf(rpcs.updateNode(late, call))).toBe("node.changed");
    const bare = create(UpdateNodeRequestSchema, { endpoint: "", metadata: { entries: {} } });
    expect((await rpcs.updateNode(bare, call)).endpoint).toBe("");
  });

  test("a node acts for nobody else", async () => {
    const { rpcs, call, two } = await world();
    const nodeId = two.id;
    const update = rpcs.updateNode(create(UpdateNodeRequestSchema, { nodeId, name: "x" }), call);
    const leave = rpcs.deregisterNode(create(DeregisterNodeRequestSchema, { nodeId }), call);
    expect([await codeOf(update), await codeOf(leave)]).toEqual(["access.denied", "access.denied"]);
  });

  test("nobody acts without a certificate", async () => {
    const { rpcs, call } = await world();
    const nobody = { ...call, caller: undefined };
    const attempt = rpcs.registerNode(create(RegisterNodeRequestSchema), nobody);
    expect(await codeOf(attempt)).toBe("access.unauthenticated");
  });

  test("a node moves and is told the key of its new pool", async () => {
    const { rpcs, call, park, registry, one } = await world();
    const reply = await rpcs.joinPool(create(JoinPoolRequestSchema, { poolId: park.id }), call);
    expect(reply).toMatchObject({ poolId: park.id, poolKey: park.publicKey });
    expect(registry.getNode(one.id).pool).toBe(park.id);
  });

  test("a node sees its own pool and nothing else", async () => {
    const { rpcs, call, two, three, lab } = await world();
    const get = (nodeId: string) => rpcs.getNode(create(GetNodeRequestSchema, { nodeId }), call);
    expect((await get(two.id)).name).toBe("node 2");
    expect((await get("")).name).toBe("node 1");
    expect(await codeOf(get(three.id))).toBe("node.unknown");
    const list = await rpcs.listNodes(create(ListNodesRequestSchema), call);
    expect(list.nodes.map(({ name }) => name).sort()).toEqual(["node 1", "node 2"]);
    const other = rpcs.listNodes(create(ListNodesRequestSchema, { poolId: lab.id }), call);
    expect(await codeOf(other)).toBe("pool.unknown");
  });

  test("a list is filtered and paged", async () => {
    const { rpcs, call } = await world();
    const first = await rpcs.listNodes(create(ListNodesRequestSchema, { limit: 1 }), call);
    const cursor = first.nextCursor;
    const second = await rpcs.listNodes(create(ListNodesRequestSchema, { limit: 1, cursor }), call);
    expect(second).toMatchObject({ nodes: { length: 1 }, nextCursor: "" });
    const gpu = create(ListNodesRequestSchema, { specialization: "gpu", state: "new" });
    expect((await rpcs.listNodes(gpu, call)).nodes.map(({ name }) => name)).toEqual(["node 2"]);
    const asleep = create(ListNodesRequestSchema, { state: "asleep" });
    expect(await codeOf(rpcs.listNodes(asleep, call))).toBe("request.invalid");
    const many = create(ListNodesRequestSchema, { limit: 501 });
    expect(await codeOf(rpcs.listNodes(many, call))).toBe("request.invalid");
  });

  test("resolve answers a node of the caller's pool that is up", async () => {
    const { rpcs, call, registry, two, three } = await world();
    beAlive(registry, two.id, three.id);
    const resolve = (policy: string, key = "") =>
      rpcs.resolve(create(ResolveRequestSchema, { policy, key }), call);
    expect((await resolve("")).nodeId).toBe(two.id);
    expect((await resolve("hash", "a")).nodeId).toBe(two.id);
    expect(await codeOf(resolve("hash"))).toBe("discovery.key_missing");
    expect(await codeOf(resolve("fastest"))).toBe("request.invalid");
  });

  test("a watch tells the pool's nodes and is refused once the watcher moved away", async () => {
    const { rpcs, registry, one, two, three, lab } = await world();
    const events = rpcs.watchNodes(create(WatchNodesRequestSchema), callOf(one));
    const watch = events[Symbol.asyncIterator]();
    const types: string[] = [];
    while (types.at(-1) !== "ready") types.push((await next(watch)).type);
    expect(types).toEqual(["snapshot", "snapshot", "ready"]);
    beAlive(registry, three.id, two.id);
    const changed = await next(watch);
    expect(changed).toMatchObject({ type: "changed", node: { nodeId: two.id, state: "alive" } });
    expect(changed.version).toBeGreaterThan(0n);
    await registry.join(SYSTEM, one.id, lab.id);
    expect(await codeOf(next(watch))).toBe("pool.private");
  });
});

async function next(watch: AsyncIterator<NodeEvent>): Promise<NodeEvent> {
  const { value, done } = await watch.next();
  if (done) throw new Error("the watch ended");
  return value;
}
