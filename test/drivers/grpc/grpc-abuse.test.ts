import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { create } from "@bufbuild/protobuf";
import { GrpcWorld, serveRegistry } from "#test/support/grpc.ts";
import { callHeaders, frame, PREFACE, RawHttp2 } from "#test/support/http2-frames.ts";
import {
  AuthoritySchema,
  EnrollReplySchema,
  Enrolment,
  RequestTokenReplySchema,
  WorkSchema,
} from "@/proto/enrolment_pb.ts";
import { HeartbeatReplySchema, Registry } from "@/proto/registry_pb.ts";

// Without a budget of frames such a connection lives for 40 s, until its pings are not answered.
setDefaultTimeout(20_000);

const MEGABYTE = 1_048_576;
const RSS_GROWTH_MAX = 32 * MEGABYTE;
const SETTINGS = frame(4, 0, 0);
const HEADERS = callHeaders();

const world = await GrpcWorld.open({
  serve: (grpc) => {
    grpc.serve(Enrolment, "anyone", {
      getAuthority: async () => create(AuthoritySchema),
      enroll: async () => create(EnrollReplySchema),

      getWork: async () => create(WorkSchema),
      requestToken: async () => create(RequestTokenReplySchema),
      renew: async () => create(EnrollReplySchema),
    });
    serveRegistry(grpc, { heartbeatStream: async () => create(HeartbeatReplySchema) });
  },
});
afterAll(() => world[Symbol.asyncDispose]());

/** A node that beats on one stream, each beat once the one before was answered. */
class HonestNode {
  beats = 0;
  end: string | undefined;
  #next = () => {};
  readonly #send: () => void;

  static async join(): Promise<HonestNode> {
    return new HonestNode((await world.connectAs(1)).stream(Registry.method.heartbeatStream));
  }

  private constructor(stream: {
    send(message: object): void;
    onMessage(hear: () => void): void;
    onEnd(hear: (why: { readonly code: string } | undefined) => void): void;
  }) {
    this.#send = () => stream.send({});
    stream.onMessage(() => {
      this.beats++;
      this.#next();
    });
    stream.onEnd((why) => {
      this.end = why?.code ?? "over";
      this.#next();
    });
  }

  async beat(): Promise<void> {
    const answered = new Promise<void>((resolve) => {
      this.#next = resolve;
    });
    this.#send();
    await answered;
  }
}

/** Frames in pieces, so that what is cut off early is not sent to its end. */
function pieces(count: number, one: (at: number) => Uint8Array): Uint8Array[] {
  const all: Uint8Array[] = [];
  for (let at = 0; at < count; at += 500) {
    const ones = Array.from({ length: Math.min(500, count - at) }, (_, more) => one(at + more));
    all.push(Buffer.concat(ones));
  }
  return all;
}

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
const streamAt = (at: number): number => 2 * at + 1;
const headersOf = (at: number, flags = 4): Buffer => frame(1, flags, streamAt(at), HEADERS);

const floods: readonly (readonly [string, () => readonly Uint8Array[]])[] = [
  [
    "20,000 rapid resets",
    () => pieces(20_000, (at) => Buffer.concat([headersOf(at), frame(3, 0, streamAt(at), u32(8))])),
  ],
  ["5,000 open streams", () => pieces(5_000, (at) => headersOf(at))],
  ["20,000 empty SETTINGS", () => pieces(20_000, () => SETTINGS)],
  ["20,000 PING", () => pieces(20_000, () => frame(6, 0, 0, new Uint8Array(8)))],
  [
    "20,000 CONTINUATION of one byte",
    () => [
      frame(1, 0, 1, HEADERS.subarray(0, 10)),
      ...pieces(20_000, () => frame(9, 0, 1, new Uint8Array([0]))),
    ],
  ],
  ["20,000 empty DATA", () => [headersOf(0), ...pieces(20_000, () => frame(0, 0, 1))]],
  ["20,000 PRIORITY", () => pieces(20_000, () => frame(2, 0, 1, new Uint8Array(5)))],
  ["20,000 WINDOW_UPDATE", () => pieces(20_000, () => frame(8, 0, 0, u32(1)))],
];

const wrongs: readonly (readonly [string, Uint8Array])[] = [
  ["noise", new Uint8Array(4_096).map((_, at) => (at * 89 + 7) % 256)],
  ["HTTP/1 as text", Buffer.from("GET / HTTP/1.1\r\nHost: pool\r\n\r\n")],
  [
    "a frame of 16 MB",
    Buffer.concat([PREFACE, SETTINGS, Buffer.from("ffffff0000000000010000", "hex")]),
  ],
  ["HEADERS on stream 0", Buffer.concat([PREFACE, SETTINGS, frame(1, 4, 0, HEADERS)])],
  ["WINDOW_UPDATE of 0", Buffer.concat([PREFACE, SETTINGS, frame(8, 0, 0, u32(0))])],
  ["SETTINGS of a wrong size", Buffer.concat([PREFACE, frame(4, 0, 0, new Uint8Array(5))])],
];

describe("while a node beats", () => {
  test.each(floods)("%s are cut, and it loses no beat", async (_, bytes) => {
    const node = await HonestNode.join();
    await node.beat();
    const before = process.memoryUsage.rss();
    const enemy = await RawHttp2.open(world.port);
    const flood = enemy.send(PREFACE, SETTINGS, ...bytes());
    for (let count = 0; count < 20; count++) await node.beat();
    await flood;
    await enemy.closed;
    await node.beat();
    expect([node.beats, node.end]).toEqual([22, undefined]);
    Bun.gc(true);
    expect(process.memoryUsage.rss() - before).toBeLessThan(RSS_GROWTH_MAX);
    expect(world.faults).toEqual([]);
  });

  test.each(wrongs)("%s ends its connection and nothing else", async (_, bytes) => {
    const node = await HonestNode.join();
    const enemy = await RawHttp2.open(world.port);
    await enemy.send(bytes);
    for (let count = 0; count < 5; count++) await node.beat();
    world.clock.advance(60_000); // A stranger may not stay longer than that, whatever it says.
    await enemy.closed;
    await node.beat();
    expect([node.beats, node.end]).toEqual([6, undefined]);
    expect(world.faults).toEqual([]);
  });

  test("DATA on a stream nobody opened does no harm", async () => {
    const node = await HonestNode.join();
    const enemy = await RawHttp2.open(world.port);
    await enemy.send(PREFACE, SETTINGS, frame(0, 1, 7, new Uint8Array(100)));
    await node.beat();
    world.clock.advance(60_000);
    await enemy.closed;
    await node.beat();
    expect([node.beats, node.end]).toEqual([2, undefined]);
  });
});
