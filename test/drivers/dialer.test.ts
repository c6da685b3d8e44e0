import { describe, expect, test } from "bun:test";
import { create } from "@bufbuild/protobuf";
import {
  certificates,
  dialer,
  GrpcWorld,
  serveRegistry,
  TestAuthority,
} from "#test/support/grpc.ts";
import { targetOf } from "@/drivers/dialer/address.ts";
import type { Grpc } from "@/ports/grpc.ts";
import {
  AuthoritySchema,
  EnrollReplySchema,
  Enrolment,
  RequestTokenReplySchema,
  WorkSchema,
} from "@/proto/enrolment_pb.ts";
import { isRefusal } from "@/std/errors.ts";

const DAY_MS = 86_400_000;

function serve(grpc: Grpc): void {
  grpc.serve(Enrolment, "anyone", {
    getAuthority: async () =>
      create(AuthoritySchema, { installationId: "it", poolTimeMs: 7n, rootCertificate: ROOT }),
    enroll: async () => create(EnrollReplySchema),

    getWork: async () => create(WorkSchema),
    requestToken: async () => create(RequestTokenReplySchema),
    renew: async () => create(EnrollReplySchema),
  });
  serveRegistry(grpc, {});
}

const ROOT = Uint8Array.of(1, 2, 3);

async function codeOf(act: () => Promise<unknown>): Promise<string> {
  try {
    await act();
  } catch (thrown) {
    if (isRefusal(thrown)) return thrown.code;
    throw thrown;
  }
  return "connected";
}

describe("fetching the authority", () => {
  test("believes nobody and needs nobody's belief", async () => {
    await using world = await GrpcWorld.open({ serve });
    for (const host of ["127.0.0.1", "[::1]", "localhost"]) {
      const authority = await dialer.fetchAuthority(`${host}:${world.port}`);
      const none = { previousDer: undefined, vouchedDer: undefined };
      expect(authority).toEqual({ rootDer: ROOT, poolTimeMs: 7, installationId: "it", ...none });
    }
  });

  test("says when there is no pool", async () => {
    const world = await GrpcWorld.open({ serve });
    const address = `127.0.0.1:${world.port}`;
    await world.server.close(0);
    expect(await codeOf(() => dialer.fetchAuthority(address))).toBe("pool.unreachable");
    const options = { rootPem: world.authority.root.certificatePem };
    expect(await codeOf(() => dialer.connect(address, options))).toBe("pool.unreachable");
  });
});

describe("the server a node reaches", () => {
  const servers: readonly (readonly [string, string, (world: GrpcWorld) => Promise<void>])[] = [
    ["shows its certificate", "connected", async () => {}],
    [
      "shows one of another root",
      "pool.untrusted",
      async ({ server, clock }) => {
        const other = await TestAuthority.create(clock.now());
        server.identifyWith({ leaf: await other.server(), rootPem: other.root.certificatePem });
      },
    ],
    [
      "shows one for another name",
      "pool.untrusted",
      async (world) => shows(world, { dnsNames: ["localhost"], ipAddresses: ["127.0.0.1"] }),
    ],
    ["shows a node's", "pool.untrusted", async (world) => shows(world, { usage: "client" })],
    [
      "shows an expired one",
      "pool.untrusted",
      async (world) => shows(world, { notAfterMs: world.clock.now() - 1 }),
    ],
    [
      "shows one that is not valid yet",
      "pool.untrusted",
      async (world) => shows(world, { notBeforeMs: world.clock.now() + 1_000 }),
    ],
  ];

  async function shows(
    { server, authority }: GrpcWorld,
    terms: Parameters<TestAuthority["server"]>[0],
  ): Promise<void> {
    const leaf = await authority.server(terms);
    server.identifyWith({ leaf, rootPem: authority.root.certificatePem });
  }

  test.each(servers)("%s", async (_, code, prepare) => {
    await using world = await GrpcWorld.open({ serve });
    await prepare(world);
    expect(await codeOf(() => world.connect())).toBe(code);
  });

  test("is dated by the time the node was given, whatever the host's clock says", async () => {
    await using world = await GrpcWorld.open({ serve });
    const address = `127.0.0.1:${world.port}`;
    const rootPem = world.authority.root.certificatePem;
    const at = (days: number) =>
      codeOf(async () => {
        const nowMs = world.clock.now() + days * DAY_MS;
        (await dialer.connect(address, { rootPem, nowMs })).close();
      });
    expect([await at(-2), await at(0), await at(89), await at(91)]).toEqual([
      "pool.untrusted",
      "connected",
      "connected",
      "pool.untrusted",
    ]);
  });

  test("may be signed by either root while one replaces the other", async () => {
    await using world = await GrpcWorld.open({ serve });
    const next = await TestAuthority.create(world.clock.now());
    const rootPem = `${next.root.certificatePem}\n${world.authority.root.certificatePem}\n`;
    const address = `127.0.0.1:${world.port}`;
    const connection = await dialer.connect(address, { rootPem, nowMs: world.clock.now() });
    expect(connection.leafHash).toEqual(certificates.read(world.leaf.certificatePem).hash);
    connection.close();
  });
});

describe("an address of a pool", () => {
  test.each([
    ["pool.local", "dns:pool.local:50051"],
    ["pool.local:1", "dns:pool.local:1"],
    ["10.0.0.7", "ipv4:10.0.0.7:50051"],
    ["10.0.0.7:65535", "ipv4:10.0.0.7:65535"],
    ["::1", "ipv6:[::1]:50051"],
    ["[fe80::1]:99", "ipv6:[fe80::1]:99"],
  ])("%s is %s", (address, target) => {
    expect(targetOf(address)).toBe(target);
  });

  test.each([[""], ["http://pool"], ["pool:0"], ["pool:65536"], ["[pool]:1"], ["a b"], ["::1:x"]])(
    "%p is none",
    (address) => {
      expect(() => targetOf(address)).toThrow("is no address of a pool");
    },
  );
});
