import { describe, expect, test } from "bun:test";
import { watchdogOn } from "#test/support/anomalies.ts";
import { TestNode } from "#test/support/node.ts";
import { PootWorld, SLOT_MS } from "#test/support/poot.ts";
import { seededRandom } from "#test/support/seeded-random.ts";
import type { Caller } from "@/core/caller.ts";
import type { HeartbeatBytes } from "@/core/poot/heartbeat.ts";
import type { Events } from "@/kernel/events.ts";
import type { Poot } from "@/modules/poot/service.ts";
import type { RefusalKind } from "@/std/errors.ts";

const NAT = "203.0.113.9";
const NODES = 100;

/** The pool as nodes see it over the network: what it refuses is told, as its door does. */
function throughTheDoor(poot: Poot, events: Events, address = NAT): Poot {
  const heartbeat = (caller: Caller, bytes: HeartbeatBytes) => {
    const answered = poot.heartbeat(caller, bytes);
    const { type } = answered.answer;
    const kind = type === "behind" ? "conflict" : "precondition";
    const about = { address, caller: caller.id, subject: caller.id, skewMs: 0 };
    if (type !== "accepted") {
      events.tell("request.refused", { door: "poot", kind, code: `poot.${type}`, ...about });
    }
    return answered;
  };
  return { heartbeat, poolTime: () => poot.poolTime() } as Poot;
}

const LOGIN = "POST /api/v1/auth/token";

/** Who signs in is told by where it asked; all else by its code. */
function refuse(events: Events, kind: RefusalKind, code: string, address = NAT): void {
  const isLogin = code === LOGIN;
  const why = isLogin ? { code: "access.unauthenticated", subject: LOGIN } : { code };
  events.tell("request.refused", { door: "http", kind, address, ...why });
}

function refuseTimes(events: Events, times: number, kind: RefusalKind, code: string): void {
  for (let at = 0; at < times; at++) refuse(events, kind, code);
}

function connectAll({ nodes }: PootWorld, events: Events): void {
  for (const { id } of nodes) events.tell("caller.seen", { caller: id, address: NAT });
}

async function lan(nodes: number) {
  const world = await PootWorld.start();
  const home = await world.pool();
  await world.join(home, nodes);
  const dog = await watchdogOn(world.database, { clock: world.clock, events: world.events });
  return { world, home, dog };
}

describe("a hundred honest nodes behind one address", () => {
  test("raise nothing, through lost answers, a restart of the pool and a mass reconnect", async () => {
    const { world, dog: before } = await lan(NODES);
    await using _ = world;
    const dice = seededRandom(7);
    const beat = (events: Events, lost: number) => {
      const pool = throughTheDoor(world.poot, events);
      for (const node of world.nodes) node.beat(pool, { isAnswerLost: dice() < lost });
    };
    connectAll(world, before.events);
    await world.slots(10, () => beat(before.events, 0.02));
    await before.stop();
    expect(before.anomalies.warnings()).toEqual([]);
    refuseTimes(before.events, NODES, "unavailable", "pool.stopping");
    world.kill();

    await world.restart();
    const dog = await watchdogOn(world.database, { clock: world.clock, events: world.events });
    connectAll(world, dog.events);
    refuseTimes(dog.events, 300, "exhausted", "connection.full");
    refuseTimes(dog.events, 25, "unauthenticated", "certificate.expired");
    for (const node of world.nodes.slice(0, 10)) node.restart();
    await world.slots(25, () => beat(dog.events, 0.05));
    expect(dog.anomalies.warnings()).toEqual([]);
    expect(await dog.open()).toEqual([]);
    await dog.stop();
  }, 30_000);

  test("raise nothing when people among them make people's mistakes", async () => {
    const { world, dog } = await lan(1);
    await using _ = world;
    for (let hour = 0; hour < 24; hour++) {
      refuseTimes(dog.events, 3, "unauthenticated", "enrolment.refused");
      refuseTimes(dog.events, 5, "unauthenticated", LOGIN);
      refuseTimes(dog.events, 200, "unauthenticated", "access.unauthenticated");
      refuseTimes(dog.events, 200, "denied", "node.suspended");
      for (const address of [
        NAT,
        "192.168.1.4",
        "2001:db8:1:2::7",
        "2001:db8:1:2::8",
        "127.0.0.1",
      ]) {
        dog.events.tell("caller.seen", { caller: "user:ann", address });
      }
      world.clock.advance(3_600_000);
    }
    expect(await dog.open()).toEqual([]);
    await dog.stop();
  });
});

describe("among honest nodes is noticed", () => {
  test("a key on two boards, and nobody else's", async () => {
    const { world, home, dog } = await lan(5);
    await using _ = world;
    const copy = new TestNode(1, home.publicKey);
    const pool = throughTheDoor(world.poot, dog.events);
    const beatAll = () => {
      for (const node of [...world.nodes, copy]) node.beat(pool);
    };
    await world.slots(5, () => world.nodes.forEach((node) => void node.beat(pool)));
    expect(await dog.open()).toEqual([]);
    await world.slots(10, beatAll);
    const [[rule, subject] = [], ...others] = await dog.open();
    expect([rule, subject, others]).toEqual(["node_doubled", world.node.id, []]);
    await dog.stop();
  });

  test("a node whose data is rolled back again and again", async () => {
    const { world, dog } = await lan(2);
    await using _ = world;
    const pool = throughTheDoor(world.poot, dog.events);
    const [good, bad] = world.nodes;
    await world.slots(30, (at) => {
      good?.beat(pool);
      bad?.beat(pool, { isAnswerLost: at > 2 });
    });
    expect((await dog.open()).map(([rule, subject]) => [rule, subject])).toEqual([
      ["claims_behind", `${bad?.id}`],
    ]);
    await dog.stop();
  });

  test.each([
    ["enrolments_failing", "unauthenticated", "enrolment.refused", 5],
    ["logins_failing", "unauthenticated", LOGIN, 10],
    ["denials", "denied", "access.denied", 20],
    ["lock_out", "exhausted", "access.blocked", 1],
  ] as const)("%s, by the address it comes from", async (rule, kind, code, count) => {
    const { world, dog } = await lan(1);
    await using _ = world;
    for (let at = 0; at < count - 1; at++) refuse(dog.events, kind, code, "192.0.2.66");
    expect(await dog.open()).toEqual([]);
    refuse(dog.events, kind, code, "192.0.2.66");
    expect(await dog.open()).toEqual([[rule, "192.0.2.66", count]]);
    await dog.stop();
  });

  test("a key of the API that goes around", async () => {
    const { world, dog } = await lan(1);
    await using _ = world;
    for (let at = 0; at < 5; at++) {
      dog.events.tell("caller.seen", { caller: "key:k1", address: `198.51.${at}.7` });
      dog.events.tell("caller.seen", { caller: "key:k2", address: `198.51.${at % 4}.7` });
      await world.pass(SLOT_MS);
    }
    expect(await dog.open()).toEqual([["credential_spread", "key:k1", 5]]);
    await dog.stop();
  });
});
