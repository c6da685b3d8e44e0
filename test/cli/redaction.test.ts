import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Elysia, t } from "elysia";
import fc from "fast-check";
import { temporaryFolder } from "#test/support/folder.ts";
import { httpWith } from "#test/support/http.ts";
import { loadConfiguration } from "@/cli/configuration.ts";
import { openLog } from "@/cli/logging.ts";
import { FrontDoor } from "@/drivers/grpc/door.ts";
import { createMetrics } from "@/drivers/metrics.ts";
import { Registry } from "@/proto/registry_pb.ts";
import { toBase32 } from "@/std/bytes.ts";
import { PoolError } from "@/std/errors.ts";

const RUNS = 10_000;
const DATABASE_PASSWORD = 'plain "word" of a database';

/** Secrets that tell what they are, wherever they stand. */
const letters = (length: number) =>
  fc
    .uint8Array({ minLength: length, maxLength: length })
    .map((bytes) => toBase32(bytes).slice(0, length));
const base64 = (bytes: number) =>
  fc
    .uint8Array({ minLength: bytes, maxLength: bytes })
    .map((some) => Buffer.from(some).toString("base64"));
const telling = fc.oneof(
  letters(26).map((secret) => ({ secret, text: `gpo_${secret}` })),
  letters(26).map((secret) => ({ secret, text: `gpr_${secret}` })),
  fc
    .tuple(letters(8), letters(26))
    .map(([id, secret]) => ({ secret, text: `gpk_${id}_${secret}` })),
  fc
    .tuple(letters(52), letters(26))
    .map(([pin, secret]) => ({ secret, text: `GP1.${secret}.${pin}.abcdefgh.${secret}.0badcafe` })),
  base64(32).map((key) => {
    const secret = key.replace(/[+/=]/g, "x");
    return { secret, text: `eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhIn0.${secret}` };
  }),
  base64(48).map((secret) => ({
    secret,
    text: `-----BEGIN PRIVATE KEY-----\n${secret}\n-----END PRIVATE KEY-----`,
  })),
);
/** Passwords: they look like anything, and are hidden by where they stand. */
const quiet = fc
  .stringMatching(/^[\w!#$%()*+./:<=>?@[\]^{|}~-]{12,40}$/)
  .filter((text) => !text.startsWith("<"))
  .map((secret) => ({ secret, text: secret }));

interface Planted {
  readonly secret: string;
  readonly text: string;
}

/** What a fault or a refusal may carry. */
const SAYINGS: readonly ((planted: Planted) => string)[] = [
  ({ text }) => `could not reach https://pool:${encodeURIComponent(text)}@db.example/pool`,
  ({ text }) => `sent ${JSON.stringify({ password: text })}`,
  ({ text }) => `asked with X-Api-Key: "${text.replace(/["\\\n]/g, "x")}"`,
];
const TELLING_SAYINGS: readonly ((planted: Planted) => string)[] = [
  ...SAYINGS,
  ({ text }) => `the token ${text} is unknown`,
  ({ text }) => `(${text})`,
  ({ text }) => `at /api/v1/keys/${text}?x=1`,
];

const sayingOf = (planted: fc.Arbitrary<Planted>, sayings: typeof SAYINGS) =>
  fc.tuple(planted, fc.constantFrom(...sayings)).map(([one, say]) => ({ ...one, said: say(one) }));
const said = fc.oneof(sayingOf(telling, TELLING_SAYINGS), sayingOf(quiet, SAYINGS));

/** The log of a real configuration, in a file. */
function logInFile(folder: string) {
  const file = join(folder, "log");
  const url = `postgres://pool:${encodeURIComponent(DATABASE_PASSWORD)}@db/pool`;
  const set = ["logging.level=TRACE", `logging.file=${file}`, `database.url=${url}`];
  const log = openLog(loadConfiguration({ set }, { HOME: "/nowhere" }).configuration);
  const taken = () => {
    const text = readFileSync(file, "utf8");
    writeFileSync(file, "");
    return text;
  };
  return { log, taken };
}

/** How a secret would be read out of a text: as it is, in JSON, or in an address. */
function leaks(text: string, { secret, text: whole }: Planted): boolean {
  const forms = [secret, whole, JSON.stringify(whole).slice(1, -1), encodeURIComponent(whole)];
  return forms.some((form) => text.includes(form));
}

describe("ten thousand secrets", () => {
  test("in headers, bodies, addresses and errors leave no byte in answers, events or the log", async () => {
    using folder = temporaryFolder();
    const { log, taken } = logInFile(folder.path);
    const faults: { throw: () => never } = { throw: () => expect.unreachable() };
    const routes = new Elysia({ prefix: "/api/v1" })
      .get("/fault", () => faults.throw())
      .get("/keys/:id", () => faults.throw())
      .post("/logins", ({ body }) => `${body.name}`, {
        body: t.Object({ name: t.String({ maxLength: 3 }), password: t.Integer() }),
      });
    const { ask, refused } = await httpWith(log, () => [
      routes,
      [
        { method: "GET", path: "/api/v1/fault", access: "anyone" },
        { method: "GET", path: "/api/v1/keys/:id", access: ["admin"] },
        { method: "POST", path: "/api/v1/logins", access: "anyone" },
      ],
    ]);
    const inHeader = (value: string) => encodeURIComponent(value);
    const ways: readonly ((planted: Planted & { said: string }) => Promise<Response>)[] = [
      ({ text }) => ask("GET", `/api/v1/${encodeURIComponent(text)}`),
      ({ text }) => ask("GET", `/api/v1/keys/${encodeURIComponent(text)}`),
      ({ text }) => ask("GET", `/api/v1/nowhere?token=${encodeURIComponent(text)}`),
      ({ text }) =>
        ask("GET", "/api/v1/keys/a", {
          headers: { "x-api-key": inHeader(text), cookie: `__Host-s=${inHeader(text)}` },
        }),
      ({ text }) => ask("POST", "/api/v1/logins", { json: { name: text, password: text } }),
      ({ text, secret }) => {
        // What a field is called is answered to who called it so; only a token is hidden there.
        const name = text === secret ? "name" : text;
        return ask("POST", "/api/v1/logins", { json: { [name]: text } });
      },
      ({ said: message }) => {
        faults.throw = () => {
          throw new Error(message, { cause: new Error(message) });
        };
        return ask("GET", "/api/v1/fault");
      },
      ({ said: message, text }) => {
        faults.throw = () => {
          throw new PoolError("denied", "test.denied", message, { password: text });
        };
        return ask("GET", "/api/v1/fault");
      },
    ];
    const way = fc.constantFrom(...ways);
    await fc.assert(
      fc.asyncProperty(said, way, async (planted, act) => {
        const answer = await act(planted);
        const told = `${JSON.stringify([...answer.headers])} ${await answer.text()}`;
        expect(answer.status).toBeGreaterThanOrEqual(400);
        expect(leaks(`${told} ${JSON.stringify(refused.splice(0))} ${taken()}`, planted)).toBe(
          false,
        );
      }),
      { numRuns: RUNS * 0.6 },
    );
  }, 120_000);

  test("in gRPC refusals, faults and the labels of figures leave none either", async () => {
    using folder = temporaryFolder();
    const { log, taken } = logInFile(folder.path);
    const door = new FrontDoor({
      clock: { now: () => 0 } as never,
      log,
      callsPerConnectionMax: 1,
      find: () => undefined,
      onFatal: () => {},
    });
    const method = Registry.method.getStanding;
    await fc.assert(
      fc.asyncProperty(said, fc.boolean(), async (planted, isRefusal) => {
        const { said: message, text } = planted;
        const thrown = isRefusal
          ? new PoolError("denied", "test.denied", message, { password: text, why: message })
          : new Error(message);
        const { details, metadata } = door.refuse(thrown, method, "192.0.2.1:1");
        const wire = metadata.get("grpc-status-details-bin").map(String).join();
        expect(leaks(`${details} ${wire} ${taken()}`, planted)).toBe(false);
      }),
      { numRuns: RUNS * 0.4 },
    );
    const metrics = createMetrics();
    const count = metrics.counter("galaxy_test_total", "A test.", ["who"]);
    const tokens = fc.sample(telling, 200);
    for (const { text } of tokens) count({ who: text });
    const { text: scraped } = await metrics.scrape(false);
    expect(tokens.filter((planted) => leaks(scraped, planted))).toEqual([]);
  }, 120_000);
});

test("the password of the database is hidden, although it looks like nothing", () => {
  using folder = temporaryFolder();
  const { log, taken } = logInFile(folder.path);
  log.error({ err: new Error(`no entry for ${DATABASE_PASSWORD}`) }, `with ${DATABASE_PASSWORD}`);
  const line = taken();
  expect(line).not.toContain("plain");
  expect(JSON.parse(line)).toMatchObject({ msg: "with [hidden]" });
});
