import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { connect as connectHttp2 } from "node:http2";
import { connect as connectTcp } from "node:net";
import { connect as connectTls } from "node:tls";
import { create, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { pino } from "pino";
import {
  certificates,
  GrpcWorld,
  selfSigned,
  serveRegistry,
  TestAuthority,
} from "#test/support/grpc.ts";
import { certificates as certificatesModule } from "@/drivers/certificates.ts";
import { clock } from "@/drivers/clock.ts";
import { grpc as grpcModule } from "@/drivers/grpc/module.ts";
import { intake } from "@/drivers/intake/module.ts";
import { metrics } from "@/drivers/metrics.ts";
import { random } from "@/drivers/random.ts";
import { configKeys, configure } from "@/kernel/config.ts";
import { Kernel } from "@/kernel/kernel.ts";
import type { CertificatePair } from "@/ports/certificates.ts";
import type { Connection, Stream, WatchStream } from "@/ports/dialer.ts";
import type { Call, Grpc } from "@/ports/grpc.ts";
import {
  AuthoritySchema,
  EnrollReplySchema,
  Enrolment,
  RequestTokenReplySchema,
  WorkSchema,
} from "@/proto/enrolment_pb.ts";
import { Health, HealthCheckResponse_ServingStatus as Serving } from "@/proto/health_pb.ts";
import { ServerReflection } from "@/proto/reflection_pb.ts";
import {
  HeartbeatReplySchema,
  NodeEventSchema,
  NodeSchema,
  Registry,
  StandingSchema,
} from "@/proto/registry_pb.ts";
import { AssertionError } from "@/std/assert.ts";
import { isRefusal, PoolError, REFUSALS, type RefusalKind } from "@/std/errors.ts";

const DAY_MS = 86_400_000;

/** Serves everything: GetAuthority and GetStanding say who called, the rest as stated. */
function echo(rpcs: Parameters<typeof serveRegistry>[1] = {}): (grpc: Grpc) => void {
  return (grpc) => {
    grpc.serve(Enrolment, "anyone", {
      getAuthority: async (_request, call) => create(AuthoritySchema, describeCall(call)),
      enroll: async ({ nonce }) => create(EnrollReplySchema, { poolKey: nonce }),

      getWork: async () => create(WorkSchema),
      requestToken: async () => create(RequestTokenReplySchema),
      renew: async () => create(EnrollReplySchema),
    });
    serveRegistry(grpc, {
      getStanding: async (_request, { caller }) =>
        create(StandingSchema, { nodeId: caller?.id ?? "nobody" }),
      ...rpcs,
    });
  };
}

function describeCall({ caller, address, serverLeafHash }: Call) {
  return {
    installationId: `${caller?.id ?? "nobody"} from ${address}`,
    rootCertificate: serverLeafHash,
  };
}

async function refusalOf(act: () => Promise<unknown>): Promise<PoolError> {
  try {
    await act();
  } catch (thrown) {
    if (isRefusal(thrown)) return thrown;
    throw thrown;
  }
  throw new Error("it was allowed");
}

const standing = (connection: Connection) => connection.call(Registry.method.getStanding, {});
const authority = (connection: Connection) => connection.call(Enrolment.method.getAuthority, {});

/** Reads a stream message by message. */
class Reading<Answer> {
  readonly all: Answer[] = [];
  readonly over: Promise<PoolError | undefined>;
  #wake = () => {};

  constructor(stream: WatchStream<Answer> | Stream<never, Answer>) {
    stream.onMessage((message) => {
      this.all.push(message);
      this.#wake();
    });
    this.over = new Promise((resolve) => stream.onEnd(resolve));
  }

  async until(count: number): Promise<readonly Answer[]> {
    while (this.all.length < count) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.all;
  }
}

describe("who calls", () => {
  test.each([["127.0.0.1"], ["[::1]"], ["localhost"]])(
    "a node is known by its certificate, reached as %s",
    async (host) => {
      await using world = await GrpcWorld.open({ serve: echo() });
      const connection = await world.connect(await world.authority.node(1), host);
      const { installationId } = await authority(connection);
      expect(["node-1 from 127.0.0.1", "node-1 from ::1"]).toContain(installationId);
      expect((await standing(connection)).nodeId).toBe("node-1");
    },
  );

  test("nobody may ask what is open to anyone, and nothing else", async () => {
    await using world = await GrpcWorld.open({ serve: echo() });
    const connection = await world.connect();
    expect((await authority(connection)).installationId).toBe("nobody from 127.0.0.1");
    const refusal = await refusalOf(() => standing(connection));
    expect([refusal.kind, refusal.code]).toEqual(["unauthenticated", "certificate.missing"]);
  });

  const identities: readonly (readonly [
    string,
    string,
    (w: GrpcWorld) => Promise<CertificatePair>,
  ])[] = [
    [
      "expired",
      "certificate.expired",
      ({ authority: a, clock }) => a.node(1, { notAfterMs: clock.now() - 1_000 }),
    ],
    [
      "early",
      "certificate.not_yet_valid",
      ({ authority: a, clock }) => a.node(1, { notBeforeMs: clock.now() + 1_000 }),
    ],
    [
      "another pool's",
      "certificate.foreign",
      async ({ clock }) => (await TestAuthority.create(clock.now())).node(1),
    ],
    ["self-signed", "certificate.foreign", ({ clock }) => selfSigned(clock.now())],
    ["server's", "certificate.foreign", ({ authority: a }) => a.server()],
    ["suspended node's", "node.suspended", ({ authority: a }) => a.node(66)],
  ];

  test.each(identities)(
    "a caller with an %s certificate is nobody",
    async (_, code, identityIn) => {
      await using world = await GrpcWorld.open({ serve: echo() });
      const connection = await world.connect(await identityIn(world));
      expect((await authority(connection)).installationId).toBe("nobody from 127.0.0.1");
      expect((await refusalOf(() => standing(connection))).code).toBe(code);
    },
  );

  test("a certificate that ends while a connection is open ends its stream and its calls", async () => {
    const heartbeatStream = async () => create(HeartbeatReplySchema);
    await using world = await GrpcWorld.open({ serve: echo({ heartbeatStream }) });
    const connection = await world.connectAs(1);
    const stream = connection.stream(Registry.method.heartbeatStream);
    const reading = new Reading(stream);
    stream.send({});
    await reading.until(1);
    world.clock.advance(DAY_MS + 1);
    stream.send({});
    expect((await reading.over)?.code).toBe("certificate.expired");
    expect((await refusalOf(() => standing(connection))).code).toBe("certificate.expired");
  });
});

describe("the server's certificate", () => {
  test("both ends of a connection agree on it, for the enrolment proof", async () => {
    await using world = await GrpcWorld.open({ serve: echo() });
    const connection = await world.connect();
    const der = certificates.toDer(world.leaf.certificatePem);
    const hash = createHash("sha256").update(der).digest();
    expect(Buffer.from(connection.leafHash)).toEqual(hash);
    expect(Buffer.from((await authority(connection)).rootCertificate)).toEqual(hash);
  });

  test("is renewed without dropping the listener or a connection", async () => {
    await using world = await GrpcWorld.open({ serve: echo() });
    const before = await world.connectAs(1);
    const leaf = await world.authority.server();
    world.server.identifyWith({ leaf, rootPem: world.authority.root.certificatePem });
    const after = await world.connectAs(1);
    expect(after.leafHash).toEqual(certificates.read(leaf.certificatePem).hash);
    expect(after.leafHash).not.toEqual(before.leafHash);
    expect((await authority(before)).rootCertificate).toEqual(before.leafHash);
    expect((await authority(after)).rootCertificate).toEqual(after.leafHash);
    expect((await standing(after)).nodeId).toBe("node-1");
  });

  test("two roots are believed while one replaces the other", async () => {
    await using world = await GrpcWorld.open({ serve: echo() });
    const next = await TestAuthority.create(world.clock.now());
    const rootPem = `${next.root.certificatePem}\n${world.authority.root.certificatePem}\n`;
    world.server.identifyWith({ leaf: world.leaf, rootPem });
    const old = await world.connectAs(1);
    const young = await world.connect(await next.node(2));
    expect((await standing(old)).nodeId).toBe("node-1");
    expect((await standing(young)).nodeId).toBe("node-2");
  });

  test("is shown over TLS 1.3 only, also after a renewal", async () => {
    await using world = await GrpcWorld.open({ serve: echo() });
    expect(await handshake(world.port, "TLSv1.2")).toBe("refused");
    expect(await handshake(world.port, "TLSv1.3")).toBe("TLSv1.3");
    const { root } = world.authority;
    world.server.identifyWith({ leaf: world.leaf, rootPem: root.certificatePem });
    expect(await handshake(world.port, "TLSv1.2")).toBe("refused");
    expect(await handshake(world.port, "TLSv1.3")).toBe("TLSv1.3");
  });
});

function handshake(port: number, version: "TLSv1.2" | "TLSv1.3"): Promise<string | null> {
  return new Promise((resolve) => {
    const terms = { minVersion: version, maxVersion: version, rejectUnauthorized: false };
    const socket = connectTls({ port, host: "127.0.0.1", ALPNProtocols: ["h2"], ...terms }, () => {
      resolve(socket.getProtocol());
      socket.destroy();
    });
    socket.on("error", () => resolve("refused"));
  });
}

describe("a refusal", () => {
  const kinds = (Object.keys(REFUSALS) as RefusalKind[]).filter((kind) => kind !== "internal");

  test.each(kinds)("of kind %s arrives as it was thrown", async (kind) => {
    const details = { limit: 3, retryAfterSeconds: 1.5 };
    const getNode = async () => {
      throw new PoolError(kind, "test.code", "Nein – es geht nicht: 100 %.", details);
    };
    await using world = await GrpcWorld.open({ serve: echo({ getNode }) });
    const connection = await world.connectAs(1);
    const refusal = await refusalOf(() => connection.call(Registry.method.getNode, {}));
    expect(refusal).toMatchObject({
      kind,
      code: "test.code",
      message: "Nein – es geht nicht: 100 %.",
      details: { limit: "3", retryAfterSeconds: 1.5 },
    });
    expect(world.logged).toEqual([]);
  });

  test("before or inside a stream ends it", async () => {
    const heartbeatStream = async () => {
      throw new PoolError("conflict", "test.code", "No.");
    };
    // biome-ignore lint/correctness/useYield: it refuses before the first event.
    const watchNodes = async function* () {
      throw new PoolError("invalid", "test.code", "No.");
    };
    await using world = await GrpcWorld.open({ serve: echo({ heartbeatStream, watchNodes }) });
    const known = await world.connectAs(1);
    const nobody = await world.connect();
    const talk = known.stream(Registry.method.heartbeatStream);
    const talking = new Reading(talk);
    talk.send({});
    expect(await talking.over).toMatchObject({ kind: "conflict", code: "test.code" });
    const watch = new Reading(known.watch(Registry.method.watchNodes, {}));
    expect(await watch.over).toMatchObject({ kind: "invalid", code: "test.code" });
    const unknown = new Reading(nobody.watch(Registry.method.watchNodes, {}));
    expect(await unknown.over).toMatchObject({ code: "certificate.missing" });
  });

  test("a fault of ours tells the caller nothing, is logged, and an assertion is fatal", async () => {
    const getNode = async () => {
      throw new Error("secret boom");
    };
    const resolve = async () => {
      throw new AssertionError("secret promise");
    };
    await using world = await GrpcWorld.open({ serve: echo({ getNode, resolve }) });
    const connection = await world.connectAs(1);
    const boom = await refusalOf(() => connection.call(Registry.method.getNode, {}));
    expect([boom.kind, boom.code]).toEqual(["internal", "pool.refused"]);
    expect(boom.message).not.toContain("secret");
    expect(world.faults).toEqual([]);
    await refusalOf(() => connection.call(Registry.method.resolve, {}));
    expect(world.faults).toEqual([new AssertionError("secret promise")]);
    expect(world.logged.join("")).toContain("secret boom");
  });

  test("bytes that are no message are the caller's mistake", async () => {
    await using world = await GrpcWorld.open({ serve: echo() });
    const headers = await rawCall(world.port, Buffer.from([0, 0, 0, 0, 2, 0x0a, 0x7f]));
    expect(headers["grpc-status"]).toBe("3");
    expect(world.logged).toEqual([]);
  });

  test("a method that is not there is unimplemented", async () => {
    await using world = await GrpcWorld.open({ serve: echo() });
    const headers = await rawCall(world.port, Buffer.alloc(5), "/galaxy.pool.v1.Enrolment/Nope");
    expect(headers["grpc-status"]).toBe("12");
  });
});

/** One call by hand; answers its headers and trailers. */
function rawCall(
  port: number,
  body: Buffer,
  path = "/galaxy.pool.v1.Enrolment/Enroll",
): Promise<Record<string, unknown>> {
  const session = connectHttp2(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
  return new Promise((resolve, reject) => {
    const seen: Record<string, unknown> = {};
    const headers = { "content-type": "application/grpc", te: "trailers" };
    const stream = session.request({ ":method": "POST", ":path": path, ...headers });
    stream.on("response", (answer) => Object.assign(seen, answer));
    stream.on("trailers", (answer) => Object.assign(seen, answer));
    stream.on("close", () => {
      session.destroy();
      resolve(seen);
    });
    stream.on("error", reject);
    stream.resume();
    stream.end(body);
  });
}

describe("limits", () => {
  test("a message may have 64 KiB and no more", async () => {
    await using world = await GrpcWorld.open({ serve: echo() });
    const connection = await world.connect();
    const send = (length: number) =>
      connection.call(Enrolment.method.enroll, { nonce: new Uint8Array(length) });
    expect((await send(65_532)).poolKey).toHaveLength(65_532);
    expect((await refusalOf(() => send(65_533))).kind).toBe("exhausted");
    expect((await send(1)).poolKey).toHaveLength(1);
  });

  test("a deadline is kept by both ends", async () => {
    const aborted = Promise.withResolvers<void>();
    const getNode = async (_request: unknown, { signal }: Call) => {
      signal.addEventListener("abort", () => aborted.resolve());
      await aborted.promise;
      return create(NodeSchema);
    };
    await using world = await GrpcWorld.open({ serve: echo({ getNode }) });
    const connection = await world.connectAs(1);
    const refusal = await refusalOf(() =>
      connection.call(Registry.method.getNode, {}, { timeoutMs: 50 }),
    );
    expect([refusal.kind, refusal.code]).toEqual(["deadline", "pool.timeout"]);
    await aborted.promise;
  });

  test("a node's fifth connection ends its oldest", async () => {
    await using world = await GrpcWorld.open({ serve: echo({ watchNodes: forever }) });
    const other = await world.connectAs(2);
    const first = await world.connectAs(1);
    const watch = new Reading(first.watch(Registry.method.watchNodes, {}));
    await watch.until(1);
    const later = [];
    for (let at = 0; at < 4; at++) later.push(await world.connectAs(1));
    expect((await watch.over)?.code).toBe("pool.unreachable");
    for (const connection of [other, ...later]) await standing(connection);
  });

  test("strangers of one address fill a quarter of the places, for a minute", async () => {
    await using world = await GrpcWorld.open({ connectionsMax: 8, serve: echo() });
    await world.connect();
    await world.connect();
    expect((await refusalOf(() => world.connect())).code).toBe("pool.unreachable");
    world.clock.advance(60_000);
    await eventually(() => world.connect());
  });

  test("a full house lets nobody in", async () => {
    await using world = await GrpcWorld.open({ connectionsMax: 2, serve: echo() });
    await world.connectAs(1);
    const second = await world.connectAs(2);
    expect((await refusalOf(() => world.connectAs(3))).code).toBe("pool.unreachable");
    second.close();
    const third = await eventually(() => world.connectAs(3));
    expect((await standing(third)).nodeId).toBe("node-3");
  });

  test("a connection holds 100 calls at once", async () => {
    const waiting: (() => void)[] = [];
    const getNode = async () => {
      await new Promise<void>((resolve) => waiting.push(resolve));
      return create(NodeSchema);
    };
    await using world = await GrpcWorld.open({ serve: echo({ getNode }) });
    const connection = await world.connectAs(1);
    const calls = Array.from({ length: 101 }, () => connection.call(Registry.method.getNode, {}));
    while (waiting.length < 100) await nextTurn();
    for (let turn = 0; turn < 20; turn++) await nextTurn();
    expect(waiting).toHaveLength(100);
    waiting[0]?.();
    while (waiting.length < 101) await nextTurn();
    for (const finish of waiting) finish();
    expect(await Promise.all(calls)).toHaveLength(101);
  });
});

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A connection is let in again once the server has noticed that another one closed. */
async function eventually<T>(act: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await act();
    } catch (thrown) {
      if (!isRefusal(thrown) || thrown.code !== "pool.unreachable") throw thrown;
    }
  }
}

async function* forever(_request: unknown, { signal }: Call) {
  yield create(NodeEventSchema, { type: "ready" });
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
}

describe("a stream", () => {
  test("is answered in order, one request at a time", async () => {
    let working = 0;
    let workingMax = 0;
    const heartbeatStream = async ({ claim }: { readonly claim: Uint8Array }) => {
      workingMax = Math.max(workingMax, ++working);
      for (let turns = (claim[0] ?? 0) % 3; turns > 0; turns--) await nextTurn();
      working--;
      return create(HeartbeatReplySchema, { ack: claim });
    };
    await using world = await GrpcWorld.open({ serve: echo({ heartbeatStream }) });
    const stream = (await world.connectAs(1)).stream(Registry.method.heartbeatStream);
    const reading = new Reading(stream);
    const claims = Array.from({ length: 300 }, (_, at) => Uint8Array.of(at % 256, at >> 8));
    for (const claim of claims) stream.send({ claim });
    stream.end();
    expect(await reading.over).toBeUndefined();
    expect(reading.all.map(({ ack }) => ack)).toEqual(claims);
    expect(workingMax).toBe(1);
  });

  test("that ended well is not taken for a caller who went away", async () => {
    const signals: AbortSignal[] = [];
    const heartbeatStream = async (_request: unknown, { signal }: Call) => {
      signals.push(signal);
      return create(HeartbeatReplySchema);
    };
    await using world = await GrpcWorld.open({ serve: echo({ heartbeatStream }) });
    const connection = await world.connectAs(1);
    const stream = connection.stream(Registry.method.heartbeatStream);
    const reading = new Reading(stream);
    stream.send({});
    stream.end();
    expect(await reading.over).toBeUndefined();
    await standing(connection);
    expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
  });

  test("of events arrives in order, and waits while nobody reads", async () => {
    let made = 0;
    const watchNodes = async function* () {
      for (; made < 2_000; made++) {
        yield create(NodeEventSchema, { version: BigInt(made), type: "x".repeat(1_000) });
      }
    };
    await using world = await GrpcWorld.open({ serve: echo({ watchNodes }) });
    const stream = (await world.connectAs(1)).watch(Registry.method.watchNodes, {});
    await world.connectAs(2);
    for (let turn = 0; turn < 50; turn++) await nextTurn();
    expect(made).toBeLessThan(2_000);
    const reading = new Reading(stream);
    expect(await reading.over).toBeUndefined();
    const versions = reading.all.map(({ version }) => Number(version));
    expect(versions).toEqual(Array.from({ length: 2_000 }, (_, at) => at));
  });

  test("whose caller cancels tells its source", async () => {
    const aborted = Promise.withResolvers<void>();
    const watchNodes = async function* (_request: unknown, { signal }: Call) {
      yield create(NodeEventSchema);
      signal.addEventListener("abort", () => aborted.resolve());
      await aborted.promise;
    };
    await using world = await GrpcWorld.open({ serve: echo({ watchNodes }) });
    const stream = (await world.connectAs(1)).watch(Registry.method.watchNodes, {});
    await new Reading(stream).until(1);
    stream.cancel();
    await aborted.promise;
  });
});

/** A TLS connection of a node that says nothing on it. */
async function idleAs(world: GrpcWorld, number: number) {
  const { certificatePem: cert, privateKeyPem: key } = await world.authority.node(number);
  const ends = { closed: Promise.withResolvers<void>(), met: Promise.withResolvers<void>() };
  const terms = { port: world.port, host: "127.0.0.1", rejectUnauthorized: false, cert, key };
  const socket = connectTls({ ...terms, ALPNProtocols: ["h2"] });
  socket.on("error", () => {});
  socket.on("close", () => ends.closed.resolve());
  socket.once("data", () => ends.met.resolve()); // The server's SETTINGS: it has taken us in.
  await ends.met.promise;
  return { closed: ends.closed.promise, isOpen: () => !socket.destroyed };
}

describe("disconnecting a caller", () => {
  test("ends its streams at once and its connections soon, and nobody else's", async () => {
    const heartbeatStream = async () => create(HeartbeatReplySchema);
    const serve = echo({ heartbeatStream, watchNodes: forever });
    await using world = await GrpcWorld.open({ serve });
    const cut = await world.connectAs(1);
    const spared = await world.connectAs(2);
    const [talk, other] = [cut, spared].map((connection) =>
      connection.stream(Registry.method.heartbeatStream),
    );
    if (!talk || !other) throw new Error("two streams");
    const talking = new Reading(talk);
    const otherReading = new Reading(other);
    const watching = new Reading(cut.watch(Registry.method.watchNodes, {}));
    talk.send({});
    other.send({});
    await Promise.all([talking.until(1), otherReading.until(1), watching.until(1)]);
    world.server.disconnect("node-1");
    expect(await talking.over).toMatchObject({ kind: "unavailable", code: "connection.ended" });
    expect(await watching.over).toMatchObject({ kind: "unavailable", code: "connection.ended" });
    other.send({});
    await otherReading.until(2);
    world.clock.advance(1_000);
    const late = new Reading(cut.watch(Registry.method.watchNodes, {}));
    expect((await late.over)?.code).toBe("pool.unreachable");
    await standing(spared);
  });

  test("ends a connection on which nothing was ever asked", async () => {
    await using world = await GrpcWorld.open({ serve: echo() });
    const [cut, spared] = [await idleAs(world, 1), await idleAs(world, 2)];
    world.server.disconnect("node-1");
    expect([cut.isOpen(), spared.isOpen()]).toEqual([true, true]);
    world.clock.advance(1_000);
    await cut.closed;
    expect(spared.isOpen()).toBe(true);
  });

  test("leaves a caller who is not welcome a minute, as any stranger", async () => {
    await using world = await GrpcWorld.open({ serve: echo() });
    const suspended = await idleAs(world, 66);
    world.clock.advance(59_999);
    await nextTurn();
    expect(suspended.isOpen()).toBe(true);
    world.clock.advance(1);
    await suspended.closed;
  });

  test("lets the call that asked for it have its answer", async () => {
    const deregisterNode = async (_request: unknown, { caller }: Call) => {
      world.server.disconnect(caller?.id ?? "");
      await nextTurn();
      return create(NodeSchema, { state: "left" });
    };
    await using world = await GrpcWorld.open({ serve: echo({ deregisterNode }) });
    const connection = await world.connectAs(1);
    const { state } = await connection.call(Registry.method.deregisterNode, {});
    expect(state).toBe("left");
  });
});

describe("stopping", () => {
  test("ends streams with a reason, and lets calls have their answer", async () => {
    const started = Promise.withResolvers<void>();
    const finish = Promise.withResolvers<void>();
    const getNode = async () => {
      started.resolve();
      await finish.promise;
      return create(NodeSchema, { name: "done" });
    };
    await using world = await GrpcWorld.open({ serve: echo({ getNode, watchNodes: forever }) });
    const connection = await world.connectAs(1);
    const watch = new Reading(connection.watch(Registry.method.watchNodes, {}));
    const call = connection.call(Registry.method.getNode, {});
    await Promise.all([watch.until(1), started.promise]);
    const stopped = world.server.close(10_000);
    expect(await watch.over).toMatchObject({
      code: "pool.stopping",
      details: { retryAfterSeconds: 5 },
    });
    finish.resolve();
    expect((await call).name).toBe("done");
    await stopped;
    expect((await refusalOf(() => world.connectAs(2))).code).toBe("pool.unreachable");
  });

  test("does not wait for ever for a call that never ends", async () => {
    const started = Promise.withResolvers<void>();
    const getNode = () => {
      started.resolve();
      return new Promise<never>(() => {});
    };
    await using world = await GrpcWorld.open({ serve: echo({ getNode }) });
    const call = refusalOf(async () =>
      (await world.connectAs(1)).call(Registry.method.getNode, {}),
    );
    await started.promise;
    await world.server.close(50);
    expect((await call).code).toBe("pool.unreachable");
  });
});

describe("strangers", () => {
  const attacks: readonly (readonly [string, Buffer])[] = [
    ["garbage", Buffer.alloc(5_000, 0xa5)],
    ["plain HTTP", Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n")],
    ["plain HTTP/2", Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")],
    ["half a handshake", Buffer.from("16030100", "hex")],
  ];

  test.each(attacks)("who send %s do not disturb a node", async (_, bytes) => {
    await using world = await GrpcWorld.open({ serve: echo() });
    const connection = await world.connectAs(1);
    await new Promise<void>((resolve) => {
      const socket = connectTcp(world.port, "127.0.0.1", () => socket.end(bytes));
      socket.on("error", () => {});
      socket.on("close", () => resolve());
      socket.resume();
    });
    expect((await standing(connection)).nodeId).toBe("node-1");
  });

  const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

  test.each([
    ["garbage", "\xa5".repeat(5_000)],
    ["plain HTTP", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["data for no stream", `${preface}\0\0\x04\0\0\0\0\0\0oops`],
    ["a window of nothing", `${preface}\0\0\x04\x08\0\0\0\0\0\0\0\0\0`],
    ["a frame of 16 MB", `${preface}\xff\xff\xff\0\0\0\0\0\x01`],
  ])("who send %s through TLS are shown the door", async (_, text) => {
    await using world = await GrpcWorld.open({ serve: echo() });
    const connection = await world.connectAs(1);
    await new Promise<void>((resolve) => {
      const terms = { port: world.port, host: "127.0.0.1", rejectUnauthorized: false };
      const socket = connectTls({ ...terms, ALPNProtocols: ["h2"] }, () => {
        socket.write(Buffer.from(text, "latin1"));
      });
      socket.on("error", () => {});
      socket.on("close", () => resolve());
      socket.resume();
    });
    expect((await standing(connection)).nodeId).toBe("node-1");
  });
});

describe("health and reflection", () => {
  test("the pool and each of its services serve; others are unknown", async () => {
    await using world = await GrpcWorld.open({ serve: echo() });
    const connection = await world.connect();
    const check = (service: string) => connection.call(Health.method.check, { service });
    expect((await check("")).status).toBe(Serving.SERVING);
    expect((await check("galaxy.pool.v1.Registry")).status).toBe(Serving.SERVING);
    expect((await refusalOf(() => check("nobody.Knows"))).kind).toBe("not_found");
    const { statuses } = await connection.call(Health.method.list, {});
    expect(Object.keys(statuses).toSorted()).toEqual([
      "",
      "galaxy.pool.v1.Enrolment",
      "galaxy.pool.v1.Registry",
      "grpc.health.v1.Health",
      "grpc.reflection.v1.ServerReflection",
    ]);
  });

  test("who watches is told now, and that the pool stops", async () => {
    await using world = await GrpcWorld.open({ serve: echo() });
    const connection = await world.connect();
    const watch = new Reading(connection.watch(Health.method.watch, { service: "" }));
    const [first] = await watch.until(1);
    expect(first?.status).toBe(Serving.SERVING);
    await world.server.close(1_000);
    expect((await watch.over)?.code).toBe("pool.stopping");
  });

  test("reflection names the services and gives the files they stand in", async () => {
    await using world = await GrpcWorld.open({ serve: echo() });
    const stream = (await world.connect()).stream(ServerReflection.method.serverReflectionInfo);
    const reading = new Reading(stream);
    const asked = [
      { case: "listServices", value: "" },
      { case: "fileContainingSymbol", value: "galaxy.pool.v1.Registry.Heartbeat" },
      { case: "fileContainingSymbol", value: "galaxy.pool.v1.Node" },
      { case: "fileByFilename", value: "enrolment.proto" },
      { case: "fileContainingSymbol", value: "nobody.Knows" },
    ] as const;
    for (const messageRequest of asked) stream.send({ messageRequest });
    const answers = (await reading.until(5)).map(({ messageResponse }) => messageResponse);
    const files = answers.map((answer) =>
      answer.case === "fileDescriptorResponse"
        ? answer.value.fileDescriptorProto.map(
            (bytes) => fromBinary(FileDescriptorProtoSchema, bytes).name,
          )
        : answer.case,
    );
    expect(files).toEqual([
      "listServicesResponse",
      ["registry.proto"],
      ["registry.proto"],
      ["enrolment.proto"],
      "errorResponse",
    ]);
    const listed = answers[0]?.case === "listServicesResponse" ? answers[0].value.service : [];
    expect(listed.map(({ name }) => name)).toContain("galaxy.pool.v1.Registry");
  });
});

describe("the start", () => {
  test("fails when nobody, or two modules, serve a method", async () => {
    const half = (grpc: Grpc) => grpc.serve(Registry, "node", {});
    const twice = (grpc: Grpc) => {
      echo()(grpc);
      serveRegistry(grpc, {});
    };
    expect(GrpcWorld.open({ serve: half })).rejects.toThrow("no module serves");
    expect(GrpcWorld.open({ serve: twice })).rejects.toThrow("two modules serve");
  });

  test("the first connection right after it is not lost", async () => {
    for (let round = 0; round < 5; round++) {
      await using world = await GrpcWorld.open({ serve: echo() });
      expect((await standing(await world.connectAs(1))).nodeId).toBe("node-1");
    }
  });

  test("listens on IPv4 alone where it is told to", async () => {
    await using world = await GrpcWorld.open({ host: "127.0.0.1", serve: echo() });
    expect(world.server.address()).toMatch(/^127\.0\.0\.1:\d+$/);
    expect((await refusalOf(() => world.connect(undefined, "[::1]"))).code).toBe(
      "pool.unreachable",
    );
  });
});

describe("the module", () => {
  const modules = [clock, random, metrics, intake, certificatesModule, grpcModule];

  function startWith(values: Readonly<Record<string, unknown>>): Promise<Kernel> {
    const layer = { origin: () => "test", values: new Map(Object.entries(values)) };
    const configuration = configure(configKeys(modules), [layer]);
    return Kernel.start(modules, { log: pino({ level: "silent" }), configuration });
  }

  test.each([
    [{ "server.tls.enabled": false }, "config.tls_required"],
    [{ "server.address": "50051" }, "config.invalid"],
    [{ "server.address": "[::]:65536" }, "config.invalid"],
    [{ "server.max_connections": 0 }, "config.invalid"],
  ])("refuses %p", async (values, code) => {
    expect((await refusalOf(async () => startWith(values))).code).toBe(code);
  });

  test("does not open without a certificate", () => {
    expect(startWith({ "server.address": "127.0.0.1:0" })).rejects.toThrow("has no identity");
  });
});
