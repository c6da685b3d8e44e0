import { describe, expect, test } from "bun:test";
import { refusal } from "../access/world.ts";
import { AgentWorld, HOUR_MS } from "./world.ts";

describe("a machine that joins", () => {
  test("is a node with the name of its host, and keeps all it needs", async () => {
    await using world = await AgentWorld.start();
    const machine = world.machine();
    const joined = await machine.join(await world.token(), { metadata: { rack: "7" } });
    expect(joined).toMatchObject({ nodeId: machine.id, poolId: world.home, name: "kitchen" });
    expect(world.registry.getNode(machine.id)).toMatchObject({
      name: "kitchen",
      specialization: "general",
      metadata: { rack: "7" },
    });
    expect(machine.keeping.membership()).toEqual(joined);
  });

  test("sends nothing and keeps no key where the pin differs", async () => {
    await using world = await AgentWorld.start();
    await using other = await AgentWorld.start();
    const machine = world.machine();
    expect(await refusal(machine.join(await other.token()))).toBe("pin.differs");
    expect(machine.files.list(".")).toEqual([]);
  });

  test("tries one address after the other", async () => {
    await using world = await AgentWorld.start();
    const machine = world.machine();
    await machine.join(await world.token(), { addresses: ["127.0.0.1:1", world.address] });
    expect(machine.keeping.membership().addresses).toEqual(["127.0.0.1:1", world.address]);
  });

  test("joins although its clock is years off", async () => {
    await using world = await AgentWorld.start();
    for (const ms of [-20, 40].map((years) => years * 365 * 24 * HOUR_MS)) {
      world.nodeClock.jump(ms);
      const machine = await world.member();
      expect(world.registry.getNode(machine.id).state).toBe("new");
      world.nodeClock.jump(-ms);
    }
  });

  test("is the same node with another token, also after it has lost all but its key", async () => {
    await using world = await AgentWorld.start();
    const machine = await world.member();
    await machine.join(await world.token(), { name: "cellar" });
    machine.keeping.forgetPool();
    await machine.join(await world.token());
    expect([...world.registry.nodesOf(world.home)].map(({ id, name }) => [id, name])).toEqual([
      [machine.id, "cellar"],
    ]);
  });

  test("is refused with the token of another pool while it is a member of one", async () => {
    await using world = await AgentWorld.start();
    const machine = await world.member();
    const { id: pool } = await world.registry.createPool(
      { type: "system", id: "system:test", roles: [] },
      { name: "other" },
    );
    expect(await refusal(machine.join(await world.token({ pool })))).toBe("node.already_joined");
    machine.keeping.forgetPool();
    expect(await refusal(machine.join(await world.token({ pool })))).toBe("node.exists");
  });

  test("comes in where only its organization is admitted", async () => {
    await using world = await AgentWorld.start({ set: { "registry.allowed_orgs": ["acme"] } });
    expect(await refusal(world.machine().join(await world.token()))).toBe("pool.private");
    const machine = world.machine();
    await machine.join(await world.token(), { org: "acme" });
    expect(world.registry.getNode(machine.id).org).toBe("acme");
  });
});
