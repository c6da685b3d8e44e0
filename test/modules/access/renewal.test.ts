import { describe, expect, test } from "bun:test";
import { refusalCode } from "#test/support/refusal-code.ts";
import { accessWorld, DAY_MS, operator, refusal } from "./world.ts";

const EXPIRED_MS = DAY_MS;
const LAST_MS = DAY_MS + 31 * DAY_MS;

describe("a certificate", () => {
  test.each([
    ["halfway", DAY_MS / 2, "allowed"],
    ["at its end", EXPIRED_MS, "allowed"],
    ["31 days after its end", LAST_MS, "allowed"],
    ["a moment later", LAST_MS + 1, "renewal.too_late"],
  ])("is renewed without a connection of its own %s: %s ms, %s", async (_, laterMs, answer) => {
    await using world = await accessWorld();
    const machine = await world.member(await world.pool());
    world.clock.advance(laterMs);
    expect(await refusal(machine.renew())).toBe(answer);
  });

  test("is renewed over mTLS without naming the node", async () => {
    await using world = await accessWorld();
    const machine = await world.member(await world.pool());
    const { certificate } = await machine.renew();
    const caller = world.access.callerOfCertificate(certificate);
    const next = await machine.renew({ nodeId: "" }, { caller });
    expect(next.nodeId).toBe(machine.id);
    expect(world.certificates.read(next.certificate).publicKey).toEqual(machine.key.publicKey);
  });

  test("is renewed for who calls, and for no other node the request may name", async () => {
    await using world = await accessWorld();
    const pool = await world.pool();
    const [machine, other] = [await world.member(pool), await world.member(pool)];
    const { certificate } = await machine.renew();
    const caller = world.access.callerOfCertificate(certificate);
    const asOther = machine.renew({ nodeId: other.id }, { caller });
    expect(await refusal(asOther)).toBe("access.denied");
  });

  test("counts its days from the newest one", async () => {
    await using world = await accessWorld();
    const machine = await world.member(await world.pool());
    world.clock.advance(LAST_MS);
    await machine.renew();
    world.clock.advance(LAST_MS);
    expect(await refusal(machine.renew())).toBe("allowed");
  });

  test("is not renewed for a stranger's key, an unknown node or a broken request", async () => {
    await using world = await accessWorld();
    const machine = await world.member(await world.pool());
    const stranger = world.machine();
    const csr = await stranger.csr();
    const signed = stranger.key.sign(csr);
    expect(await refusal(machine.renew({ csr }))).toBe("renewal.refused");
    expect(await refusal(machine.renew({ csr, oldKeySignature: signed }))).toBe("renewal.refused");
    expect(await refusal(stranger.renew())).toBe("renewal.refused");
    expect(await refusal(machine.renew({ nodeId: "../../x" }))).toBe("renewal.refused");
    expect(await refusal(machine.renew({ csr: new Uint8Array(9) }))).toBe("renewal.refused");
  });

  test("of a suspended or removed node is not renewed, and a stranger does not learn it", async () => {
    await using world = await accessWorld();
    const machine = await world.member(await world.pool());
    const csr = await world.machine().csr();
    await world.registry.suspend(operator, machine.id);
    expect(await refusal(machine.renew())).toBe("node.suspended");
    expect(await refusal(machine.renew({ csr }))).toBe("renewal.refused");
    await world.registry.remove(operator, machine.id);
    expect(await refusal(machine.renew())).toBe("node.removed");
    expect(await refusal(machine.renew({ csr }))).toBe("renewal.refused");
  });

  test("renewals that prove nothing block their address as well", async () => {
    await using world = await accessWorld();
    const machine = await world.member(await world.pool());
    const csr = await world.machine().csr();
    for (let at = 0; at < 10; at++) await refusal(machine.renew({ csr }));
    expect(await refusal(machine.renew())).toBe("access.blocked");
  });
});

describe("a new key", () => {
  test("signed for with the old one keeps the node and ends the old key", async () => {
    await using world = await accessWorld();
    const machine = await world.member(await world.pool());
    const before = await machine.renew();
    const session = await machine.login();
    const next = world.machine();
    const csr = await next.csr();

    const reply = await machine.renew({ csr, oldKeySignature: machine.key.sign(csr) });

    const { node } = world.access.callerOfCertificate(reply.certificate);
    expect([reply.nodeId, node]).toEqual([machine.id, machine.id]);
    expect(world.registry.getNode(machine.id).publicKey).toEqual(next.key.publicKey);
    expect(refusalCode(() => world.access.callerOfCertificate(before.certificate))).toBe(
      "certificate.refused",
    );
    expect(await refusal(machine.renew())).toBe("renewal.refused");
    const probe = await world.ask("GET", "/api/v1/tokens", { as: session.access_token });
    expect(probe.status).toBe(401);
    const json = { refresh_token: session.refresh_token };
    expect((await world.ask("POST", "/api/v1/auth/refresh", { json })).status).toBe(401);
    expect(await world.access.rotatedAtMs(machine.id)).toBe(world.clock.now());
    expect(await world.actions()).toContain("node.rekeyed");
  });

  test("may be replaced again, and no key comes back", async () => {
    await using world = await accessWorld();
    const machine = await world.member(await world.pool());
    const [second, third] = [world.machine(), world.machine()];
    const csr2 = await second.csr();
    await machine.renew({ csr: csr2, oldKeySignature: machine.key.sign(csr2) });
    const csr3 = await third.csr();
    const rotation = { csr: csr3, oldKeySignature: second.key.sign(csr3), nodeId: machine.id };
    await machine.renew(rotation);
    const back = { csr: csr2, oldKeySignature: third.key.sign(csr2), nodeId: machine.id };
    expect(await refusal(machine.renew(back))).toBe("node.key_taken");
  });

  test("must not be another node's", async () => {
    await using world = await accessWorld();
    const pool = await world.pool();
    const [machine, other] = [await world.member(pool), await world.member(pool)];
    const csr = await other.csr();
    const oldKeySignature = machine.key.sign(csr);
    expect(await refusal(machine.renew({ csr, oldKeySignature }))).toBe("node.exists");
  });

  test("still needs the old one's signature over mTLS", async () => {
    await using world = await accessWorld();
    const machine = await world.member(await world.pool());
    const { certificate } = await machine.renew();
    const caller = world.access.callerOfCertificate(certificate);
    const csr = await world.machine().csr();
    expect(await refusal(machine.renew({ csr }, { caller }))).toBe("renewal.refused");
  });
});

describe("a client certificate", () => {
  test("stands for its node until its last moment", async () => {
    await using world = await accessWorld();
    const machine = await world.member(await world.pool());
    const { certificate } = await machine.renew();
    world.clock.advance(DAY_MS - 1);
    expect(world.access.callerOfCertificate(certificate)).toMatchObject({
      type: "node",
      id: machine.id,
      roles: ["node"],
    });
    world.clock.advance(1);
    expect(refusalCode(() => world.access.callerOfCertificate(certificate))).toBe(
      "certificate.refused",
    );
  });

  test("of a suspended or removed node is refused at once", async () => {
    await using world = await accessWorld();
    const machine = await world.member(await world.pool());
    const { certificate } = await machine.renew();
    world.access.callerOfCertificate(certificate);
    await world.registry.suspend(operator, machine.id);
    expect(refusalCode(() => world.access.callerOfCertificate(certificate))).toBe("node.suspended");
    await world.registry.remove(operator, machine.id);
    expect(refusalCode(() => world.access.callerOfCertificate(certificate))).toBe("node.removed");
  });

  test("of another installation stands for nobody, even for the same node", async () => {
    await using world = await accessWorld();
    await using other = await accessWorld();
    const machine = await world.member(await world.pool());
    const foreign = await other.authority.issueNode(
      machine.id,
      machine.key.publicKey,
      other.clock.now(),
    );
    const act = () => world.access.callerOfCertificate(foreign.certificate);
    expect(refusalCode(act)).toBe("certificate.refused");
  });

  test("that cannot be read stands for nobody", async () => {
    await using world = await accessWorld();
    for (const bytes of [new Uint8Array(0), new Uint8Array(300), world.authority.rootDer]) {
      expect(refusalCode(() => world.access.callerOfCertificate(bytes))).toBe(
        "certificate.refused",
      );
    }
  });
});
