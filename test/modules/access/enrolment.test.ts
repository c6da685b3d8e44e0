import { describe, expect, test } from "bun:test";
import { databases } from "#test/support/database.ts";
import { isRefusal } from "@/std/errors.ts";
import { accessWorld, DAY_MS, type EnrolChanges, HOUR_MS, operator, refusal } from "./world.ts";

describe("joining with a token", () => {
  test("makes a node whose only name is its own", async () => {
    await using world = await accessWorld();
    const pool = await world.pool();
    const machine = world.machine();

    const reply = await machine.enroll(await world.token(pool));

    const facts = world.certificates.read(reply.certificate);
    expect(reply.nodeId).toBe(machine.id);
    expect(facts.uris).toEqual([`spiffe://${world.authority.installationId}/node/${machine.id}`]);
    expect(facts.publicKey).toEqual(machine.key.publicKey);
    expect(facts.usages).toEqual(["client"]);
    expect(facts.notBeforeMs).toBe(world.clock.now() - 5 * 60_000);
    expect(facts.notAfterMs).toBe(world.clock.now() + DAY_MS);
    expect(reply.poolKey).toEqual(world.authority.poolKey(pool).publicKey);
    expect(reply.slotSeconds).toBe(30);
    expect(Number(reply.poolTimeMs)).toBe(world.clock.now());
    expect(world.registry.getNode(machine.id)).toMatchObject({ pool, name: "kitchen" });
    expect(world.access.callerOfCertificate(reply.certificate).node).toBe(machine.id);
  });

  test("renews between two and three fifths of a day", async () => {
    await using world = await accessWorld();
    const reply = await world.machine().enroll(await world.token(await world.pool()));
    const inMs = Number(reply.renewAtMs) - world.clock.now();
    expect(inMs).toBeGreaterThanOrEqual(0.4 * DAY_MS);
    expect(inMs).toBeLessThanOrEqual(0.6 * DAY_MS);
  });

  test("is written down", async () => {
    await using world = await accessWorld();
    await world.member(await world.pool());
    const actions = ["pool.created", "token.created", "node.joined", "token.used"];
    expect((await world.actions()).toSorted()).toEqual(actions.toSorted());
  });

  test("takes the token's name and specialization, and approves the latter", async () => {
    await using world = await accessWorld();
    const pool = await world.pool();
    const machine = world.machine();
    machine.name = "";
    machine.specialization = "";
    await machine.enroll(await world.token(pool, { nodeName: "attic", specialization: "gpu" }));
    expect(world.registry.getNode(machine.id)).toMatchObject({
      name: "attic",
      specialization: "gpu",
      specializationApproved: true,
    });
  });

  test("leaves a wish of the node's own waiting", async () => {
    await using world = await accessWorld();
    const machine = await world.member(await world.pool());
    expect(world.registry.getNode(machine.id).specializationApproved).toBe(false);
  });

  test("tells anybody the root and the pool's time", async () => {
    await using world = await accessWorld();
    const authority = await world.rpcs.getAuthority?.({} as never, world.call());
    expect(authority).toMatchObject({
      rootCertificate: world.authority.rootDer,
      installationId: world.authority.installationId,
      poolTimeMs: BigInt(world.clock.now()),
    });
  });
});

describe("a proof that does not hold", () => {
  const CASES: Readonly<Record<string, EnrolChanges>> = {
    "an unknown token": { request: { tokenId: "aaaaaaaa" } },
    "a wrong secret": { secret: "a".repeat(26) },
    "another server in between": { call: { serverLeafHash: new Uint8Array(32) } },
    "another name than proven": { request: { nodeName: "attic" } },
    "another specialization than proven": { request: { specialization: "gpu" } },
    "another pool": { request: { poolId: "a".repeat(26) } },
    "another nonce": { request: { nonce: new Uint8Array(16) } },
    "a short nonce": { request: { nonce: new Uint8Array(15) } },
    "a long nonce": { request: { nonce: new Uint8Array(65) } },
    "no proof": { request: { proof: new Uint8Array(0) } },
    "no signing request": { request: { csr: new Uint8Array(0) } },
    "a huge signing request": { request: { csr: new Uint8Array(5_000) } },
    "a huge name": { request: { nodeName: "x".repeat(100_000) } },
  };

  test("is refused alike whatever is wrong with it", async () => {
    await using world = await accessWorld();
    const pool = await world.pool();
    const token = await world.token(pool);
    for (const [what, changes] of Object.entries(CASES)) {
      const call = { address: what, ...changes.call };
      const error = await world
        .machine()
        .enroll(token, { ...changes, call })
        .catch((e) => e);
      const said = isRefusal(error) && [error.kind, error.code, error.message, error.details];
      const sentence = expect.stringContaining("Ask the operator for a new one");
      expect([what, said]).toEqual([what, ["unauthenticated", "enrolment.refused", sentence, {}]]);
    }
    expect(world.registry.countOf(pool)).toBe(0);
  });

  test("is refused for a signing request changed in one byte, though proven", async () => {
    await using world = await accessWorld();
    const token = await world.token(await world.pool());
    const machine = world.machine();
    const csr = await machine.csr();
    for (const at of [0, 10, csr.length - 70, csr.length - 1]) {
      csr[at] = (csr[at] ?? 0) ^ 1;
      expect(await refusal(machine.enroll(token, { call: { address: `${at}` } }))).toBe(
        "enrolment.refused",
      );
      csr[at] = (csr[at] ?? 0) ^ 1;
    }
    expect(await refusal(machine.enroll(token))).toBe("allowed");
  });

  test("says the same for an expired, a used, a revoked and a foreign token", async () => {
    await using world = await accessWorld();
    const pool = await world.pool();
    const messages = new Set<string>();
    const refuse = async (text: string, changes = {}) => {
      const error = await world
        .machine()
        .enroll(text, changes)
        .catch((thrown) => thrown);
      messages.add(isRefusal(error) ? `${error.code} ${error.message}` : String(error));
    };
    const used = await world.token(pool);
    await world.machine().enroll(used);
    await refuse(used);
    const revoked = await world.token(pool);
    await world.access.joinTokens.revoke(operator, revoked.split(".")[3] ?? "");
    await refuse(revoked);
    await refuse(await world.token(pool, { nodeName: "attic" }));
    await refuse(await world.token(pool, { specialization: "gpu" }));
    const expired = await world.token(pool, { ttlSeconds: 60 });
    world.clock.advance(60_000);
    await refuse(expired);
    await refuse(expired, { secret: "b".repeat(26) });
    expect(messages.size).toBe(1);
    expect([...messages][0]).toStartWith("enrolment.refused ");
  });

  test("is refused for a token of another pool, though the secret is known", async () => {
    await using world = await accessWorld();
    const [pool, other] = [await world.pool("a"), await world.pool("b")];
    const token = await world.token(pool);
    const elsewhere = world.machine().enroll(token, { pool: other });
    expect(await refusal(elsewhere)).toBe("enrolment.refused");
    expect(world.registry.countOf(pool) + world.registry.countOf(other)).toBe(0);
  });

  test("tells that the pool is full only to who holds the token", async () => {
    await using world = await accessWorld();
    const pool = await world.pool("small", 1);
    const token = await world.token(pool, { uses: 2 });
    await world.machine().enroll(token);
    const stranger = world.machine().enroll(token, { secret: "c".repeat(26) });
    expect(await refusal(stranger)).toBe("enrolment.refused");
    expect(await refusal(world.machine().enroll(token))).toBe("pool.full");
  });

  test("uses nothing up", async () => {
    await using world = await accessWorld();
    const token = await world.token(await world.pool());
    await refusal(world.machine().enroll(token, { secret: "d".repeat(26) }));
    expect(await refusal(world.machine().enroll(token))).toBe("allowed");
  });
});

describe("too many failed proofs", () => {
  test("block their address for an hour, good tokens too, and nobody else", async () => {
    await using world = await accessWorld();
    const token = await world.token(await world.pool(), { ttlSeconds: 86_400, uses: 3 });
    const guess = () => world.machine().enroll(token, { secret: "e".repeat(26) });
    for (let at = 0; at < 10; at++) expect(await refusal(guess())).toBe("enrolment.refused");

    const blocked = await world
      .machine()
      .enroll(token)
      .catch((error) => error);
    expect(blocked).toMatchObject({
      kind: "exhausted",
      code: "access.blocked",
      details: { retryAfterSeconds: 3_600 },
    });
    const elsewhere = { call: { address: "192.0.2.2" } };
    expect(await refusal(world.machine().enroll(token, elsewhere))).toBe("allowed");
    world.clock.advance(HOUR_MS - 1);
    expect(await refusal(world.machine().enroll(token))).toBe("access.blocked");
    world.clock.advance(1);
    expect(await refusal(world.machine().enroll(token))).toBe("allowed");
  });

  test("are forgotten after an hour without a block", async () => {
    await using world = await accessWorld();
    const token = await world.token(await world.pool());
    const guess = () => refusal(world.machine().enroll(token, { secret: "f".repeat(26) }));
    for (let at = 0; at < 9; at++) await guess();
    world.clock.advance(HOUR_MS);
    expect(await guess()).toBe("enrolment.refused");
    expect(await guess()).toBe("enrolment.refused");
  });
});

describe("a lost reply", () => {
  test("is given again within the hour and uses nothing up", async () => {
    await using world = await accessWorld();
    const token = await world.token(await world.pool());
    const machine = world.machine();
    const first = await machine.enroll(token);
    world.clock.advance(HOUR_MS - 1);

    const again = await machine.enroll(token);

    expect(again.nodeId).toBe(first.nodeId);
    expect(world.access.callerOfCertificate(again.certificate).node).toBe(machine.id);
    expect(await world.access.joinTokens.find(token.split(".")[3] ?? "")).toMatchObject({
      usesLeft: 0,
    });
  });

  test.each([
    ["after an hour", HOUR_MS, {}, "enrolment.refused"],
    ["without the secret", 0, { secret: "a".repeat(26) }, "enrolment.refused"],
  ])("is not given %s", async (_, laterMs, changes, code) => {
    await using world = await accessWorld();
    const token = await world.token(await world.pool());
    const machine = world.machine();
    await machine.enroll(token);
    world.clock.advance(laterMs);
    expect(await refusal(machine.enroll(token, changes))).toBe(code);
  });

  test("is not given to a node that was suspended or removed meanwhile", async () => {
    await using world = await accessWorld();
    const token = await world.token(await world.pool());
    const machine = world.machine();
    await machine.enroll(token);
    await world.registry.suspend(operator, machine.id);
    expect(await refusal(machine.enroll(token))).toBe("node.suspended");
    await world.registry.remove(operator, machine.id);
    expect(await refusal(machine.enroll(token))).toBe("node.removed");
  });

  test("is not given for a token that was revoked meanwhile", async () => {
    await using world = await accessWorld();
    const token = await world.token(await world.pool());
    const machine = world.machine();
    await machine.enroll(token);
    await world.access.joinTokens.revoke(operator, token.split(".")[3] ?? "");
    expect(await refusal(machine.enroll(token))).toBe("enrolment.refused");
  });

  test("of many identical requests at once is one node", async () => {
    await using world = await accessWorld();
    const pool = await world.pool();
    const token = await world.token(pool);
    const machine = world.machine();
    const replies = await Promise.all(Array.from({ length: 5 }, () => machine.enroll(token)));
    expect(new Set(replies.map(({ nodeId }) => nodeId))).toEqual(new Set([machine.id]));
    expect(world.registry.countOf(pool)).toBe(1);
  });
});

describe("a known key", () => {
  test("joins no second time while its node is a member", async () => {
    await using world = await accessWorld();
    const pool = await world.pool();
    const machine = await world.member(pool);
    expect(await refusal(machine.enroll(await world.token(pool)))).toBe("node.exists");
  });

  test("comes back with a new token once it may no longer renew, and is the same node", async () => {
    await using world = await accessWorld();
    const pool = await world.pool();
    const machine = await world.member(pool);
    world.clock.advance(32 * DAY_MS);
    expect(await refusal(machine.enroll(await world.token(pool)))).toBe("node.exists");
    world.clock.advance(1);
    const token = await world.token(pool);
    expect((await machine.enroll(token)).nodeId).toBe(machine.id);
    expect(await refusal(world.machine().enroll(token))).toBe("enrolment.refused");
  });

  test("that was put away opens nothing more", async () => {
    await using world = await accessWorld();
    const pool = await world.pool();
    const machine = await world.member(pool);
    const next = world.machine();
    const csr = await next.csr();
    await machine.renew({ csr, oldKeySignature: machine.key.sign(csr) });
    expect(await refusal(machine.enroll(await world.token(pool)))).toBe("node.key_taken");
  });

  test("of a removed node stays out", async () => {
    await using world = await accessWorld();
    const pool = await world.pool();
    const machine = await world.member(pool);
    await world.registry.remove(operator, machine.id);
    expect(await refusal(machine.enroll(await world.token(pool)))).toBe("node.removed");
  });
});

describe("a pool that does not trust its clock", () => {
  test("issues nothing, and says so", async () => {
    await using world = await accessWorld();
    const pool = await world.pool();
    const machine = await world.member(pool);
    const token = await world.token(pool);
    const time = world.access.time();
    world.access.keepTimeWith(() => ({ ...time, trusted: false }));
    expect(await refusal(world.machine().enroll(token))).toBe("clock.untrusted");
    expect(await refusal(machine.renew())).toBe("clock.untrusted");
    expect(await world.authority.renewOwn(world.clock.now() + 80 * DAY_MS)).toBe(false);
  });
});

describe.each(databases())("on $kind", (kind) => {
  test("a hundred machines with one token for one are one node", async () => {
    await using world = await accessWorld(kind);
    const pool = await world.pool();
    const token = await world.token(pool);
    const machines = Array.from({ length: 100 }, () => world.machine());
    const requests = await Promise.all(machines.map((machine) => machine.request(token)));
    const answers = await Promise.all(
      machines.map((machine, at) => {
        const address = `192.0.2.${at}`;
        const request = requests[at];
        if (!request) throw new Error("each machine has a request");
        return refusal(machine.send(request, { address }));
      }),
    );
    expect(answers.filter((answer) => answer === "allowed")).toHaveLength(1);
    expect(answers.filter((answer) => answer === "enrolment.refused")).toHaveLength(99);
    const nodes = await world.database.sql.selectFrom("node").select("id").execute();
    expect(nodes).toHaveLength(1);
    expect(world.registry.countOf(pool)).toBe(1);
  });

  test("a token for three admits three", async () => {
    await using world = await accessWorld(kind);
    const pool = await world.pool();
    const token = await world.token(pool, { uses: 3 });
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => refusal(world.machine().enroll(token))),
    );
    expect(answers.filter((answer) => answer === "allowed")).toHaveLength(3);
    expect(world.registry.countOf(pool)).toBe(3);
  });

  test("a place that a refused enrolment held is free again", async () => {
    await using world = await accessWorld(kind);
    const pool = await world.pool("small", 2);
    const token = await world.token(pool);
    const [first, second] = [world.machine(), world.machine()];
    const answers = await Promise.all([
      refusal(first.enroll(token)),
      refusal(second.enroll(token)),
    ]);
    expect(answers.toSorted()).toEqual(["allowed", "enrolment.refused"]);
    expect(await refusal(world.machine().enroll(await world.token(pool)))).toBe("allowed");
  });

  test("a token revoked or expired between the look and the commit admits nobody", async () => {
    await using world = await accessWorld(kind);
    const pool = await world.pool();
    const { joinTokens } = world.access;
    const idOf = (text: string) => text.split(".")[3] ?? "";
    const revoked = idOf(await world.token(pool));
    await joinTokens.revoke(operator, revoked);
    expect(await refusal(world.database.commit([joinTokens.use(revoked)]))).toBe(
      "enrolment.refused",
    );
    const live = idOf(await world.token(pool));
    expect(await refusal(world.database.commit([joinTokens.use(live)]))).toBe("allowed");
    const late = idOf(await world.token(pool));
    world.clock.advance(HOUR_MS);
    expect(await refusal(world.database.commit([joinTokens.use(late)]))).toBe("enrolment.refused");
  });
});
