import { describe, expect, test } from "bun:test";
import { settled } from "#test/support/clock.ts";
import { turnstileWith } from "#test/support/intake.ts";
import { refusalCode } from "#test/support/refusal-code.ts";
import { nodeCaller } from "@/core/caller.ts";
import type { NodeId } from "@/core/ids.ts";
import { WAITING_CLASSES, type WaitingClass } from "@/drivers/intake/turnstile.ts";
import type { LineTerms } from "@/drivers/intake/waiting-line.ts";
import { isRefusal, type PoolError } from "@/std/errors.ts";

function refusalOf(act: () => unknown): PoolError {
  try {
    act();
  } catch (thrown) {
    if (isRefusal(thrown)) return thrown;
    throw thrown;
  }
  throw new Error("it was allowed");
}

const user = { type: "user", id: "user:ada", roles: ["admin"] } as const;
const node = nodeCaller("n".repeat(26) as NodeId);

describe("a rate", () => {
  test("lets a burst in, then so many a second, and says when to come back", () => {
    const { clock, turnstile, shed } = turnstileWith();
    const knock = () => turnstile.knock("10.0.0.1", "read");
    for (let count = 0; count < 3; count++) knock();
    const { kind, code, details } = refusalOf(knock);
    expect({ kind, code, details }).toEqual({
      kind: "exhausted",
      code: "limit.address",
      details: { retryAfterSeconds: 1 },
    });
    clock.advance(500);
    knock();
    expect(refusalCode(knock)).toBe("limit.address");
    expect(shed).toEqual(["read rate", "read rate"]);
  });

  test.each([
    ["another address is another flow", "10.0.0.1", "10.0.0.2", false],
    ["an address of the same /64 is the same flow", "2001:db8::1", "2001:db8::ffff:2", true],
    ["an address of the next /64 is another flow", "2001:db8:0:1::1", "2001:db8:0:2::1", false],
    ["this machine is not counted", "127.0.0.1", "127.0.0.1", false],
    ["nor is it over IPv6", "::1", "::1", false],
  ])("%s", (_, first, second, isRefused) => {
    const { turnstile } = turnstileWith();
    for (let count = 0; count < 3; count++) turnstile.knock(first, "read");
    const code = refusalCode(() => turnstile.knock(second, "read"));
    expect(code === "limit.address").toBe(isRefused);
  });

  test("binds this machine too where the configuration says so", () => {
    const { turnstile } = turnstileWith({ countsLoopback: true });
    for (let count = 0; count < 3; count++) turnstile.knock("127.0.0.1", "read");
    expect(refusalCode(() => turnstile.knock("127.0.0.1", "read"))).toBe("limit.address");
  });

  test("a user and a node have one each, wherever they come from", () => {
    const { turnstile } = turnstileWith();
    for (let count = 0; count < 3; count++) {
      turnstile.recognise(user, `10.0.0.${count}`, "admin");
      turnstile.recognise(node, `10.0.0.${count}`, "heartbeat");
    }
    const again = () => turnstile.recognise(node, "10.0.0.9", "heartbeat");
    expect(refusalCode(again)).toBe("limit.caller");
    expect(refusalCode(() => turnstile.recognise(user, "10.0.0.9", "read"))).toBe("limit.caller");
    turnstile.recognise(nodeCaller("o".repeat(26) as NodeId), "10.0.0.9", "heartbeat");
  });
});

describe("a class with one place", () => {
  test("lets the next in when the first leaves, in the order they came", async () => {
    const { turnstile } = turnstileWith();
    const order: number[] = [];
    expect(turnstile.enter("read")).toBeUndefined();
    const second = turnstile.enter("read")?.then(() => order.push(2));
    const third = turnstile.enter("read")?.then(() => order.push(3));
    await settled();
    expect(order).toEqual([]);
    turnstile.leave("read");
    await second;
    turnstile.leave("read");
    await third;
    expect(order).toEqual([2, 3]);
  });

  test("sheds at once what finds no room to wait, with a time to come back", () => {
    const { turnstile, shed } = turnstileWith();
    void turnstile.enter("read");
    void turnstile.enter("read");
    void turnstile.enter("read");
    const { kind, code, details } = refusalOf(() => turnstile.enter("read"));
    expect({ kind, code, details }).toEqual({
      kind: "unavailable",
      code: "pool.overloaded",
      details: { class: "read", retryAfterSeconds: 3 },
    });
    expect(shed).toEqual(["read full"]);
    expect(turnstile.enter("admin")).toBeUndefined();
  });

  test("sends away who has waited too long, though nobody leaves", async () => {
    const { clock, turnstile, shed } = turnstileWith();
    void turnstile.enter("export");
    const waiting = turnstile.enter("export")?.catch((thrown: PoolError) => thrown.code);
    clock.advance(2_001);
    expect(await waiting).toBe("pool.overloaded");
    expect(shed).toEqual(["export old"]);
  });

  test("bears less age in a line that never gets empty", async () => {
    const { clock, turnstile, shed } = turnstileWith();
    void turnstile.enter("read");
    const first = turnstile.enter("read")?.catch(() => "shed");
    clock.advance(900);
    const second = turnstile.enter("read")?.catch(() => "shed");
    clock.advance(101);
    turnstile.leave("read");
    await settled();
    expect(await first).toBe("shed");
    expect(shed).toEqual(["read old", "read old"]);
    expect(await second).toBe("shed");
  });

  test("a probe never waits", () => {
    const { turnstile } = turnstileWith();
    turnstile.press("full");
    for (let count = 0; count < 10; count++) expect(turnstile.enter("probe")).toBeUndefined();
  });

  test("who waited passes by what the class is worth", async () => {
    const wide = { atOnce: 9, waiting: 9, ageMs: 9_000 };
    const { clock, turnstile } = turnstileWith({
      lines: { heartbeat: wide, admin: wide, enrol: wide, read: wide, export: wide },
    });
    const order: string[] = [];
    void turnstile.enter("read");
    clock.advance(60); // The turn is used up.
    const late = (["export", "read", "enrol", "admin"] as const).map((of) =>
      turnstile.enter(of)?.then(() => order.push(of)),
    );
    expect(turnstile.enter("heartbeat")).toBeUndefined();
    await Promise.all(late);
    expect(order).toEqual(["admin", "enrol", "read", "export"]);
  });
});

describe("who comes while others wait for time", () => {
  test("passes by, and those are let in too", async () => {
    const wide = { atOnce: 8, waiting: 8, ageMs: 9_000 };
    const { clock, turnstile } = turnstileWith({
      lines: { heartbeat: wide, admin: wide, enrol: wide, read: wide, export: wide },
    });
    void turnstile.enter("admin");
    clock.advance(60); // The turn is used up.
    const waited = Array.from({ length: 8 }, () => turnstile.enter("admin"));
    for (const wait of waited) expect(wait).toBeInstanceOf(Promise);
    await waited[0];
    expect(turnstile.lines()[1]?.line.waiting).toBeGreaterThan(0);
    turnstile.leave("admin");
    turnstile.leave("admin");
    expect(turnstile.enter("admin")).toBeUndefined();
    turnstile.leave("admin");
    for (const wait of waited.slice(1)) {
      await wait;
      turnstile.leave("admin");
    }
  });

  test("leaves them half of the places", async () => {
    const { turnstile } = turnstileWith({
      lines: Object.fromEntries(
        WAITING_CLASSES.map((of) => [of, { atOnce: 4, waiting: 4, ageMs: 9_000 }]),
      ) as Record<WaitingClass, LineTerms>,
    });
    for (let count = 0; count < 4; count++) expect(turnstile.enter("read")).toBeUndefined();
    const waiting = turnstile.enter("read");
    turnstile.leave("read");
    expect(turnstile.enter("read")).toBeInstanceOf(Promise);
    await waiting;
  });
});

describe("under pressure", () => {
  test.each([
    ["tight", ["read", "export"]],
    ["full", ["enrol", "read", "export"]],
  ] as const)("%s memory sheds %p and nothing else", (level, gone) => {
    const { turnstile } = turnstileWith();
    turnstile.press(level);
    for (const of of ["heartbeat", "admin", "enrol", "read", "export"] as const) {
      const code = refusalCode(() => void turnstile.enter(of));
      expect([of, code === "pool.overloaded"]).toEqual([of, gone.some((one) => one === of)]);
    }
    expect(turnstile.isFull()).toBe(level === "full");
  });

  test("a loop that is behind sheds reads for a second", async () => {
    const { clock, turnstile, shed } = turnstileWith();
    void turnstile.enter("admin");
    clock.advance(101);
    await settled();
    turnstile.leave("admin");
    expect(refusalCode(() => void turnstile.enter("read"))).toBe("pool.overloaded");
    expect(shed).toEqual(["read lag"]);
    expect(turnstile.enter("admin")).toBeUndefined();
    await settled();
    clock.advance(1_000);
    expect(turnstile.enter("read")).toBeUndefined();
  });
});
