import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { typed } from "#test/support/command-line.ts";
import { temporaryFolder } from "#test/support/folder.ts";
import { type WholePool, wholePool } from "#test/support/whole-pool.ts";
import { toBase32 } from "@/std/bytes.ts";

setDefaultTimeout(60_000);

let pool: WholePool;

beforeAll(async () => {
  pool = await wholePool(["registry.allow_public_registration=true", "access.work_bits=6"]);
});

afterAll(async () => {
  await pool[Symbol.asyncDispose]();
});

test("a machine joins a public pool without a token, once the fingerprint is said, and is pending", async () => {
  using folder = temporaryFolder();
  const address = pool.kernel.service("grpc").address();
  const join = ["node", "join", address, "--public", "--data", folder.path];
  const pin = toBase32(pool.kernel.service("authority").pin);
  const blind = await typed(...join);
  expect([blind.code, blind.stderr]).toEqual([1, expect.stringContaining(pin)]);
  expect(blind.stderr).toContain("pool.unpinned");
  const wrong = await typed(...join, "--pin", "a".repeat(52));
  expect(wrong.stderr).toContain("pool.differs");
  const joined = await typed(...join, "--pin", pin, "--json");
  expect([joined.code, joined.stderr]).toEqual([0, ""]);
  const { node_id } = JSON.parse(joined.stdout) as { node_id: string };
  expect(pool.kernel.service("registry").getNode(node_id).status).toBe("pending");
});

test("a machine believes whoever answers only when that is said", async () => {
  using folder = temporaryFolder();
  const address = pool.kernel.service("grpc").address();
  const join = ["node", "join", address, "--public", "--insecure-tofu", "--data", folder.path];
  expect(await typed(...join)).toMatchObject({ code: 0 });
});
