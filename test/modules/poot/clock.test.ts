import { describe, expect, test } from "bun:test";
import { PootWorld, SLOT_MS, SLOTS } from "#test/support/poot.ts";
import { codeOf, SYSTEM } from "#test/support/registry.ts";

const DAY_MS = 86_400_000;

const statesOf = (world: PootWorld) =>
  new Set(world.nodes.map(({ id }) => world.registry.getNode(id).state));

describe("the pool's clock", () => {
  test("set back: nothing is accepted or credited until it is right again", async () => {
    await using world = await PootWorld.start();
    await world.join(await world.pool(), 3);
    await world.slots(15);
    world.clock.jump(-20 * SLOT_MS);
    await world.slots(3);
    expect(world.poot.poolTime()).toMatchObject({ trusted: false });
    expect(world.poot.poolTime().waitReason).toContain("clock rewind");
    expect(world.node.beat(world.poot)).toBe("wait");
    world.clock.jump(20 * SLOT_MS);
    world.beatAll();
    await world.finish();
    expect(world.poot.poolTime().trusted).toBe(true);
    const today = world.poot.today(world.node.id);
    expect(await world.creditedTicks(world.node)).toBe(world.node.acceptedIn.size);
    expect([today.up, today.down]).toEqual([world.node.acceptedIn.size, 0]);
  });

  test.each([
    ["an hour", 3_600_000, true],
    ["a day", DAY_MS - SLOT_MS, true],
    ["more than a day", DAY_MS + 2 * SLOT_MS, false],
    ["forty years", 40 * 365 * DAY_MS, false],
  ])("jumps forward by %s", async (_, jumpMs, isTrusted) => {
    await using world = await PootWorld.start();
    await world.join(await world.pool(), 1);
    await world.slots(SLOTS);
    world.clock.jump(jumpMs);
    await world.slots(2);
    expect(world.poot.poolTime().trusted).toBe(isTrusted);
    if (isTrusted) return;
    expect(world.node.beat(world.poot)).toBe("wait");
    await world.poot.acceptClock(SYSTEM);
    await world.slots(5);
    await world.close();
    expect(await world.creditedTicks(world.node)).toBe(world.node.acceptedIn.size);
    expect(world.node.acceptedIn.size).toBeGreaterThanOrEqual(SLOTS + 5);
  });

  test("of a board without a battery: an old time after a start is not believed", async () => {
    await using world = await PootWorld.start();
    await world.join(await world.pool(), 1);
    await world.slots(15);
    world.kill();
    world.clock.jump(-3 * 365 * DAY_MS);
    await world.restart();
    await world.slots(3);
    expect(world.poot.poolTime().trusted).toBe(false);
    world.clock.jump(3 * 365 * DAY_MS);
    await world.slots(4);
    await world.close();
    expect(world.poot.poolTime().trusted).toBe(true);
    expect(await world.creditedTicks(world.node)).toBe(world.node.acceptedIn.size);
  });

  test("a month off is believed at a start, two are not", async () => {
    await using world = await PootWorld.start();
    await world.join(await world.pool(), 1);
    await world.slots(15);
    world.kill();
    world.clock.jump(29 * DAY_MS);
    await world.restart();
    expect(world.poot.poolTime().trusted).toBe(true);
    await world.slots(15);
    world.kill();
    world.clock.jump(60 * DAY_MS);
    await world.restart();
    expect(world.poot.poolTime().trusted).toBe(false);
    expect(world.poot.poolTime().waitReason).toContain("clock accept");
  });

  test("rewound: a new epoch begins, and nothing of the old one is paid again", async () => {
    await using world = await PootWorld.start();
    await world.join(await world.pool(), 2);
    await world.slots(SLOTS);
    world.clock.jump(12 * 3_600_000);
    await world.slots(15);
    await world.close();
    const before = await world.creditedTicks(world.node);
    world.clock.jump(-12 * 3_600_000);
    await world.slots(1);
    expect(world.poot.poolTime().trusted).toBe(false);
    await world.poot.rewindClock(SYSTEM);
    expect(world.poot.poolTime()).toMatchObject({ trusted: true, epoch: 1 });
    world.node.acceptedIn.clear();
    await world.slots(15);
    world.kill();
    await world.restart();
    await world.slots(15);
    await world.close();
    expect(world.poot.poolTime().epoch).toBe(1);
    expect((await world.creditedTicks(world.node)) - before).toBe(world.node.acceptedIn.size);
    expect(world.node.acceptedIn.size).toBe(30);
    const acts = await world.database.sql.selectFrom("audit").select("action").execute();
    expect(acts.map(({ action }) => action)).toContain("clock.rewound");
  });

  test("rewound: what was accepted before and not closed yet is paid first", async () => {
    await using world = await PootWorld.start();
    await world.join(await world.pool(), 2);
    await world.slots(SLOTS + 4);
    world.clock.jump(-12 * 3_600_000);
    await world.slots(1);
    await world.poot.rewindClock(SYSTEM);
    await world.slots(SLOTS);
    await world.close();
    expect(await world.creditedTicks(world.node)).toBe(2 * SLOTS + 4);
    expect(world.node.acceptedIn.size).toBe(2 * SLOTS + 4);
  });

  test("is not rewound while it is right, nor accepted while it is behind", async () => {
    await using world = await PootWorld.start();
    await world.join(await world.pool(), 1);
    await world.slots(3);
    expect(await codeOf(world.poot.rewindClock(SYSTEM))).toBe("clock.right");
    world.clock.jump(-5 * SLOT_MS);
    expect(await codeOf(world.poot.acceptClock(SYSTEM))).toBe("clock.behind");
  });
});

describe("a pool that stands still for two minutes", () => {
  test("gives up none of its 100 nodes, and none is down for it", async () => {
    await using world = await PootWorld.start();
    const home = await world.pool();
    await world.join(home, 100);
    await world.slots(13);
    world.clock.stall(120_000);
    expect(statesOf(world)).toEqual(new Set(["alive"]));
    world.beatAll();
    await world.slots(12);
    await world.finish();
    expect(statesOf(world)).toEqual(new Set(["alive"]));
    const { down, unobserved } = world.poot.dayOfPool(home.id);
    expect(down).toBe(0);
    expect(unobserved).toBeGreaterThanOrEqual(3 * 100);
    for (const node of world.nodes.slice(0, 5)) {
      expect(await world.creditedTicks(node)).toBe(node.acceptedIn.size);
    }
  });
});

describe("nodes that fall silent together", () => {
  test("are late and not lost, until half of them are back", async () => {
    await using world = await PootWorld.start();
    await world.join(await world.pool(), 10);
    await world.slots(3);
    await world.slots(20, () => {});
    expect(statesOf(world)).toEqual(new Set(["late"]));
    const half = world.nodes.slice(0, 5);
    await world.slots(2, () => half.map((node) => node.beat(world.poot)));
    const states = world.nodes.map(({ id }) => world.registry.getNode(id).state);
    expect(states.filter((state) => state === "alive")).toHaveLength(5);
    await world.slots(4, () => half.map((node) => node.beat(world.poot)));
    expect(statesOf(world)).toEqual(new Set(["alive", "lost"]));
  });

  test("cost each other nothing when they are few", async () => {
    await using world = await PootWorld.start();
    await world.join(await world.pool(), 3);
    await world.slots(3);
    await world.slots(5, () => {});
    expect(statesOf(world)).toEqual(new Set(["lost"]));
  });

  test("do not hide one that fails among many", async () => {
    await using world = await PootWorld.start();
    await world.join(await world.pool(), 10);
    await world.slots(3);
    await world.slots(5, () => world.nodes.slice(1).map((node) => node.beat(world.poot)));
    expect(world.registry.getNode(world.node.id).state).toBe("lost");
  });
});
