import { describe, expect, test } from "bun:test";
import {
  acceptClock,
  type EndedSlots,
  type PoolTime,
  rewindClock,
  shownSlot,
  startPoolTime,
  stepPoolTime,
} from "@/core/poot/pool-time.ts";
import { S, T } from "./world.ts";

const DAY_MS = 86_400_000;
const SLOT_MS = T * 1000;
/** Where slot S begins. */
const BASE = S * SLOT_MS;

/** A host whose clocks a test moves. */
class Host {
  time: PoolTime;
  ended: EndedSlots[] = [];
  #wallMs: number;
  #monotonicMs = 5000;

  constructor(wallMs: number, highestSlot?: number) {
    this.#wallMs = wallMs;
    this.time = startPoolTime({ slotSeconds: T, epoch: 0, highestSlot }, this.reading());
  }

  reading() {
    return { wallMs: this.#wallMs, monotonicMs: this.#monotonicMs };
  }

  /** Time passes in steps of a second. */
  run(seconds: number): this {
    for (let passed = 0; passed < seconds; passed++) this.stall(1);
    return this;
  }

  /** Time passes, and the process sees nothing of it. */
  stall(seconds: number): this {
    this.#wallMs += seconds * 1000;
    this.#monotonicMs += seconds * 1000;
    return this.#step();
  }

  /** Somebody sets the wall clock. */
  set(byMs: number): this {
    this.#wallMs += byMs;
    return this.#step();
  }

  accept(): this {
    const step = acceptClock(this.time, this.reading());
    this.time = step.time;
    this.ended.push(...step.ended);
    return this;
  }

  #step(): this {
    const step = stepPoolTime(this.time, this.reading());
    this.time = step.time;
    this.ended.push(...step.ended);
    return this;
  }

  /** The slots that have ended since S, as letters: looked or not. */
  get looked(): string {
    return this.ended
      .map(({ from, to, isLooked }) => (isLooked ? "L" : ".").repeat(to - from + 1))
      .join("");
  }

  get state(): string {
    return this.time.waiting ?? `slot ${this.time.highestSlot - S}`;
  }
}

describe("a pool that runs", () => {
  test("counts slots and looks in each of them", () => {
    const host = new Host(BASE).run(150);
    expect(host.state).toBe("slot 5");
    expect(host.looked).toBe("LLLLL");
    expect(shownSlot(host.time)).toBe(S + 5);
  });

  test.each([
    [16, ".LL"],
    [1, ".LL"],
    [0, "LLL"],
  ])("that starts %d s into a slot has looked in: %s", (late, looked) => {
    expect(new Host(BASE + late * 1000).run(90 - late).looked).toBe(looked);
  });

  test.each([
    [3, "LLLL"],
    [14, "LLLL"],
    [17, "L.LL"],
    [60, "L..LL"],
    [120, "L....LL"],
  ])("and stalls for %d s has looked in: %s", (seconds, looked) => {
    const host = new Host(BASE).run(32).stall(seconds);
    host.run(120 + (seconds >= 60 ? seconds - 30 : 0) - 32 - seconds);
    expect(host.looked.slice(0, looked.length)).toBe(looked);
    expect(host.time.waiting).toBeUndefined();
  });

  test("follows a clock that is set forward by less than a day, without having looked", () => {
    const host = new Host(BASE)
      .run(40)
      .set(DAY_MS - 60_000)
      .run(60);
    expect(host.time.waiting).toBeUndefined();
    expect(host.ended.filter((ended) => !ended.isLooked).length).toBe(2);
    expect(host.time.highestSlot).toBe(S + 2880 + 1);
  });
});

describe("a clock that is set back", () => {
  test("has to wait until the highest slot comes again, and counts on from there", () => {
    const host = new Host(BASE).run(95).set(-70_000);
    expect(host.state).toBe("behind");
    expect(shownSlot(host.time)).toBe(S);
    host.run(64);
    expect(host.state).toBe("behind");
    host.run(1);
    expect(host.state).toBe("slot 3");
    host.run(31);
    expect(host.looked).toBe("LLLL");
  });

  test("within the slot is not noticed", () => {
    expect(new Host(BASE).run(50).set(-15_000).state).toBe("slot 1");
  });

  test("across a restart has to wait too", () => {
    const host = new Host(BASE, S + 3);
    expect(host.state).toBe("behind");
    expect(host.run(89).state).toBe("behind");
    expect(host.run(1).state).toBe("slot 3");
  });
});

describe("a clock that jumps ahead", () => {
  test("by more than a day while the pool runs waits for a person", () => {
    const host = new Host(BASE).run(10).set(DAY_MS + 1);
    expect(host.state).toBe("jumped");
    host.run(300);
    expect(host.state).toBe("jumped");
    expect(host.ended).toEqual([]);
    host.accept();
    expect(host.state).toBe(`slot ${2880 + 10}`);
    expect(host.ended).toEqual([
      { from: S, to: S, isLooked: false },
      { from: S + 1, to: S + 2880 + 9, isLooked: false },
    ]);
  });

  test("by a day exactly is believed", () => {
    expect(new Host(BASE).run(10).set(DAY_MS).time.waiting).toBeUndefined();
  });

  test("in one wild answer of a time server is forgotten with the next", () => {
    const host = new Host(BASE).run(40).set(400 * DAY_MS);
    expect(host.state).toBe("jumped");
    host.set(-400 * DAY_MS).run(50);
    expect(host.state).toBe("slot 3");
    expect(host.looked).toBe("LLL");
  });

  test("in one wild answer into the past is forgotten with the next", () => {
    const host = new Host(BASE).run(40).set(-400 * DAY_MS);
    expect(host.state).toBe("behind");
    expect(host.set(400 * DAY_MS).run(50).looked).toBe("LLL");
  });

  test.each([
    [29, "slot"],
    [30, "slot"],
    [31, "jumped"],
  ])("of %d days across a start is answered: %s", (days, state) => {
    const host = new Host(BASE + days * DAY_MS, S).run(1);
    expect(host.state.split(" ")[0]).toBe(state);
    if (state === "jumped") expect(host.accept().time.highestSlot).toBe(S + days * 2880);
  });
});

describe("a board without a battery clock", () => {
  test("boots in the past, waits for the time, and counts the gap as not looked at", () => {
    const host = new Host(1_000_000, S).run(60);
    expect(host.state).toBe("behind");
    host.set(BASE + 10 * DAY_MS - 1_060_000).run(31);
    expect(host.state).toBe(`slot ${10 * 2880 + 1}`);
    expect(host.ended.slice(0, 2).every((ended) => !ended.isLooked)).toBe(true);
    expect(host.ended.at(-1)).toEqual({ from: S + 28_800, to: S + 28_800, isLooked: true });
  });

  test("that was off for longer waits for a person, however late the time comes", () => {
    const host = new Host(1_000_000, S).run(60).set(BASE + 40 * DAY_MS);
    expect(host.state).toBe("jumped");
    expect(host.accept().time.waiting).toBeUndefined();
  });

  test("at its very first start has nothing to compare with", () => {
    expect(new Host(1_000_000).time.waiting).toBeUndefined();
  });
});

describe("what an administrator can do", () => {
  test("is not to accept a clock that is behind", () => {
    const host = new Host(BASE, S + 3);
    expect(() => host.accept()).toThrow(expect.objectContaining({ code: "clock.behind" }));
  });

  test("is to rewind, which begins a new time epoch", () => {
    const host = new Host(BASE, S + 1000);
    const time = rewindClock(host.time, host.reading());
    expect(time).toMatchObject({ epoch: 1, highestSlot: S, waiting: undefined });
  });
});
