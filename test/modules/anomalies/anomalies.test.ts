import { describe, expect, test } from "bun:test";
import { watchdogOn } from "#test/support/anomalies.ts";
import { databases } from "#test/support/database.ts";
import { systemCaller } from "@/core/caller.ts";
import { openSqlite } from "@/drivers/sqlite/database.ts";
import type { Database } from "@/ports/database.ts";
import type { RequestRefused } from "@/ports/refusal.ts";
import { PoolError } from "@/std/errors.ts";

const ANN = { ...systemCaller("test"), id: "user:ann" };
const MINUTE_MS = 60_000;

function failedEnrolment(address = "192.0.2.7"): RequestRefused {
  return { door: "grpc", kind: "unauthenticated", code: "enrolment.refused", address };
}

async function inMemory(terms: Parameters<typeof watchdogOn>[1] = {}) {
  const watchdog = await watchdogOn(memory(), terms);
  return watchdog;
}

function memory(): Database {
  return openSqlite({ path: ":memory:", clock: { now: () => 0 } as never, onFailed: () => {} });
}

describe.each(databases())("an anomaly on $kind", ({ open: openOn }) => {
  test("is raised once, counted while it goes on, and survives a restart", async () => {
    const { database, ...on } = await openOn();
    const first = await watchdogOn(database);
    const told: unknown[] = [];
    first.events.on("anomaly.raised", (anomaly) => void told.push(anomaly));
    for (let at = 0; at < 8; at++) first.events.tell("request.refused", failedEnrolment());
    await first.anomalies.flush();
    const about = { rule: "enrolments_failing", subject: "192.0.2.7" };
    expect(told).toEqual([{ id: 1, ...about }]);
    expect(await first.open()).toEqual([["enrolments_failing", "192.0.2.7", 8]]);
    await first.stop();

    const second = await watchdogOn(database, { clock: first.clock });
    second.events.tell("request.refused", failedEnrolment());
    expect(await second.open()).toEqual([["enrolments_failing", "192.0.2.7", 9]]);
    expect(await second.audited("anomaly.raised")).toEqual([
      {
        actor: "system:anomalies",
        subject: "1",
        detail: { rule: "enrolments_failing", about: "192.0.2.7", count: 8 },
      },
    ]);
    await second.stop();
    await on[Symbol.asyncDispose]();
  });

  test("is acknowledged once, with a note, and stays quiet for its time", async () => {
    const { database, ...on } = await openOn();
    const dog = await watchdogOn(database);
    const burst = () => {
      for (let at = 0; at < 5; at++) dog.events.tell("request.refused", failedEnrolment());
    };
    burst();
    const seen = await dog.anomalies.acknowledge(ANN, 1, "a typing mistake");
    expect(seen.acknowledged).toMatchObject({ by: "user:ann", note: "a typing mistake" });
    expect(await dog.anomalies.acknowledge(ANN, 1, "again")).toEqual(seen);
    expect(await dog.audited("anomaly.acknowledged")).toHaveLength(1);
    burst();
    expect(await dog.open()).toEqual([]);
    dog.clock.advance(3_600_000);
    burst();
    await dog.anomalies.flush();
    expect(await dog.open()).toEqual([["enrolments_failing", "192.0.2.7", 5]]);
    const all = await dog.anomalies.list({ limit: 10, after: undefined }, "all");
    expect(all.map(({ id, acknowledged }) => [id, acknowledged?.by])).toEqual([
      [2, undefined],
      [1, "user:ann"],
    ]);
    await dog.stop();
    await on[Symbol.asyncDispose]();
  });

  test("is forgotten when it was acknowledged and many came after it", async () => {
    const { database, ...on } = await openOn();
    const dog = await watchdogOn(database, { config: { kept_max: 10, failed_enrolments: 1 } });
    for (let at = 1; at <= 30; at++) {
      dog.events.tell("request.refused", failedEnrolment(`192.0.2.${at}`));
      await dog.anomalies.flush();
      if (at !== 3) await dog.anomalies.acknowledge(ANN, at);
    }
    const all = await dog.anomalies.list({ limit: 100, after: undefined }, "all");
    const kept = all.map(({ id }) => id);
    expect(kept).toEqual([...Array.from({ length: 10 }, (_, at) => 30 - at), 3]);
    await dog.stop();
    await on[Symbol.asyncDispose]();
  });
});

describe("an anomaly", () => {
  test("that there is none of is refused", async () => {
    const dog = await inMemory();
    await expect(dog.anomalies.acknowledge(ANN, 7)).rejects.toMatchObject({
      code: "anomaly.unknown",
    });
  });

  test("is shown while the disk takes nothing, and written when it does again", async () => {
    const database = memory();
    const dog = await watchdogOn(database, { config: { failed_enrolments: 1 } });
    const commit = database.commit.bind(database);
    database.commit = async () => {
      throw new PoolError("unavailable", "database.read_only", "The disk is full.");
    };
    const told: unknown[] = [];
    dog.events.on("anomaly.raised", (anomaly) => void told.push(anomaly));
    dog.events.tell("request.refused", failedEnrolment());
    await dog.anomalies.flush();
    expect([dog.anomalies.warnings().length, told.length]).toEqual([1, 0]);
    database.commit = commit;
    dog.clock.advance(MINUTE_MS);
    await dog.stop();
    expect(told).toHaveLength(1);
    expect(await dog.audited("request.refused")).toHaveLength(1);
  });

  test("warns with what it is and how to see more", async () => {
    const dog = await inMemory({ config: { failed_enrolments: 2 } });
    for (let at = 0; at < 2; at++) dog.events.tell("request.refused", failedEnrolment());
    expect(dog.anomalies.warnings()).toEqual([
      "anomaly 1: enrolments or renewals keep failing from 192.0.2.7 (2 times); see galaxy-pool anomaly show 1",
    ]);
    const { text } = await dog.metrics.scrape(false);
    expect(text).toContain('galaxy_anomalies_total{rule="enrolments_failing"} 1');
  });
});

describe("the clock of the pool", () => {
  test("that is set while it runs is an anomaly, once for each direction", async () => {
    const dog = await inMemory();
    dog.clock.advance(MINUTE_MS);
    expect(await dog.open()).toEqual([]);
    for (const ms of [3_600_000, -3_600_000, 120_000]) {
      dog.clock.jump(ms);
      dog.clock.advance(5_000);
    }
    expect(await dog.open()).toEqual([
      ["clock_stepped", "back", 1],
      ["clock_stepped", "forward", 2],
    ]);
  });

  test("that becomes synchronised after the start is none", async () => {
    let isSynchronised = false;
    const dog = await inMemory({ isSynchronised: () => isSynchronised });
    dog.clock.advance(MINUTE_MS);
    isSynchronised = true;
    dog.clock.jump(40 * 86_400_000);
    dog.clock.advance(MINUTE_MS);
    expect(await dog.open()).toEqual([]);
  });

  test("excuses the nodes whose time does not fit just after it was set", async () => {
    const dog = await inMemory({ config: { skewed_claims: 1 } });
    const skewed = (caller: string): RequestRefused => ({
      door: "poot",
      kind: "unavailable",
      code: "poot.wait",
      address: "192.0.2.7",
      caller,
      skewMs: 3_600_000,
    });
    dog.clock.jump(-3_600_000);
    dog.events.tell("request.refused", skewed("n1"));
    dog.clock.advance(11 * MINUTE_MS);
    dog.events.tell("request.refused", skewed("n2"));
    const rules = (await dog.open()).map(([rule, subject]) => `${rule} ${subject}`);
    expect(rules).toEqual(["node_clock_skewed n2", "clock_stepped back"]);
  });
});

test("a record that is not what was signed is an anomaly at once", async () => {
  const dog = await inMemory();
  for (let at = 0; at < 2; at++) dog.events.tell("audit.doubted", { why: "row 7 was changed" });
  expect(await dog.open()).toEqual([["audit_inconsistent", "audit", 2]]);
});

describe("refusals in the audit", () => {
  const denied = (caller: string): RequestRefused => ({
    door: "http",
    kind: "denied",
    code: "access.denied",
    address: "192.0.2.9",
    caller,
    subject: "GET /api/v1/tokens",
  });

  test("are one row a minute for the same caller, code and subject", async () => {
    const dog = await inMemory();
    for (let at = 0; at < 500; at++) dog.events.tell("request.refused", denied("key:a"));
    dog.clock.advance(MINUTE_MS);
    dog.events.tell("request.refused", failedEnrolment());
    await dog.stop();
    const { door, kind, code, address } = denied("");
    expect(await dog.audited("request.refused")).toEqual([
      {
        actor: "key:a",
        subject: "GET /api/v1/tokens",
        detail: { door, kind, code, address, count: 500 },
      },
      {
        actor: "address:192.0.2.7",
        subject: "",
        detail: {
          door: "grpc",
          kind: "unauthenticated",
          code: "enrolment.refused",
          address: "192.0.2.7",
          count: 1,
        },
      },
    ]);
  });

  test("are never more rows a minute than configured, and one that counts the rest", async () => {
    const dog = await inMemory({ config: { refusal_rows_per_minute: 5 } });
    for (let at = 0; at < 100; at++) dog.events.tell("request.refused", denied(`key:${at}`));
    await dog.stop();
    const rows = await dog.audited("request.refused");
    expect(rows).toHaveLength(6);
    expect(rows.at(-1)).toEqual({
      actor: "system:anomalies",
      subject: "others",
      detail: { count: 95 },
    });
  });
});
