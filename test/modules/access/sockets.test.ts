import { describe, expect, test } from "bun:test";
import pino from "pino";
import { TestClock } from "#test/support/clock.ts";
import { createDialer } from "@/drivers/dialer/module.ts";
import { GrpcServer } from "@/drivers/grpc/server.ts";
import { Enrolment } from "@/proto/enrolment_pb.ts";
import { sameBytes } from "@/std/bytes.ts";
import { accessWorld, operator, refusal } from "./world.ts";

/** A pool that listens, and a way to dial it; TLS compares with the real clock, so the test's begins there. */
async function listening() {
  const world = await accessWorld(undefined, new TestClock(Date.now()));
  const server = new GrpcServer({
    certificates: world.certificates,
    clock: world.clock,
    log: pino({ level: "silent" }),
    address: { host: "127.0.0.1", port: 0 },
    connectionsMax: 100,
    onFatal: (fault) => {
      throw fault;
    },
  });
  const { authority, access } = world;
  server.identifyWith({ leaf: authority.leaf(), rootPem: authority.rootPem });
  server.authenticateWith((certificate) => access.callerOfCertificate(certificate));
  server.serve(Enrolment, "anyone", world.rpcs);
  await server.open();
  const dialer = createDialer(world.certificates);
  const dial = (pair?: { certificatePem: string; privateKeyPem: string }) =>
    dialer.connect(server.address(), {
      rootPem: authority.rootPem,
      ...(pair && { identity: pair }),
    });
  return {
    world,
    dialer,
    dial,
    address: () => server.address(),
    async [Symbol.asyncDispose]() {
      await server.close(0);
      await world[Symbol.asyncDispose]();
    },
  };
}

describe("over real connections", () => {
  test("a machine checks the pin, joins, and renews with what it got", async () => {
    await using pool = await listening();
    const { world, dialer, dial } = pool;
    const token = await world.token(await world.pool());

    const claimed = await dialer.fetchAuthority(pool.address());
    expect(sameBytes(world.certificates.read(claimed.rootDer).spkiHash, world.authority.pin)).toBe(
      true,
    );
    const machine = world.machine();
    const stranger = await dial();
    expect(stranger.leafHash).toEqual(world.authority.leafHash());
    const { $typeName: _, ...request } = await machine.request(token);
    const joined = await stranger.call(Enrolment.method.enroll, request);
    stranger.close();

    const member = await dial({
      certificatePem: world.certificates.toPem(joined.certificate),
      privateKeyPem: world.certificates.privateKeyPem(machine.seed),
    });
    const renewed = await member.call(Enrolment.method.renew, { csr: await machine.csr() });
    member.close();
    expect(renewed.nodeId).toBe(machine.id);
  });

  test("a proof made for another server's certificate is refused", async () => {
    await using pool = await listening();
    const { world, dial } = pool;
    const token = await world.token(await world.pool());
    const machine = world.machine();
    const { $typeName: _, ...request } = await machine.request(token);
    await world.authority.renewOwn(world.clock.now() + 50 * 86_400_000);
    const { $typeName: __, ...relayed } = await machine.request(token);
    const connection = await dial();
    expect(await refusal(connection.call(Enrolment.method.enroll, relayed))).toBe(
      "enrolment.refused",
    );
    expect(await refusal(connection.call(Enrolment.method.enroll, request))).toBe("allowed");
    connection.close();
  });

  test("a suspended node is nobody, whatever certificate it holds", async () => {
    await using pool = await listening();
    const { world, dial } = pool;
    const machine = await world.member(await world.pool());
    const { certificate } = await machine.renew();
    await world.registry.suspend(operator, machine.id);
    const member = await dial({
      certificatePem: world.certificates.toPem(certificate),
      privateKeyPem: world.certificates.privateKeyPem(machine.seed),
    });
    const renewal = member.call(Enrolment.method.renew, {
      csr: await machine.csr(),
      nodeId: machine.id,
    });
    expect(await refusal(renewal)).toBe("node.suspended");
    member.close();
  });
});
