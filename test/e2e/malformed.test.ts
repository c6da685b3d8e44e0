import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { sendRaw } from "#test/support/http.ts";
import { NodeProcess } from "#test/support/node-process.ts";
import { PoolProcess } from "#test/support/pool-process.ts";
import { beat, certificates, RawNode } from "#test/support/raw-node.ts";
import { until } from "#test/support/until.ts";
import { signAddress } from "@/core/payout/address.ts";
import { type Claim, decodeClaim, encodeClaim, signClaim } from "@/core/poot/claim.ts";
import type { HeartbeatBytes } from "@/core/poot/heartbeat.ts";
import { type NodeSession, nextClaim, onAnswer, startSession } from "@/core/poot/node-session.ts";
import type { Connection } from "@/ports/dialer.ts";
import { Enrolment } from "@/proto/enrolment_pb.ts";
import { type HeartbeatReply, Registry } from "@/proto/registry_pb.ts";
import { fromBase64 } from "@/std/bytes.ts";
import { signingKey } from "@/std/crypto.ts";
import { isRefusal } from "@/std/errors.ts";

setDefaultTimeout(60_000);

const UNKNOWN = "a".repeat(26);
let pool: PoolProcess;
let node: NodeProcess;
let raw: RawNode;

beforeAll(async () => {
  pool = await PoolProcess.start();
  node = await NodeProcess.joined(pool, "mischief", { token: await pool.token() });
  raw = new RawNode(pool, node);
});

afterAll(() => pool[Symbol.asyncDispose]());

describe("HTTP answers", () => {
  test.each<[string, string, string, unknown, number, string]>([
    ["no JSON", "POST", "/api/v1/pools", "{", 400, "request.malformed"],
    ["another type", "POST", "/api/v1/pools", { name: 7 }, 400, "request.invalid"],
    ["nothing of what is needed", "POST", "/api/v1/pools", {}, 400, "request.invalid"],
    ["a list for an object", "POST", "/api/v1/tokens", [], 400, "request.invalid"],
    ["null", "POST", "/api/v1/tokens", "null", 400, "request.invalid"],
    ["a body too large", "POST", "/api/v1/pools", "x".repeat(1_500_000), 413, "request.too_large"],
    ["an unknown node", "GET", `/api/v1/nodes/${UNKNOWN}`, undefined, 404, "node.unknown"],
    ["an unknown pool", "GET", `/api/v1/pools/${UNKNOWN}`, undefined, 404, "pool.unknown"],
    ["an unknown token", "DELETE", "/api/v1/tokens/abcdefgh", undefined, 404, "token.unknown"],
    [
      "an unknown batch",
      "POST",
      "/api/v1/payouts/batches/999/settle",
      { ref: "x" },
      404,
      "payout.batch_unknown",
    ],
    ["an unknown node's proof", "GET", `/api/v1/poot/${UNKNOWN}`, undefined, 404, "node.unknown"],
    [
      "an unknown node's money",
      "GET",
      `/api/v1/payouts/${UNKNOWN}`,
      undefined,
      404,
      "node.unknown",
    ],
    ["an unknown path", "GET", "/api/v1/nothing", undefined, 404, "route.unknown"],
    [
      "a way out of the folder",
      "GET",
      "/api/v1/nodes/..%2f..%2fetc%2fpasswd",
      undefined,
      404,
      "node.unknown",
    ],
    ["another method", "PATCH", "/api/v1/nodes", {}, 405, "request.method_not_allowed"],
    ["a page of nothing", "GET", "/api/v1/nodes?limit=0", undefined, 400, "request.invalid"],
    [
      "a cursor nobody gave",
      "GET",
      "/api/v1/nodes?cursor=%00",
      undefined,
      400,
      "request.bad_cursor",
    ],
    [
      "a time that is none",
      "GET",
      `/api/v1/explain?node=${UNKNOWN}&from=x`,
      undefined,
      404,
      "node.unknown",
    ],
    [
      "a node key that is none",
      "POST",
      "/api/v1/nodes",
      { name: "a", public_key: "AAAA", specialization: "b" },
      400,
      "node.invalid",
    ],
    [
      "a login nobody asked for",
      "POST",
      "/api/v1/auth/token",
      { node_id: UNKNOWN, nonce: "AAAA", signature: "AAAA" },
      401,
      "access.unauthenticated",
    ],
  ])("%s with the right refusal", async (_, method, path, body, status, code) => {
    const answer = await pool.ask(method, path, body);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
    expect(answer.headers.get("content-type")).toContain("application/problem+json");
  });

  test("a change of what somebody else has changed since with a conflict", async () => {
    const headers = { "if-match": '"not-the-etag"' };
    const path = `/api/v1/nodes/${node.id}`;
    const answer = await pool.ask("PUT", path, { name: "other" }, headers);
    expect([answer.status, answer.body.code]).toEqual([409, "node.changed"]);
  });

  test("one idempotency key for two things with a conflict", async () => {
    const headers = { "idempotency-key": "the-same" };
    await pool.ask("POST", "/api/v1/pools", { name: "first", kind: "test" }, headers);
    const answer = await pool.ask(
      "POST",
      "/api/v1/pools",
      { name: "second", kind: "test" },
      headers,
    );
    expect([answer.status, answer.body.code]).toEqual([409, "request.idempotency_differs"]);
  });

  test.each([
    ["no HTTP at all", "\u0000\u0001\u0002\u0003\r\n\r\n"],
    [
      "a length that is none",
      "POST /api/v1/pools HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
    ],
    [
      "two lengths",
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    ],
    ["an endless head", `GET / HTTP/1.1\r\nHost: a\r\nX: ${"y".repeat(200_000)}\r\n\r\n`],
  ])("%s, and goes on", async (_, bytes) => {
    const heard = await sendRaw(pool.url, bytes);
    expect(heard).not.toMatch(/^HTTP\/1.1 (2|5)/);
    expect((await fetch(`${pool.url}/livez`)).status).toBe(200);
  });
});

describe("gRPC refuses", () => {
  async function codeOf(act: () => Promise<unknown>): Promise<string> {
    try {
      await act();
      return "accepted";
    } catch (error) {
      return isRefusal(error) ? error.code : String(error);
    }
  }

  const registry = Registry.method;
  test.each<[string, (connection: Connection) => Promise<unknown>, string]>([
    ["an unknown node", (to) => to.call(registry.getNode, { nodeId: UNKNOWN }), "node.unknown"],
    ["an unknown pool", (to) => to.call(registry.joinPool, { poolId: UNKNOWN }), "pool.unknown"],
    ["a name that is none", (to) => to.call(registry.registerNode, { name: "\n" }), "node.invalid"],
    ["bytes that are no claim", (to) => beat(to, { claim: Buffer.from("?") }), "poot.malformed"],
    ["no claim", (to) => beat(to, { claim: Buffer.alloc(0) }), "poot.malformed"],
    ["a claim of zeros", (to) => beat(to, { claim: Buffer.alloc(240) }), "poot.malformed"],
    [
      "an address that is none",
      (to) => to.call(registry.setPayoutAddress, { statement: Buffer.from("?") }),
      "payout.statement_malformed",
    ],
    [
      "a policy that is none",
      (to) => to.call(registry.resolve, { policy: "magic" }),
      "request.invalid",
    ],
    [
      "a page too large",
      (to) => to.call(registry.listNodes, { limit: 100_000 }),
      "request.invalid",
    ],
    [
      "an address set by another key",
      (to) => to.call(registry.setPayoutAddress, { statement: foreignAddress() }),
      "payout.statement_foreign",
    ],
    [
      "a message too large",
      (to) => to.call(registry.registerNode, { name: "x".repeat(70_000) }),
      "pool.refused",
    ],
  ])("%s", async (_, act, code) => {
    const connection = await raw.connect();
    expect(await codeOf(() => act(connection))).toBe(code);
    expect(await codeOf(() => connection.call(registry.getStanding, {}))).toBe("accepted");
    connection.close();
  });

  function foreignAddress(): Uint8Array {
    const other = signingKey(new Uint8Array(32).fill(9));
    const poolKey = new Uint8Array(32).fill(1);
    const previous = new Uint8Array(32);
    const terms = { nodeKey: other.publicKey, poolKey, rail: "manual", address: "me", previous };
    return signAddress({ ...terms, slot: 1 }, other);
  }

  test("who shows no certificate, and who shows one that is not ours or not in date", async () => {
    const standing = (connection: Connection) => connection.call(registry.getStanding, {});
    const nobody = await raw.connectAsNobody();
    expect(await codeOf(() => standing(nobody))).toBe("certificate.missing");
    nobody.close();

    const stranger = await certificates.createRoot("stranger", Date.now() - 1e6, Date.now() + 1e9);
    const past = { notBeforeMs: Date.now() - 2e8, notAfterMs: Date.now() - 1e8 };
    const now = { notBeforeMs: Date.now() - 1e6, notAfterMs: Date.now() + 1e8 };
    for (const [issuer, dates, code] of [
      [stranger, now, "certificate.foreign"],
      [rootPair(), past, "certificate.expired"],
      [rootPair(), now, "accepted"],
    ] as const) {
      const { uris } = certificates.read(certificates.toDer(raw.identity.certificatePem));
      const terms = { uris, usage: "client" as const, ...dates };
      const der = await certificates.issue(issuer, raw.key.publicKey, terms);
      const identity = { ...raw.identity, certificatePem: certificates.toPem(der) };
      const connection = await raw.connect(identity);
      expect(await codeOf(() => standing(connection))).toBe(code);
      connection.close();
    }
  });

  /** The root lies in the data folder, which this test owns: its certificate and its key. */
  function rootPair() {
    const pem = readFileSync(join(pool.dataDir, "keys", "root.pem"), "utf8");
    const at = pem.indexOf("-----BEGIN PRIVATE KEY-----");
    return { certificatePem: pem.slice(0, at), privateKeyPem: pem.slice(at) };
  }

  test("enrolments that prove nothing, all with the same words", async () => {
    const token = await pool.token();
    const [, poolId = "", , tokenId = ""] = token.split(".");
    const csr = await certificates.createRequest(new Uint8Array(32).fill(5));
    const nonce = new Uint8Array(32);
    const asked = { tokenId, poolId, csr, nonce, proof: new Uint8Array(32), nodeName: "n" };
    const connection = await raw.connectAsNobody();
    for (const request of [
      asked,
      { ...asked, tokenId: "zzzzzzzz" },
      { ...asked, poolId: UNKNOWN },
      { ...asked, csr: Buffer.from("no request") },
      { ...asked, nonce: new Uint8Array(3) },
    ]) {
      const enrolled = codeOf(() => connection.call(Enrolment.method.enroll, request));
      expect(await enrolled).toBe("enrolment.refused");
    }
    connection.close();
  });

  test.each([
    ["no TLS", Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")],
    ["half a hello", Buffer.from("16030100ff0100", "hex")],
  ])("%s, and goes on", async (_, bytes) => {
    void sendRaw(`http://127.0.0.1:${pool.grpcPort}`, bytes);
    const connection = await raw.connect();
    expect(await codeOf(() => connection.call(registry.getStanding, {}))).toBe("accepted");
    connection.close();
  });

  test("nonsense inside TLS, and goes on", async () => {
    const terms = { host: "127.0.0.1", port: pool.grpcPort, rejectUnauthorized: false };
    const socket = connectTls({ ...terms, ALPNProtocols: ["h2"] });
    socket.on("error", () => {});
    await once(socket, "secureConnect");
    socket.write("GET / HTTP/1.1\r\n\r\n".repeat(100));
    const connection = await raw.connect();
    expect(await codeOf(() => connection.call(registry.getStanding, {}))).toBe("accepted");
    connection.close();
    socket.destroy();
  });
});

describe("a heartbeat", () => {
  /** An honest session of this test's node, so far. */
  async function opened(connection: Connection) {
    const { pool_id } = await pool.told("GET", `/api/v1/nodes/${node.id}`);
    const { public_key } = await pool.told("GET", `/api/v1/pools/${pool_id}`);
    const poolKey = fromBase64(public_key) ?? new Uint8Array();
    const who = { key: raw.key, poolKey, slotSeconds: 1, isExclusive: false };
    const now = () => Math.floor(Date.now() / 1000);
    const memory = { last: undefined, ack: undefined };
    let session = startSession(who, now(), memory);
    const facts = () => ({ slot: now(), healthPermille: 1000, flags: 0 });

    /** Sends what is due in the next slot, honestly. */
    async function honest(): Promise<HeartbeatBytes> {
      return until("the next slot", async () => {
        const next = nextClaim(session, who, facts());
        session = next.session;
        if (!next.heartbeat) return undefined;
        const reply = await beat(connection, next.heartbeat);
        const type = reply.outcome.case ?? "wait";
        session = onAnswer(session, who, { type, slot: Number(reply.slot), ...receiptOf(reply) });
        return type === "accepted" ? next.heartbeat : undefined;
      });
    }

    /** The next honest heartbeat, changed and signed again. */
    function forged(change: Partial<Claim>, bytes: Partial<HeartbeatBytes> = {}): HeartbeatBytes {
      const heartbeat = soon(session);
      const claim = signClaim({ ...decodeClaim(heartbeat.claim), ...change }, raw.key);
      return { ...heartbeat, claim: encodeClaim(claim), ...bytes };
    }

    function soon(from: NodeSession): HeartbeatBytes {
      const { heartbeat } = nextClaim(from, who, { ...facts(), slot: now() + 2 });
      if (!heartbeat) throw new Error("nothing is due");
      const claim = signClaim({ ...decodeClaim(heartbeat.claim), toSlot: now() }, raw.key);
      return { ...heartbeat, claim: encodeClaim(claim) };
    }
    return { honest, forged, now };
  }

  function receiptOf({ outcome }: HeartbeatReply) {
    const receipt = outcome.value?.receipt;
    return receipt && receipt.length > 0 ? { receipt } : {};
  }

  const flipped = (bytes: Uint8Array, at: number): Uint8Array =>
    bytes.map((byte, place) => (place === at ? byte ^ 1 : byte));

  test("that is replayed, skipped, reordered, forged or foreign earns nothing and is told why", async () => {
    const connection = await raw.connect();
    const { honest, forged, now } = await opened(connection);
    const first = await honest();
    const second = await honest();
    const third = await honest();
    const told = async (bytes: HeartbeatBytes) => (await beat(connection, bytes)).outcome.case;
    const receipt = third.receipt ?? new Uint8Array();

    const answers = {
      "the newest once more": await told(third),
      "an older one once more": await told(second),
      "the OPEN once more": await told(first),
      "a slot skipped in the count": await told(forged({ ticks: 9 })),
      "a receipt changed": await told(forged({}, { receipt: flipped(receipt, 30) })),
      "a receipt left out": await told(forged({}, { receipt: undefined })),
      "a signature changed": await told({ ...third, claim: flipped(third.claim, 239) }),
      "a claim changed": await told({ ...third, claim: flipped(third.claim, 100) }),
      "another pool's": await told(forged({ poolKey: new Uint8Array(32).fill(7) })),
      "another session's": await told(forged({ session: new Uint8Array(16).fill(7) })),
      "a hash before it that is not": await told(forged({ prev: new Uint8Array(32).fill(7) })),
    };
    expect(answers).toEqual({
      "the newest once more": "accepted",
      "an older one once more": expect.stringMatching(/early|behind/),
      "the OPEN once more": "reopen",
      "a slot skipped in the count": "reopen",
      "a receipt changed": "reopen",
      "a receipt left out": "reopen",
      "a signature changed": "unknown",
      "a claim changed": "unknown",
      "another pool's": "unknown",
      "another session's": "reopen",
      "a hash before it that is not": "reopen",
    });
    expect(await told(forged({ toSlot: now() + 50 }))).toMatch(/early|wait/);
    await honest();
    connection.close();
    await until("four slots to be credited, and no more", async () => {
      const { credit_total } = await pool.told("GET", `/api/v1/poot/${node.id}`);
      return credit_total === 4;
    });
  });
});

test("after all that the pool is well and has found no fault of its own", async () => {
  expect((await fetch(`${pool.url}/readyz`)).status).toBe(200);
  const faults = pool
    .log()
    .split("\n")
    .filter((line) => /"level":[56]0/.test(line));
  expect(faults).toEqual([]);
});
