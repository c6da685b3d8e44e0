import { expect, setDefaultTimeout, test } from "bun:test";
import { askForged } from "#test/support/forged-requests.ts";

setDefaultTimeout(120_000);

const REQUESTS = 3_000;

/** `soak openapi` asks a hundred thousand. */
test("whatever is asked, the answer is one the document names", async () => {
  const { requests, done, faults } = await askForged(0, REQUESTS);
  expect(faults).toEqual([]);
  expect(requests).toBe(REQUESTS);
  expect(done).toBeGreaterThan(REQUESTS / 20);
});
