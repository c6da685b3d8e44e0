import { expect, setDefaultTimeout, test } from "bun:test";
import { askForged } from "#test/support/forged-requests.ts";
import { wholePool } from "#test/support/whole-pool.ts";

setDefaultTimeout(120_000);

const REQUESTS = 3_000;

/** `soak openapi` asks a hundred thousand. */
test("whatever is asked, the answer is one the document names", async () => {
  const { requests, done, faults } = await askForged(0, REQUESTS);
  expect(faults).toEqual([]);
  expect(requests).toBe(REQUESTS);
  expect(done).toBeGreaterThan(REQUESTS / 20);
});

/** Found by the long run: a table was answered where the document knew of JSON alone. */
test("says which answers may be texts", async () => {
  await using pool = await wholePool();
  const response = await pool.ask("system", "GET", "/openapi.json");
  const { paths } = (await response.json()) as {
    paths: Record<string, { get: { responses: Record<string, { content: object }> } }>;
  };
  const types = (path: string) => Object.keys(paths[path]?.get.responses["200"]?.content ?? {});
  expect(types("/api/v1/statements/{node_id}")).toEqual(["application/json", "text/csv"]);
  expect(types("/api/v1/audit/checkpoint")).toEqual(["application/json", "text/plain"]);
  expect(types("/metrics")).toContain("application/openmetrics-text");
});
