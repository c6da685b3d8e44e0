import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { create } from "@bufbuild/protobuf";
import pino from "pino";
import { temporaryFolder } from "#test/support/folder.ts";
import { moneyOverHttp } from "#test/support/money-http.ts";
import { MoneyWorld } from "#test/support/money-world.ts";
import { solveWork } from "@/core/enrolment-work.ts";
import { signAddress } from "@/core/payout/address.ts";
import { createCertificates } from "@/drivers/certificates.ts";
import { createDialer } from "@/drivers/dialer/module.ts";
import { openFiles } from "@/drivers/files.ts";
import { systemRandom } from "@/drivers/random.ts";
import { Keeping } from "@/modules/agent/keeping.ts";
import { openLink } from "@/modules/agent/link.ts";
import { renew } from "@/modules/agent/renewing.ts";
import { Agent } from "@/modules/agent/service.ts";
import { Enrolment } from "@/proto/enrolment_pb.ts";
import {
  DeregisterNodeRequestSchema,
  JoinPoolRequestSchema,
  RegisterNodeRequestSchema,
  Registry,
  SetPayoutAddressRequestSchema,
  UpdateNodeRequestSchema,
} from "@/proto/registry_pb.ts";
import { fromBase64, toBase64, utf8 } from "@/std/bytes.ts";
import { sha256, signingKey } from "@/std/crypto.ts";
import { type TablesOf, tablesOf, WholePool } from "./whole-pool.ts";

setDefaultTimeout(120_000);

/**
 * What changes nothing that must be looked back upon, and why. A route or call that is neither here nor
 * done below fails the test.
 */
const NO_ACT: Readonly<Record<string, string>> = {
  "POST /api/v1/enrolments/challenge": "gives out work that is kept nowhere",
  "Enrolment.GetWork": "gives out work that is kept nowhere",
  "POST /api/v1/auth/challenge": "gives out a nonce that is kept nowhere",
  "POST /api/v1/poot/calculate": "computes again, and writes nothing",
  "Enrolment.GetAuthority": "reads",
  "Registry.Heartbeat": "is time, not an act: claims, receipts and ACKs are its record",
  "Registry.HeartbeatStream": "is time, not an act: claims, receipts and ACKs are its record",
  "Registry.ListNodes": "reads",
  "Registry.GetNode": "reads",
  "Registry.GetStanding": "reads",
  "Registry.WatchNodes": "reads",
  "Registry.Resolve": "reads",
};
/** What is written beside acts: answers to repeat, a node's root, the leaf of a row, the time. */
const BOOKKEEPING = new Set(["idempotency", "node_trust", "audit_run", "poot_clock"]);

const done = new Set<string>();
let pool: WholePool;

beforeAll(async () => {
  pool = await WholePool.start();
});
afterAll(() => pool[Symbol.asyncDispose]());

/** Does one act; every commit it makes must hold its audit row. */
async function act<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
  pool.commits.length = 0;
  const result = await work();
  expectAudited(name, pool.commits);
  done.add(name);
  return result;
}

function expectAudited(name: string, commits: readonly TablesOf[]): void {
  const real = commits.filter((tables) => tables.some((table) => !BOOKKEEPING.has(table)));
  const silent = real.filter((tables) => !tables.includes("audit"));
  expect([name, real.length > 0, silent]).toEqual([name, true, []]);
}

/** A machine with a folder of its own, that speaks to the pool as the program does. */
function machine() {
  const folder = temporaryFolder();
  const keeping = new Keeping(openFiles(folder.path));
  const certificates = createCertificates();
  const dialer = createDialer(certificates);
  const world = { clock: pool.clock, dialer, certificates, random: systemRandom() };
  const parts = { keeping, machine: { marks: () => ({}) }, ...world };
  return { keeping, parts, agent: new Agent(parts, pino({ level: "silent" })), folder };
}

async function joined() {
  const { token } = await pool.ask("POST", "/api/v1/tokens", {});
  const made = machine();
  const terms = { name: "", hostName: "kitchen", specialization: "", endpoint: "", org: "" };
  const addresses = [pool.kernel.service("grpc").address()];
  await made.agent.join({ ...terms, addresses, token, metadata: {}, tell: () => {} });
  return { ...made, id: made.keeping.membership().nodeId };
}

describe("every act has its row of the audit, in the commit that does it:", () => {
  test("pools and nodes", async () => {
    const made = await act("POST /api/v1/pools", () =>
      pool.ask("POST", "/api/v1/pools", { name: "lab", kind: "test" }),
    );
    const lab = `/api/v1/pools/${made.pool_id}`;
    await act("PUT /api/v1/pools/:pool_id", () => pool.ask("PUT", lab, { name: "cellar" }));
    const key = signingKey(sha256(utf8("registered"))).publicKey;
    const pools = pool.kernel.service("registry").listPools();
    const home = pools.find(({ name }) => name === "home")?.id;
    const body = { name: "n", pool: home, public_key: toBase64(key), specialization: "storage" };
    const node = await act("POST /api/v1/nodes", () => pool.ask("POST", "/api/v1/nodes", body));
    const one = `/api/v1/nodes/${node.node_id}`;
    await act("PUT /api/v1/nodes/:node_id", () => pool.ask("PUT", one, { name: "m" }));
    await act("POST /api/v1/nodes/:node_id/suspend", () => pool.ask("POST", `${one}/suspend`, {}));
    await act("POST /api/v1/nodes/:node_id/resume", () => pool.ask("POST", `${one}/resume`));
    await act("POST /api/v1/pools/:pool_id/join", () =>
      pool.ask("POST", `${lab}/join`, { node_id: node.node_id }),
    );
    await act("DELETE /api/v1/nodes/:node_id", () => pool.ask("DELETE", one));
    await act("DELETE /api/v1/pools/:pool_id", () => pool.ask("DELETE", lab));
  });

  test("tokens, people, keys and logins", async () => {
    const token = await act("POST /api/v1/tokens", () => pool.ask("POST", "/api/v1/tokens", {}));
    await act("DELETE /api/v1/tokens/:token_id", () =>
      pool.ask("DELETE", `/api/v1/tokens/${token.token_id}`),
    );
    const person = { name: "ada", roles: ["auditor"], password: "a long enough sentence" };
    await act("POST /api/v1/users", () => pool.ask("POST", "/api/v1/users", person));
    await act("PUT /api/v1/users/:user_name", () =>
      pool.ask("PUT", "/api/v1/users/ada", { roles: ["operator"] }),
    );
    await act("POST /api/v1/users/:user_name/password", () =>
      pool.ask("POST", "/api/v1/users/ada/password", { password: "another long sentence" }),
    );
    const proof = { user: "ada", password: "another long sentence" };
    await act("POST /api/v1/auth/password", () =>
      pool.ask(
        "POST",
        "/api/v1/auth/password",
        { ...proof, new_password: "her own long sentence" },
        "",
      ),
    );
    const login = { user: "ada", password: "her own long sentence" };
    const first = await act("POST /api/v1/auth/token", () =>
      pool.ask("POST", "/api/v1/auth/token", login, ""),
    );
    const second = await act("POST /api/v1/auth/refresh", () =>
      pool.ask("POST", "/api/v1/auth/refresh", { refresh_token: first.refresh_token }, ""),
    );
    await act("POST /api/v1/auth/revoke", () =>
      pool.ask("POST", "/api/v1/auth/revoke", { refresh_token: second.refresh_token }, ""),
    );
    const begun = await act("POST /api/v1/auth/session", () =>
      pool.browse("POST", "/api/v1/auth/session", { body: login }),
    );
    const cookie = (begun.headers.get("set-cookie") ?? "").split(";")[0] ?? "";
    const { csrf_token } = (await begun.json()) as { csrf_token: string };
    await act("DELETE /api/v1/auth/session", () =>
      pool.browse("DELETE", "/api/v1/auth/session", {
        headers: { cookie, "x-csrf-token": csrf_token },
      }),
    );
    for (const secret of ["operator-token", "jwt-key"]) {
      await act(`POST /api/v1/auth/${secret}/rotate`, () =>
        pool.ask("POST", `/api/v1/auth/${secret}/rotate`, {}),
      );
    }
    const key = await act("POST /api/v1/keys", () =>
      pool.ask("POST", "/api/v1/keys", { roles: ["auditor"] }),
    );
    await act("DELETE /api/v1/keys/:key_id", () =>
      pool.ask("DELETE", `/api/v1/keys/${key.key_id}`),
    );
    await act("DELETE /api/v1/users/:user_name", () => pool.ask("DELETE", "/api/v1/users/ada"));
  });

  test("what a node does over gRPC", async () => {
    const { token } = await pool.ask("POST", "/api/v1/tokens", { specialization: "storage" });
    expect(token).toBeString();
    const node = await act("Enrolment.Enroll", joined);
    const link = await openLink(node.parts, node.keeping.membership().addresses[0] ?? "");
    const { connection } = link;
    const { method } = Registry;
    const timeout = { timeoutMs: 10_000 };
    await act("Enrolment.Renew", () => renew(node.parts, connection));
    await act("Registry.RegisterNode", () => {
      const request = create(RegisterNodeRequestSchema, { name: "k", specialization: "gpu" });
      return connection.call(method.registerNode, request, timeout);
    });
    await act("POST /api/v1/nodes/:node_id/approve", () =>
      pool.ask("POST", `/api/v1/nodes/${node.id}/approve`),
    );
    await act("Registry.UpdateNode", () =>
      connection.call(method.updateNode, create(UpdateNodeRequestSchema, { name: "l" }), timeout),
    );
    const { poolKey } = node.keeping.membership();
    const key = node.keeping.key();
    const { slot } = pool.kernel.service("poot").poolTime();
    const address = { rail: "manual", address: "bank 1", previous: new Uint8Array(32), slot };
    const statement = signAddress({ nodeKey: key.publicKey, poolKey, ...address }, key);
    await act("Registry.SetPayoutAddress", () => {
      const request = create(SetPayoutAddressRequestSchema, { statement });
      return connection.call(method.setPayoutAddress, request, timeout);
    });
    const lab = await pool.ask("POST", "/api/v1/pools", {
      name: "other",
      kind: "test",
      visibility: "public",
    });
    await act("Registry.JoinPool", () => {
      const request = create(JoinPoolRequestSchema, { poolId: lab.pool_id });
      return connection.call(method.joinPool, request, timeout);
    });
    await act("Registry.DeregisterNode", () =>
      connection.call(method.deregisterNode, create(DeregisterNodeRequestSchema), timeout),
    );
    connection.close();
    node.folder[Symbol.dispose]();
  });

  test("strangers at the door of a public pool", async () => {
    const park = await pool.ask("POST", "/api/v1/pools", {
      name: "park",
      kind: "test",
      visibility: "public",
    });
    const pool_id = park.pool_id;
    const keyOf = (name: string) => signingKey(sha256(utf8(name))).publicKey;
    const solution = async (name: string) => {
      const work = await pool.ask("POST", "/api/v1/enrolments/challenge", { pool_id }, "");
      const challenge = fromBase64(work.challenge) ?? new Uint8Array();
      const todo = { challenge, nodeKey: keyOf(name), bits: work.difficulty_bits };
      return { challenge, counter: solveWork(todo, 0, 2 ** 24) ?? 0 };
    };
    const first = await solution("one");
    await act("POST /api/v1/enrolments/proof", () => {
      const { counter } = first;
      const [challenge, node_key] = [toBase64(first.challenge), toBase64(keyOf("one"))];
      return pool.ask("POST", "/api/v1/enrolments/proof", { challenge, counter, node_key }, "");
    });
    const { key } = await pool.ask("POST", "/api/v1/keys", { roles: ["client"] });
    await act("POST /api/v1/enrolments", () =>
      pool.ask("POST", "/api/v1/enrolments", { pool_id, node_key: toBase64(keyOf("two")) }, key),
    );
    const second = await solution("three");
    const door = createDialer(createCertificates());
    const rootPem = pool.kernel.service("authority").rootPem;
    const nowMs = pool.clock.now();
    const connection = await door.connect(pool.kernel.service("grpc").address(), {
      rootPem,
      nowMs,
    });
    await act("Enrolment.RequestToken", () => {
      const request = { ...second, counter: BigInt(second.counter), nodeKey: keyOf("three") };
      return connection.call(Enrolment.method.requestToken, request, { timeoutMs: 10_000 });
    });
    connection.close();
  });

  test("the root, the clock, warnings, and the log itself", async () => {
    await act("POST /api/v1/authority/rotate", () =>
      pool.ask("POST", "/api/v1/authority/rotate", {}),
    );
    await act("POST /api/v1/authority/finish", () =>
      pool.ask("POST", "/api/v1/authority/finish", { force: true }),
    );
    const database = pool.kernel.service("database");
    const anomaly = {
      id: 999n,
      rule: "clock_stepped",
      subject: "node",
      count: 1n,
      first_at: 1n,
      last_at: 1n,
    };
    const insert = database.sql
      .insertInto("anomaly")
      .values(anomaly as never)
      .compile();
    await database.commit([{ query: insert }]);
    await act("POST /api/v1/anomalies/:anomaly_id/acknowledge", () =>
      pool.ask("POST", "/api/v1/anomalies/999/acknowledge", {}),
    );
    pool.clock.jump(40 * 86_400_000);
    await act("POST /api/v1/clock/accept", () => pool.ask("POST", "/api/v1/clock/accept", {}));
    pool.clock.jump(-39 * 86_400_000);
    await act("POST /api/v1/clock/rewind", () => pool.ask("POST", "/api/v1/clock/rewind", {}));
    await breakTheLog();
    await act("POST /api/v1/audit/restart", () =>
      pool.ask("POST", "/api/v1/audit/restart", { reason: "a row was changed by this test" }),
    );
  });

  test("money", async () => {
    const world = await MoneyWorld.start({});
    const { json } = await moneyOverHttp(world);
    const commit = world.database.commit.bind(world.database);
    const commits: TablesOf[] = [];
    world.database.commit = (writes) => {
      commits.push(tablesOf(writes));
      return commit(writes);
    };
    const paid = async (
      name: string,
      path: string,
      asked: Parameters<typeof json>[2],
      status = 200,
    ) => {
      const [method = "", route = ""] = name.split(" ");
      commits.length = 0;
      const answer = await json(method, path.replace(/^\/api\/v1/, ""), asked, status);
      expectAudited(name, commits);
      done.add(`${method} ${route}`);
      return answer;
    };
    const home = await world.pool();
    const node = await world.node(home, null);
    const base = `/nodes/${node.id}/payout-address`;
    const setAddress = (address: string, previous?: Uint8Array) => {
      const statement = world.statement(node, home, previous ? { address, previous } : { address });
      return { statement, json: { statement: toBase64(statement) }, as: node.id as string };
    };
    const first = setAddress("bank 1");
    await paid("PUT /api/v1/nodes/:node_id/payout-address", base, first);
    world.credits.pass(home.id, { [node.id]: { ticks: 240_000 } });
    await world.ledger.book();
    const admin = { as: "admin", json: {} };
    await paid("POST /api/v1/payouts/process", "/payouts/process", admin, 202);
    const failed = { as: "admin", json: { not_sent: true, ref: "wrong account" } };
    await paid(
      "POST /api/v1/payouts/batches/:batch_id/cancel",
      "/payouts/batches/1/cancel",
      failed,
    );
    await json("POST", "/payouts/process", admin, 202);
    const items = [{ id: "1", failed: "no such account" }];
    const settle = "/payouts/batches/2/settle";
    await paid("POST /api/v1/payouts/batches/:batch_id/settle", settle, {
      as: "admin",
      json: { items },
    });
    const release = `/payouts/${node.id}/release`;
    await paid("POST /api/v1/payouts/:node_id/release", release, { as: "admin", json: {} });
    for (const address of ["bank 8", "bank 9"]) {
      world.clock.advance(60_000);
      await world.setAddress(node, home, address);
    }
    world.clock.advance(7 * 86_400_000);
    const choice = { as: "operator", json: { choice: "confirmed" } };
    await paid("POST /api/v1/nodes/:node_id/payout-address/decide", `${base}/decide`, choice);
  });
});

/** A row is changed that was signed, and the log is read again. */
async function breakTheLog(): Promise<void> {
  const database = pool.kernel.service("database");
  for (let minute = 0; minute < 4; minute++) await pool.clock.pass(60_000, 5_000);
  const change = database.sql.updateTable("audit").set({ subject: "else" }).where("id", "=", 1n);
  await database.commit([{ query: change.compile(), rows: 1 }]);
  await pool.clock.pass(86_400_000 + 1_000);
}

describe("nothing is left out:", () => {
  test("every route that changes something, and every call, is done above or has its reason", () => {
    const routes = pool.kernel.service("http").permissions();
    const mutating = routes.flatMap(({ method, path }) =>
      method === "GET" ? [] : [`${method} ${path}`],
    );
    const calls = [Enrolment, Registry].flatMap((service) =>
      service.methods.map(({ name }) => `${service.name}.${name}`),
    );
    const known = new Set([...done, ...Object.keys(NO_ACT)]);
    expect([...mutating, ...calls].filter((name) => !known.has(name))).toEqual([]);
    expect([...known].filter((name) => ![...mutating, ...calls].includes(name))).toEqual([]);
  });
});
