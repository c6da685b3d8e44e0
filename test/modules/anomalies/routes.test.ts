import { describe, expect, test } from "bun:test";
import { watchdogOn } from "#test/support/anomalies.ts";
import { httpWith } from "#test/support/http.ts";
import { anomalyAccess, anomalyRoutes } from "@/modules/anomalies/routes.ts";
import type { Anomalies } from "@/modules/anomalies/service.ts";

async function overHttp(subjects: readonly string[]) {
  const parts: { anomalies?: Anomalies } = {};
  const behind = new Proxy({} as Anomalies, {
    get: (_, name) => Reflect.get(parts.anomalies ?? {}, name).bind(parts.anomalies),
  });
  const { ask, database, clock } = await httpWith((http) => [
    anomalyRoutes(behind, http),
    anomalyAccess,
  ]);
  const dog = await watchdogOn(database, { clock });
  parts.anomalies = dog.anomalies;
  for (const subject of subjects) dog.anomalies.notice({ rule: "lock_out", subject });
  await dog.anomalies.flush();
  return { ask, dog };
}

describe("GET /api/v1/anomalies", () => {
  test("pages from the newest to the oldest, whatever their state", async () => {
    const { ask } = await overHttp(["a", "b", "c"]);
    await ask("POST", "/api/v1/anomalies/2/acknowledge", { as: "operator" });
    const seen: string[] = [];
    let cursor: string | null = "";
    while (cursor !== null) {
      const more: string = cursor ? `&cursor=${cursor}` : "";
      const answer = await ask("GET", `/api/v1/anomalies?limit=2${more}`, { as: "auditor" });
      const page = (await answer.json()) as {
        items: { anomaly_id: string; state: string }[];
        next_cursor: string | null;
      };
      seen.push(...page.items.map(({ anomaly_id, state }) => `${anomaly_id} ${state}`));
      cursor = page.next_cursor;
    }
    expect(seen).toEqual(["3 open", "2 acknowledged", "1 open"]);
    const open = await ask("GET", "/api/v1/anomalies?state=open", { as: "admin" });
    expect(((await open.json()) as { items: unknown[] }).items).toHaveLength(2);
  });

  test("shows one with what to do, and none that is not there", async () => {
    const { ask } = await overHttp(["192.0.2.7"]);
    const answer = await ask("GET", "/api/v1/anomalies/1", { as: "auditor" });
    expect(await answer.json()).toMatchObject({
      anomaly_id: "1",
      rule: "lock_out",
      subject: "192.0.2.7",
      count: 1,
      state: "open",
      acknowledged_by: null,
      advice: expect.stringContaining("let in again"),
    });
    expect((await ask("GET", "/api/v1/anomalies/9", { as: "auditor" })).status).toBe(404);
    expect((await ask("GET", "/api/v1/anomalies/x", { as: "auditor" })).status).toBe(400);
  });

  test.each([
    ["client", 403],
    ["node", 403],
    [undefined, 401],
  ] as const)("is nothing for %s", async (as, status) => {
    const { ask } = await overHttp(["a"]);
    const asked = as === undefined ? {} : { as };
    expect((await ask("GET", "/api/v1/anomalies", asked)).status).toBe(status);
  });
});

describe("POST /api/v1/anomalies/:anomaly_id/acknowledge", () => {
  test("closes it, says who did, and changes nothing the second time", async () => {
    const { ask, dog } = await overHttp(["a"]);
    const path = "/api/v1/anomalies/1/acknowledge";
    const first = await ask("POST", path, { as: "operator:ann", json: { note: "it was me" } });
    const body = await first.json();
    expect(body).toMatchObject({
      state: "acknowledged",
      acknowledged_by: "operator:ann",
      note: "it was me",
    });
    const second = await ask("POST", path, { as: "operator:bob" });
    expect(await second.json()).toEqual(body);
    expect(dog.anomalies.warnings()).toEqual([]);
  });

  test("is not for auditors", async () => {
    const { ask } = await overHttp(["a"]);
    const { status } = await ask("POST", "/api/v1/anomalies/1/acknowledge", { as: "auditor" });
    expect(status).toBe(403);
  });
});
