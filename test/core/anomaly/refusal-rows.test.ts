import { describe, expect, test } from "bun:test";
import { isForAudit, RefusalGathering, type RefusedAt } from "@/core/anomaly/refusal-rows.ts";

function refused(kind: string, code: string, more: Partial<RefusedAt> = {}): RefusedAt {
  return { door: "http", kind, code, address: "192.0.2.7", subject: "GET /a", ...more };
}

describe("into the audit", () => {
  test.each([
    ["goes a stranger", "unauthenticated", "access.unauthenticated", true],
    ["goes a denial", "denied", "access.denied", true],
    ["goes a blocked address", "exhausted", "access.blocked", true],
    ["goes a claim that was counted", "conflict", "poot.behind", true],
    ["goes no full queue", "exhausted", "connection.full", false],
    ["goes no lost race", "conflict", "database.conflict", false],
    ["goes no typing mistake", "invalid", "request.invalid", false],
    ["goes nothing that is not there", "not_found", "route.unknown", false],
  ])("%s", (_, kind, code, expected) => {
    expect(isForAudit(refused(kind, code))).toBe(expected);
  });
});

describe("refusals that are gathered", () => {
  test("are one row when they are alike, and counted", () => {
    const gathering = new RefusalGathering();
    for (const caller of ["key:a", "key:a", "key:b"]) {
      gathering.add(refused("denied", "access.denied", { caller }));
    }
    gathering.add(refused("denied", "access.denied", { caller: "key:b", subject: "PUT /a" }));
    const { rows, others } = gathering.take(10);
    expect(rows.map(({ refused: one, count }) => [one.caller, one.subject, count])).toEqual([
      ["key:a", "GET /a", 2],
      ["key:b", "GET /a", 1],
      ["key:b", "PUT /a", 1],
    ]);
    expect(others).toBe(0);
    expect(gathering.take(10)).toEqual({ rows: [], others: 0 });
  });

  test("are told by address where nobody is known, the gravest and most frequent first", () => {
    const gathering = new RefusalGathering();
    const add = (kind: string, address: string, count: number) =>
      gathering.add(refused(kind, `a.${kind}`, { address }), count);
    add("unauthenticated", "192.0.2.1", 500);
    add("unauthenticated", "192.0.2.2", 900);
    add("denied", "192.0.2.3", 1);
    const { rows, others } = gathering.take(2);
    expect(rows.map(({ refused: one }) => one.address)).toEqual(["192.0.2.3", "192.0.2.2"]);
    expect(others).toBe(500);
  });

  test("never fill the memory, and none is uncounted", () => {
    const gathering = new RefusalGathering();
    for (let at = 0; at < 5_000; at++) {
      gathering.add(refused("denied", "access.denied", { caller: `key:${at}` }));
    }
    const { rows, others } = gathering.take(20);
    expect([rows.length, others]).toEqual([20, 4_980]);
  });

  test("come back when they could not be written", () => {
    const gathering = new RefusalGathering();
    gathering.add(refused("denied", "access.denied"), 3);
    gathering.add(refused("denied", "access.other"), 2);
    const taken = gathering.take(1);
    gathering.add(refused("denied", "access.denied"));
    gathering.putBack(taken);
    const { rows, others } = gathering.take(9);
    expect([rows.map(({ count }) => count), others]).toEqual([[4], 2]);
  });
});
