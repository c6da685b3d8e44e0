import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { HeldLine } from "#test/support/held-line.ts";
import { createCertificates } from "@/drivers/certificates.ts";
import { learnRoot, pinnedRoot } from "@/modules/agent/trust.ts";
import { signingKey } from "@/std/crypto.ts";
import { AgentWorld, DAY_MS, MINUTE_MS, operator, SLOT_MS } from "./world.ts";

setDefaultTimeout(60_000);

const certificates = createCertificates();
const rootsOf = (pem: string) => pem.match(/BEGIN CERTIFICATE/g)?.length ?? 0;
const keepsNewRoot = (world: AgentWorld, pem: string) =>
  pem.startsWith(world.authority.rootPem.trim());

describe("a node that runs", () => {
  test("fetches a new root with its next heartbeat, renews, and misses no slot", async () => {
    await using world = await AgentWorld.start();
    const node = await world.member();
    node.run();
    await node.beats();
    const before = world.authority.rootPem;
    await world.access.rotation.rotate(operator);
    await world.turn("the node to follow", () => world.access.rotation.dependents().length === 0);
    await node.beats();

    const { keeping } = node;
    expect(keepsNewRoot(world, keeping.rootPem())).toBe(true);
    expect(rootsOf(keeping.rootPem())).toBe(2);
    const own = certificates.toDer(keeping.certificatePem());
    expect(certificates.isSignedBy(own, world.authority.rootPem)).toBe(true);
    expect(certificates.isSignedBy(own, before)).toBe(false);
    expect(node.said("not connected to the pool")).toBe(false);
    expect(world.registry.getNode(node.id).state).toBe("alive");
  });

  test("drops the root before once the pool has, at its next connection", async () => {
    await using world = await AgentWorld.start();
    const node = await world.member();
    node.run();
    await node.beats();
    await world.access.rotation.rotate(operator);
    await world.turn("the node to follow", () => world.access.rotation.dependents().length === 0);
    await world.access.rotation.finish(operator, false);
    await node.beats();
    node.agent.reconnect();
    await node.beats();
    expect(rootsOf(node.keeping.rootPem())).toBe(1);
    expect(keepsNewRoot(world, node.keeping.rootPem())).toBe(true);
  });

  test("follows rotation after rotation", async () => {
    await using world = await AgentWorld.start();
    const node = await world.member();
    node.run();
    await node.beats();
    for (let turn = 0; turn < 2; turn++) {
      await world.access.rotation.rotate(operator);
      await world.turn("the node to follow", () => world.access.rotation.dependents().length === 0);
      await world.access.rotation.finish(operator, false);
    }
    await node.beats();
    expect(rootsOf(node.keeping.rootPem())).toBeLessThanOrEqual(2);
    expect(keepsNewRoot(world, node.keeping.rootPem())).toBe(true);
  });
});

describe("a node that wants another connection", () => {
  const portOf = (world: AgentWorld) => Number(world.address.split(":")[1]);

  test("goes on with its heartbeats while that one hangs, for a new root", async () => {
    await using world = await AgentWorld.start();
    using line = await HeldLine.open(portOf(world));
    const node = world.machine();
    await node.join(await world.token(), { addresses: [line.address] });
    node.run();
    await node.beats();
    line.hold();
    await world.access.rotation.rotate(operator);
    await world.turn("a connection that hangs", () => line.held > 0);
    for (let slot = 0; slot < 3; slot++) await node.beats();
    expect(world.access.rotation.dependents()).toHaveLength(1);
    line.release();
    await world.turn("the node to follow", () => world.access.rotation.dependents().length === 0);
    await node.beats();
    expect(node.said("not connected to the pool")).toBe(false);
  });

  test("goes on with its heartbeats while that one hangs, for a new certificate", async () => {
    await using world = await AgentWorld.start();
    using line = await HeldLine.open(portOf(world));
    const node = world.machine();
    await node.join(await world.token(), { addresses: [line.address] });
    node.run();
    await node.beats();
    line.hold();
    const { keeping } = node;
    keeping.saveMembership({ ...keeping.membership(), renewAtMs: world.poolClock.now() });
    await world.turn("a connection that hangs", () => line.held > 0);
    for (let slot = 0; slot < 3; slot++) await node.beats();
    line.release();
    await node.beats();
    expect(node.said("not connected to the pool")).toBe(false);
  });

  test("follows a second rotation at once, and keeps its place in the slot", async () => {
    await using world = await AgentWorld.start();
    const node = await world.member();
    node.run();
    for (let slot = 0; slot < 2; slot++) await node.beats();
    const { rotation } = world.access;
    for (let turn = 0; turn < 2; turn++) {
      await rotation.rotate(operator);
      for (let slot = 0; slot < 2; slot++) await node.beats();
      expect(rotation.dependents()).toEqual([]);
      await rotation.finish(operator, false);
      const { lastSeenMs } = world.registry.getNode(node.id);
      expect(lastSeenMs % SLOT_MS).toBeGreaterThan(2_000);
    }
  });
});

describe("a node that was off", () => {
  test("while the root was replaced follows when it comes back within the overlap", async () => {
    await using world = await AgentWorld.start();
    const node = await world.member();
    await world.access.rotation.rotate(operator);
    await world.close();
    for (const clock of [world.poolClock, world.nodeClock]) clock.advance(20 * DAY_MS);
    await world.open();
    node.run();
    await node.beats();
    expect(keepsNewRoot(world, node.keeping.rootPem())).toBe(true);
    expect(world.access.rotation.dependents()).toEqual([]);
  });

  test("and whose pool was killed right after the rotation follows as well", async () => {
    await using world = await AgentWorld.start();
    const node = await world.member();
    await world.access.rotation.rotate(operator);
    await world.close();
    await world.open();
    node.run();
    await node.beats();
    expect(keepsNewRoot(world, node.keeping.rootPem())).toBe(true);
  });

  test("for the whole overlap says what to do, and is the same node after joining again", async () => {
    await using world = await AgentWorld.start();
    const node = await world.member();
    const { id } = node;
    const old = node.keeping.rootPem();
    await world.access.rotation.rotate(operator);
    await world.access.rotation.finish(operator, true);
    node.run();
    await world.turn("a refusal", () => node.said("join again with a new token"));
    expect(node.said("is shown")).toBe(true);
    expect(node.keeping.rootPem()).toBe(old);
    await node.stop();

    await node.join(await world.token());
    node.run();
    await node.beats();
    expect(node.id).toBe(id);
  });
});

describe("joining during the overlap", () => {
  test("works with a token made before the rotation, and ends with the new root", async () => {
    await using world = await AgentWorld.start();
    const token = await world.token();
    await world.access.rotation.rotate(operator);
    const node = world.machine();
    await node.join(token);
    expect(keepsNewRoot(world, node.keeping.rootPem())).toBe(true);
    expect(world.access.rotation.dependents()).toEqual([]);
  });

  test("is refused with such a token afterwards, both pins said", async () => {
    await using world = await AgentWorld.start();
    const token = await world.token();
    await world.access.rotation.rotate(operator);
    await world.access.rotation.finish(operator, true);
    const refused = await world
      .machine()
      .join(token)
      .catch((error) => error);
    expect(refused.code).toBe("pin.differs");
    expect(refused.message).toContain(token.split(".")[2]);
  });
});

describe("a root is not taken over", () => {
  /** What somebody claims, with a root of his own. */
  async function claims(world: AgentWorld) {
    const nowMs = world.poolClock.now();
    const terms = [nowMs - DAY_MS, nowMs + 99 * DAY_MS] as const;
    const own = await certificates.createRoot("galaxy-pool x", ...terms);
    const previousDer = world.authority.rootDer;
    return { own, rootDer: certificates.toDer(own.certificatePem), previousDer, nowMs };
  }

  test.each([
    ["nobody vouches for it", async () => undefined],
    ["it vouches for itself", async ({ rootDer }) => rootDer],
    [
      "another root vouches for it",
      async ({ own, nowMs }) => {
        const root = await certificates.createRoot("galaxy-pool x", nowMs, nowMs + DAY_MS);
        return certificates.vouch(root, own, nowMs + DAY_MS);
      },
    ],
    [
      "what the pool issued to a member stands in for a vouch",
      async (_, world: AgentWorld) => {
        const node = await world.member();
        return certificates.toDer(node.keeping.certificatePem());
      },
    ],
    [
      "the vouch of a real rotation is for another key",
      async (_, world: AgentWorld) => {
        await world.authority.prepareRoot(world.poolClock.now());
        await world.authority.takeRoot(world.poolClock.now());
        return world.authority.previousRoot?.vouchedDer;
      },
    ],
    ["it is nothing at all", async () => new Uint8Array([1, 2, 3])],
  ] as readonly (readonly [
    string,
    (
      claim: Awaited<ReturnType<typeof claims>>,
      world: AgentWorld,
    ) => Promise<Uint8Array | undefined>,
  ])[])("when %s", async (_, vouchedBy) => {
    await using world = await AgentWorld.start();
    const node = await world.member();
    const { keeping } = node;
    const before = keeping.rootPem();
    const claim = await claims(world);
    const { pin } = world.authority;
    const vouchedDer = await vouchedBy(claim, world);
    const claimed = { ...claim, vouchedDer };
    expect(learnRoot({ keeping, certificates }, claimed)).toBe(false);
    expect(keeping.rootPem()).toBe(before);
    expect(pinnedRoot(certificates, pin, claimed)).toBeUndefined();
  });

  test("when a member made it with the key of its own certificate", async () => {
    await using world = await AgentWorld.start();
    const node = await world.member();
    const { keeping } = node;
    const rootDer = certificates.toDer(keeping.certificatePem());
    expect(signingKey(keeping.seed(() => rootDer)).publicKey).toEqual(
      node.agent ? keeping.key().publicKey : rootDer,
    );
    const claimed = { rootDer, vouchedDer: rootDer, previousDer: world.authority.rootDer };
    expect(learnRoot({ keeping, certificates }, claimed)).toBe(false);
  });
});

test("a node with the new root and a certificate of the one before renews on its way in", async () => {
  await using world = await AgentWorld.start();
  const node = await world.member();
  const old = node.keeping.certificatePem();
  node.run();
  await node.beats();
  await world.access.rotation.rotate(operator);
  await world.turn("the node to follow", () => world.access.rotation.dependents().length === 0);
  await node.stop();
  await world.access.rotation.finish(operator, false);
  node.keeping.saveCertificates(node.keeping.rootPem(), old);
  await world.pass(MINUTE_MS + SLOT_MS);
  node.run();
  await node.beats();
  expect(node.keeping.certificatePem()).not.toBe(old);
});
