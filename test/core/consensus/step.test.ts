import { describe, expect, test } from "bun:test";
import { Cluster } from "#test/support/replica-cluster.ts";
import { stateTextOf } from "#test/support/state-text.ts";
import type { Config } from "@/core/consensus/config.ts";
import type { Effect, Event } from "@/core/consensus/events.ts";
import type { State } from "@/core/consensus/state.ts";
import { step } from "@/core/consensus/step.ts";
import { AssertionError } from "@/std/assert.ts";
import { Solo } from "./solo.ts";

describe("a step (section 5)", () => {
  test("begins with a boot", () => {
    expect(() => new Solo().work()).toThrow(AssertionError);
  });

  test("boots once", () => {
    const solo = new Solo().boot();
    const { committee, genesis } = solo.world;
    const executed = { height: 0, root: genesis.header.execRoot, pendingValidators: null };
    const boot = {
      type: "boot",
      durable: null,
      committee,
      blocks: [],
      executed,
      executedBefore: [],
    } as const;
    expect(() => solo.give({ ...boot, committed: genesis.header })).toThrow(AssertionError);
  });

  test("uses its state up", () => {
    const solo = new Solo().boot();
    const before = solo.state;
    solo.work();
    const event = { type: "work", pending: false, now: solo.now } as const;
    expect(() => step(before, event, solo.config)).toThrow(AssertionError);
  });

  test("comes to the same from the same events (S14)", () => {
    const cluster = new Cluster(4);
    const logs = cluster.hosts.map((host) => {
      const log: Event[] = [];
      const act = host.step.bind(host);
      host.step = (event) => {
        log.push(event);
        return act(event);
      };
      return log;
    });
    cluster.start();
    cluster.passes = ({ from, to }) => from !== 2 && to !== 2;
    for (let at = 0; at < 10; at++) cluster.submit(Uint8Array.of(at)).advance(700);
    for (const [at, host] of cluster.hosts.entries()) {
      const { state, effects } = replay(logs[at] ?? [], host.config);
      expect(effects).toEqual(host.effects);
      expect(stateTextOf(state)).toBe(stateTextOf(stateOf(host.state)));
    }
  });
});

function replay(events: readonly Event[], config: Config) {
  let state: State | null = null;
  const effects: Effect[] = [];
  for (const event of events) {
    const stepped = step(state, event, { ...config });
    state = stepped.state;
    effects.push(...stepped.effects);
  }
  return { state: stateOf(state), effects };
}

function stateOf(state: State | null): State {
  if (state === null) throw new Error("nobody has booted");
  return state;
}

describe("a timer", () => {
  test("that was set again means nothing", () => {
    const solo = new Solo().boot();
    solo.work();
    const { generation } = solo.replica.timers.get("view") ?? { generation: 0 };
    solo.work(false);
    solo.work();
    solo.now += 1_000;
    expect(solo.give({ type: "timer", timer: "view", generation })).toEqual([]);
  });

  test("that was put off waits for the rest", () => {
    const solo = new Solo().boot();
    const { certs } = solo.chain(1);
    solo.work();
    solo.now += 900;
    solo.hear({ type: "prepare", cert: certs[0] ?? solo.world.certified });
    expect(solo.fire("view")).toMatchObject([{ type: "set_timer", timer: "view", ms: 900 }]);
    expect(solo.replica.view).toBe(2);
    solo.fire("view");
    expect(solo.sent("wish")).toMatchObject([{ wishView: 3 }]);
  });

  test("fires although the clock stands still", () => {
    const solo = new Solo().boot();
    solo.work();
    const { generation } = solo.replica.timers.get("view") ?? { generation: 0 };
    solo.give({ type: "timer", timer: "view", generation });
    expect(solo.said).toContain("wish");
  });

  test("is not late when the clock has jumped", () => {
    const solo = new Solo().boot();
    const { certs } = solo.chain(1);
    solo.work();
    solo.now += 3_600_000;
    solo.hear({ type: "prepare", cert: certs[0] ?? solo.world.certified });
    const { generation } = solo.replica.timers.get("view") ?? { generation: 0 };
    solo.now += 100;
    solo.give({ type: "timer", timer: "view", generation });
    expect(solo.did("set_timer")).toMatchObject([{ timer: "view", ms: 900 }]);
  });

  test("of the status goes on for ever", () => {
    const solo = new Solo().boot();
    solo.fire("status");
    expect(solo.said).toEqual(["status"]);
    expect(solo.did("set_timer")).toMatchObject([{ timer: "status", ms: 10_000 }]);
  });
});
