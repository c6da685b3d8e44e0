import { describe, expect, test } from "bun:test";
import { refusalCode } from "#test/support/refusal-code.ts";
import { until } from "#test/support/until.ts";
import { refusal } from "../access/world.ts";
import { AgentWorld, DAY_MS, HOUR_MS, MINUTE_MS, operator, SLOT_MS } from "./world.ts";

describe("a node that runs", () => {
  test("proves its slots until it is told to stop, and goes on after a restart", async () => {
    await using world = await AgentWorld.start();
    const node = await world.member();
    node.run();
    await node.beats();
    await node.beats();
    expect(node.keeping.runState()).toMatchObject({ connected: true, address: world.address });
    expect(await node.stop()).toBe("stopped");
    expect(node.keeping.runState()).toMatchObject({ connected: false });
    node.run();
    await node.beats();
  });

  test("finds a pool again that was away, and stays with the address that answered", async () => {
    await using world = await AgentWorld.start();
    const node = world.machine();
    await node.join(await world.token(), { addresses: ["127.0.0.1:1", world.address] });
    node.run();
    await node.beats();
    await world.close();
    await world.turn("the node to notice", () => node.said("not connected"));
    await world.open();
    await node.beats();
    const failures = node.lines.filter((line) => line.includes("127.0.0.1:1"));
    expect(failures.length).toBeLessThan(4);
  });

  test("says once why it is not connected, however often it tries", async () => {
    await using world = await AgentWorld.start();
    const node = await world.member();
    await world.close();
    node.run();
    const tries = () => node.lines.filter((line) => line.includes("not connected"));
    await world.turn("ten tries", () => tries().length >= 10);
    expect(tries().filter((line) => line.includes('"level":40')).length).toBe(1);
  });

  test("renews its certificate in time, and misses no slot for it", async () => {
    await using world = await AgentWorld.start();
    const node = await world.member();
    node.run();
    await node.beats();
    await world.pass(15 * HOUR_MS);
    await world.turn("the renewal", () => node.said("the certificate was renewed"));
    await node.beats();
    expect(node.keeping.membership().renewAtMs).toBeGreaterThan(world.poolClock.now());
  });

  test.each([
    ["with a good clock", 0],
    ["with a clock that stands in the past", -30 * 365 * DAY_MS],
    ["with a clock that is far ahead", 30 * 365 * DAY_MS],
  ])("comes back after three days without power, %s", async (_, offMs) => {
    await using world = await AgentWorld.start();
    const node = await world.member();
    await world.pass(3 * DAY_MS);
    world.nodeClock.jump(offMs);
    node.run();
    await node.beats();
  });

  test("comes back after weeks in which the pool's certificate was renewed, with a clock that stood", async () => {
    await using world = await AgentWorld.start();
    const node = await world.member();
    await world.close();
    world.poolClock.jump(29 * DAY_MS);
    await world.open();
    const address = world.files.readText("keys/server.pem");
    world.files.remove("keys/server.pem");
    await world.close();
    await world.open();
    expect(world.files.readText("keys/server.pem")).not.toBe(address);
    node.run();
    await node.beats();
  });

  test("goes on in another pool it was moved to, running or not", async () => {
    await using world = await AgentWorld.start();
    const node = await world.member();
    const names = ["second", "third"];
    node.run();
    await node.beats();
    for (const name of names) {
      const { id } = await world.registry.createPool(operator, { name });
      if (name === "third") await node.stop();
      await world.registry.join(operator, node.id, id);
      if (name === "third") node.run();
      await world.turn("the new pool", () => node.keeping.membership().poolId === id);
      await node.beats();
    }
  });

  test("ends when it is removed, and when it leaves", async () => {
    await using world = await AgentWorld.start();
    const [removed, left] = [await world.member(), await world.member()];
    for (const node of [removed, left]) {
      node.run();
      await node.beats();
    }
    await world.registry.remove(operator, removed.id);
    await left.another().leave();
    expect(left.agent.isMoving()).toBe(true);
    const endings: unknown[] = [];
    for (const node of [removed, left]) void node.ended.then((ending) => endings.push(ending));
    await world.turn("both to end", () => endings.length === 2);
    expect(endings.toSorted()).toEqual(["left", "removed"]);
  });

  test("says when it is connected, and connects anew when it is asked to", async () => {
    await using world = await AgentWorld.start();
    const node = await world.member();
    const told: boolean[] = [];
    node.ended = node.agent.run(({ connected }) => told.push(connected));
    await node.beats();
    expect(told).toEqual([true]);
    node.agent.reconnect();
    await world.turn("another connection", () => told.length === 2);
    await node.beats();
    await node.stop();
    expect(told).toEqual([true, true, false]);
  });

  test("stops at once while it connects, and is seen to hang when that takes too long", async () => {
    await using world = await AgentWorld.start();
    const node = await world.member();
    await world.close();
    const { hostname, port } = new URL(`tcp://${world.address}`);
    let asked = false;
    const open = () => {
      asked = true;
    };
    const silent = Bun.listen({ hostname, port: Number(port), socket: { open, data() {} } });
    node.run();
    await until("the node to ask", () => asked);
    expect(node.agent.isMoving()).toBe(true);
    world.nodeClock.advance(180_000);
    expect(node.agent.isMoving()).toBe(false);
    const stoppedMs = performance.now();
    expect(await node.stop()).toBe("stopped");
    expect(performance.now() - stoppedMs).toBeLessThan(1_000);
    silent.stop(true);
  });

  test.each(["node.key", "root.pem", "certificate.pem", "node.json"])(
    "does not begin without %s, and makes no other key",
    async (lost) => {
      await using world = await AgentWorld.start();
      const node = await world.member();
      node.files.remove(lost);
      const kept = node.files.readText("node.key");
      expect(refusalCode(() => void node.agent.run())).toBe("node.not_joined");
      expect(node.files.readText("node.key")).toBe(kept);
    },
  );

  test("waits while it is suspended, and is back when that ends", async () => {
    await using world = await AgentWorld.start();
    const node = await world.member();
    node.run();
    await node.beats();
    await world.registry.suspend(operator, node.id);
    await world.turn("the node to notice", () => node.said("is suspended"));
    await world.registry.resume(operator, node.id);
    await node.beats();
  });

  test("proves its slots while nothing can be kept", async () => {
    await using world = await AgentWorld.start();
    const node = await world.member();
    node.files.write("run.json/taken", "");
    node.files.write("session.bin/taken", "");
    node.run();
    await node.beats();
    expect(node.said("nothing can be kept")).toBe(true);
  });

  test("proves its slots while its renewal is refused", async () => {
    const set = { "access.failures_max": 1, "access.block_seconds": 86_400 };
    await using world = await AgentWorld.start({ set });
    const node = await world.member();
    node.run();
    await node.beats();
    expect(await refusal(world.machine().join(await world.forgedToken()))).toBe(
      "enrolment.refused",
    );
    await world.pass(15 * HOUR_MS);
    await world.turn("the refusal", () => node.said("the certificate was not renewed"));
    await node.beats();
    await node.beats();
    expect(node.lines.filter((line) => line.includes("not renewed")).length).toBe(1);
  });
});

describe("a node that was off for days", () => {
  test("may look at its standing and leave, and comes back as the same node", async () => {
    await using world = await AgentWorld.start();
    const node = await world.member();
    const { id } = node;
    await world.pass(2 * DAY_MS);
    expect((await node.agent.standing()).nodeId).toBe(id);
    await world.pass(2 * DAY_MS);
    await node.agent.leave();
    expect(node.files.list(".")).toEqual(["machine.json", "node.key"]);
    await node.join(await world.token());
    expect([node.id, world.registry.getNode(id).status]).toEqual([id, "member"]);
    await world.pass(SLOT_MS + MINUTE_MS);
    node.run();
    await node.beats();
  });
});
