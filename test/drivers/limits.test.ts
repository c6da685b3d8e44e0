import { describe, expect, test } from "bun:test";
import { create } from "@bufbuild/protobuf";
import { Elysia } from "elysia";
import { settled } from "#test/support/clock.ts";
import { GrpcWorld, serveRegistry } from "#test/support/grpc.ts";
import { limitedHttpWith, type Mount } from "#test/support/http.ts";
import { turnstileWith } from "#test/support/intake.ts";
import type { Intake } from "@/ports/intake.ts";
import {
  AuthoritySchema,
  EnrollReplySchema,
  Enrolment,
  RequestTokenReplySchema,
  WorkSchema,
} from "@/proto/enrolment_pb.ts";
import { HeartbeatReplySchema, Registry } from "@/proto/registry_pb.ts";
import { isRefusal, type PoolError } from "@/std/errors.ts";

const FAR = { origin: { address: "10.0.0.1" } };

/** Routes of three classes; what is read waits until the test lets it go on. */
function routes() {
  const gate = Promise.withResolvers<void>();
  const mount: Mount = () => [
    new Elysia()
      .get("/health", () => "ok")
      .get("/open", () => "ok")
      .get("/slow", () => gate.promise.then(() => "ok"))
      .post("/change", () => "ok"),
    [
      { method: "GET", path: "/health", access: "anyone", class: "probe" },
      { method: "GET", path: "/open", access: "anyone" },
      { method: "GET", path: "/slow", access: ["admin"] },
      { method: "POST", path: "/change", access: ["admin"] },
    ],
  ];
  return { mount, letGo: gate.resolve };
}

describe("over HTTP", () => {
  test("who asks too often is told when to come back, before being asked who it is", async () => {
    const { ask } = await limitedHttpWith(turnstileWith().turnstile, routes().mount);
    for (let count = 0; count < 3; count++) {
      expect((await ask("GET", "/slow", FAR)).status).toBe(401);
    }
    const refused = await ask("GET", "/slow", { as: "admin", ...FAR });
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "1"]);
    expect(await refused.json()).toMatchObject({ code: "limit.address" });
    expect((await ask("GET", "/open", { origin: { address: "10.0.0.2" } })).status).toBe(200);
    expect((await ask("GET", "/open")).status).toBe(200);
  });

  test("a caller has a limit wherever it comes from", async () => {
    const { ask } = await limitedHttpWith(turnstileWith().turnstile, routes().mount);
    const askFrom = (address: string, as: string) =>
      ask("POST", "/change", { as, origin: { address } });
    const statuses: number[] = [];
    for (const at of [1, 2, 3, 4]) statuses.push((await askFrom(`10.0.${at}.1`, "admin")).status);
    expect(statuses).toEqual([200, 200, 200, 429]);
    expect((await askFrom("10.0.5.1", "admin:other")).status).toBe(200);
  });

  test("reads wait and are shed while changes pass, and no place is lost", async () => {
    const { mount, letGo } = routes();
    const { turnstile } = turnstileWith();
    const { ask } = await limitedHttpWith(turnstile, mount);
    const reads = [1, 2, 3].map(() => ask("GET", "/slow", { as: "admin" }));
    const refused = await ask("GET", "/slow", { as: "admin" });
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "3"]);
    expect(await refused.json()).toMatchObject({ code: "pool.overloaded", class: "read" });
    expect((await ask("POST", "/change", { as: "admin" })).status).toBe(200);
    expect((await ask("GET", "/health")).status).toBe(200);
    letGo();
    expect((await Promise.all(reads)).map(({ status }) => status)).toEqual([200, 200, 200]);
    for (const { line } of turnstile.lines()) expect([line.atWork, line.waiting]).toEqual([0, 0]);
  });

  test("a refused and a failing request give their places back", async () => {
    const { turnstile } = turnstileWith();
    const mount: Mount = () => [
      new Elysia().get("/fault", () => {
        throw new Error("boom");
      }),
      [{ method: "GET", path: "/fault", access: "anyone" }],
    ];
    const { ask } = await limitedHttpWith(turnstile, mount);
    for (let count = 0; count < 5; count++) {
      expect((await ask("GET", "/fault")).status).toBe(500);
      expect((await ask("GET", "/nothing")).status).toBe(404);
      expect((await ask("GET", "/api/nothing")).status).toBe(401);
    }
    expect(turnstile.lines().map(({ line }) => line.atWork)).toEqual([0, 0, 0, 0, 0]);
  });
});

/** Calls that wait until the test lets them go on. */
function worldWith(intake: Intake) {
  const gate = Promise.withResolvers<void>();
  const world = GrpcWorld.open({
    intake,
    serve: (grpc) => {
      grpc.serve(Enrolment, "anyone", {
        getAuthority: async () => create(AuthoritySchema),
        enroll: async () => create(EnrollReplySchema),

        getWork: async () => create(WorkSchema),
        requestToken: async () => create(RequestTokenReplySchema),
        renew: async () => gate.promise.then(() => create(EnrollReplySchema)),
      });
      serveRegistry(grpc, { heartbeatStream: async () => create(HeartbeatReplySchema) });
    },
  });
  return { world, letGo: gate.resolve };
}

async function refusalOf(answer: Promise<unknown>): Promise<PoolError> {
  try {
    await answer;
  } catch (thrown) {
    if (isRefusal(thrown)) return thrown;
    throw thrown;
  }
  throw new Error("it was allowed");
}

describe("over gRPC", () => {
  test("a node that calls too often is told when to come back, and another is not", async () => {
    const { turnstile, clock } = turnstileWith({ countsLoopback: true });
    await using world = await worldWith(turnstile).world;
    const one = await world.connectAs(1);
    const ask = () => one.call(Enrolment.method.getAuthority, {});
    for (let count = 0; count < 3; count++) await ask();
    expect(await refusalOf(ask())).toMatchObject({
      kind: "exhausted",
      code: "limit.caller",
      details: { retryAfterSeconds: 1 },
    });
    await (await world.connectAs(2)).call(Enrolment.method.getAuthority, {});
    clock.advance(500);
    await ask();
  });

  test("each message of a stream counts", async () => {
    const { turnstile } = turnstileWith({ countsLoopback: true });
    await using world = await worldWith(turnstile).world;
    const stream = (await world.connectAs(1)).stream(Registry.method.heartbeatStream);
    const ended = Promise.withResolvers<PoolError | undefined>();
    let heard = 0;
    stream.onMessage(() => {
      heard++;
      stream.send({});
    });
    stream.onEnd(ended.resolve);
    stream.send({});
    expect((await ended.promise)?.code).toBe("limit.caller");
    expect(heard).toBe(3);
  });

  test("what there is no room for is shed with a time to come back", async () => {
    const { turnstile } = turnstileWith();
    const { world: opening, letGo } = worldWith(turnstile);
    await using world = await opening;
    const connection = await world.connect();
    const renew = () => connection.call(Enrolment.method.renew, {});
    const waiting = [renew(), renew(), renew()];
    while (turnstile.lines().find(({ of }) => of === "enrol")?.line.waiting !== 2) await settled();
    expect(await refusalOf(renew())).toMatchObject({
      kind: "unavailable",
      code: "pool.overloaded",
      details: { class: "enrol", retryAfterSeconds: 3 },
    });
    letGo();
    await Promise.all(waiting);
    expect(turnstile.lines().map(({ line }) => line.atWork)).toEqual([0, 0, 0, 0, 0]);
  });
});
