import { describe, expect, test } from "bun:test";
import { create } from "@bufbuild/protobuf";
import { Elysia, t } from "elysia";
import { GrpcWorld, serveRegistry } from "#test/support/grpc.ts";
import { type Asked, httpWith } from "#test/support/http.ts";
import type { Connection } from "@/ports/dialer.ts";
import { HeartbeatReplySchema, Registry } from "@/proto/registry_pb.ts";
import { PoolError } from "@/std/errors.ts";

const SECRET = "gpk_abcdefgh_shouldnotbeseen";

async function shop() {
  const routes = new Elysia()
    .get("/api/v1/keys/:id", () => {
      throw new PoolError("not_found", "key.unknown", `There is no ${SECRET}.`);
    })
    .post("/api/v1/keys", () => "made", { body: t.Object({ name: t.String() }) });
  return httpWith(() => [
    routes,
    [
      { method: "GET", path: "/api/v1/keys/:id", access: ["admin"] },
      { method: "POST", path: "/api/v1/keys", access: ["admin"] },
    ],
  ]);
}

describe("a refusal over HTTP is told", () => {
  const from = { address: "192.0.2.7" };
  const route = "GET /api/v1/keys/:id";
  test.each<[string, Asked & { method?: string; path?: string }, object]>([
    ["of a stranger", {}, { kind: "unauthenticated", subject: route }],
    [
      "of somebody without the role",
      { as: "client:bob" },
      { kind: "denied", code: "access.denied", caller: "operator:bob", subject: route },
    ],
    [
      "of what a route says",
      { as: "admin:ann" },
      { kind: "not_found", code: "key.unknown", caller: "operator:ann", subject: route },
    ],
    [
      "of a body that does not fit",
      { as: "admin:ann", method: "POST", path: "/api/v1/keys", json: { name: 3 } },
      { code: "request.invalid", caller: "operator:ann", subject: "POST /api/v1/keys" },
    ],
    [
      "of an address there is none of, which is not repeated",
      { as: "admin:ann", path: `/${SECRET}` },
      { kind: "not_found", code: "route.unknown" },
    ],
  ])("%s", async (_, { method = "GET", path = `/api/v1/keys/${SECRET}`, ...asked }, told) => {
    const { ask, refused } = await shop();
    await ask(method, `${path}?token=${SECRET}`, { ...asked, origin: from });
    expect(refused).toEqual([expect.objectContaining({ door: "http", ...from, ...told })]);
    expect(JSON.stringify(refused)).not.toContain(SECRET);
  });
});

describe("a refusal over gRPC is told", () => {
  const standing = (connection: Connection) =>
    connection.call(Registry.method.getStanding, {}).catch(() => undefined);
  const subject = "/galaxy.pool.v1.Registry/GetStanding";

  test("of who shows no certificate, is suspended, or is told no by a method", async () => {
    const refuse = async () => {
      throw new PoolError("denied", "test.denied", `Not with ${SECRET}.`);
    };
    const serve = { getStanding: refuse };
    await using world = await GrpcWorld.open({ serve: (grpc) => serveRegistry(grpc, serve) });
    await standing(await world.connect());
    await standing(await world.connectAs(66));
    await standing(await world.connectAs(1));
    const shared = { door: "grpc", address: "127.0.0.1", subject } as const;
    expect(world.refused).toEqual([
      { ...shared, kind: "unauthenticated", code: "certificate.missing" },
      { ...shared, kind: "denied", code: "node.suspended" },
      { ...shared, kind: "denied", code: "test.denied", caller: "node-1" },
    ]);
  });

  test("but not when the pool ends a stream by itself", async () => {
    const serve = { heartbeatStream: async () => create(HeartbeatReplySchema) };
    await using world = await GrpcWorld.open({ serve: (grpc) => serveRegistry(grpc, serve) });
    const stream = (await world.connectAs(1)).stream(Registry.method.heartbeatStream);
    const answered = new Promise<void>((resolve) => stream.onMessage(() => resolve()));
    const ended = new Promise((resolve) => stream.onEnd(resolve));
    stream.send({});
    await answered;
    world.server.disconnect("node-1");
    await ended;
    expect(world.refused).toEqual([]);
  });
});
