import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createServer, type Server } from "node:net";
import { Server as GrpcServer, ServerCredentials } from "@grpc/grpc-js";
import { openProbes } from "@/drivers/probes.ts";

const probes = openProbes();
const SOON_MS = 3_000;
const asIs = (bytes: Buffer): Buffer => bytes;

const web = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch: (request) => new Response("", { status: request.url.endsWith("/sick") ? 503 : 200 }),
});
const silent: Server = createServer(() => {});
const grpc = new GrpcServer();
let grpcPort = 0;
let silentPort = 0;
let status = 1;

beforeAll(async () => {
  await new Promise<void>((done) => silent.listen(0, "127.0.0.1", done));
  const address = silent.address();
  silentPort = typeof address === "object" && address ? address.port : 0;
  grpc.register(
    "/grpc.health.v1.Health/Check",
    (_: unknown, answer: (error: null, bytes: Buffer) => void) =>
      answer(null, Buffer.from([8, status])),
    asIs,
    asIs,
    "unary",
  );
  grpcPort = await new Promise<number>((done, fail) =>
    grpc.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) =>
      error ? fail(error) : done(port),
    ),
  );
});
afterAll(async () => {
  await web.stop(true);
  silent.close();
  grpc.forceShutdown();
});

describe("an endpoint answers", () => {
  test("over TCP when it takes the connection", async () => {
    expect(await probes.ask(`tcp://127.0.0.1:${silentPort}`, SOON_MS)).toBe(true);
  });

  test("over HTTP with a 2xx", async () => {
    expect(await probes.ask(`http://127.0.0.1:${web.port}/well`, SOON_MS)).toBe(true);
  });

  test("over gRPC when it says that it serves", async () => {
    expect(await probes.ask(`grpc://127.0.0.1:${grpcPort}`, SOON_MS)).toBe(true);
  });
});

describe("an endpoint does not answer", () => {
  test.each([
    ["when nobody listens", () => "tcp://127.0.0.1:1"],
    ["with an error over HTTP", () => `http://127.0.0.1:${web.port}/sick`],
    ["over HTTP when nobody listens", () => "http://127.0.0.1:1/"],
    ["in a protocol we do not speak", () => "ftp://127.0.0.1:21"],
    ["when it is no address at all", () => "::::"],
    ["over gRPC when it speaks something else", () => `grpc://127.0.0.1:${web.port}`],
  ])("%s", async (_, endpoint) => {
    expect(await probes.ask(endpoint(), SOON_MS)).toBe(false);
  });

  test("over gRPC when it says that it does not serve", async () => {
    status = 2;
    expect(await probes.ask(`grpc://127.0.0.1:${grpcPort}`, SOON_MS)).toBe(false);
  });

  test("over HTTP when it says nothing in time", async () => {
    expect(await probes.ask(`http://127.0.0.1:${silentPort}/`, 50)).toBe(false);
  });
});
