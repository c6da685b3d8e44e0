import { afterAll, describe, expect, test } from "bun:test";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { Elysia } from "elysia";
import {
  httpWith,
  type Mount,
  requestOf,
  selfSigned,
  sendRaw,
  TEST_BODY_BYTES,
} from "#test/support/http.ts";

const echo: Mount = (http) => [
  new Elysia()
    .get("/api/v1/who", ({ request }) => ({ address: http.addressOf(request) }))
    .get("/health", () => "ok")
    .post("/api/v1/echo", ({ body, request }) => ({ body, from: http.addressOf(request) })),
  [
    { method: "GET", path: "/api/v1/who", access: ["admin"] },
    { method: "GET", path: "/health", access: "anyone" },
    { method: "POST", path: "/api/v1/echo", access: ["admin"] },
  ],
];

const world = await httpWith(echo);
const old = await selfSigned("old");
const renewed = await selfSigned("renewed");
await world.server.identifyWith(old);
await world.server.open();
afterAll(() => world.listeners.close(100));

const { plain, secure } = world.server.urls();
const [url = ""] = plain;
const securePort = Number(new URL(secure[0] ?? "").port);

/** A TLS connection to the secure listener. */
function dial(options: ConnectionOptions = {}): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect(
      { host: "127.0.0.1", port: securePort, rejectUnauthorized: false, ...options },
      () => resolve(socket),
    );
    socket.on("error", reject);
  });
}

/** One request over an open connection, answered when its body is there. */
function askOver(socket: TLSSocket): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let heard = "";
  socket.on("data", (chunk: Buffer) => {
    heard += chunk.toString();
    if (heard.endsWith("ok")) resolve(heard);
  });
  socket.write("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
  return promise;
}

async function nameShown(): Promise<string> {
  const socket = await dial();
  const { subject } = socket.getPeerCertificate();
  socket.end();
  return `${subject.CN}`;
}

describe("the plain listener", () => {
  test("is on both loopbacks, and says on which port", async () => {
    expect(plain.map((each) => new URL(each).hostname)).toEqual(["127.0.0.1", "[::1]"]);
    for (const each of plain) {
      const response = await fetch(requestOf("GET", `${each}/api/v1/who`, { as: "admin" }));
      const address = new URL(each).hostname.replace(/[[\]]/g, "");
      expect(await response.json()).toEqual({ address });
    }
  });

  test("answers HEAD with the length of GET and without a body", async () => {
    const heard = await sendRaw(
      url,
      "HEAD /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    );
    expect(heard.toLowerCase()).toContain("content-length: 2\r\n");
    expect(heard).toEndWith("\r\n\r\n");
  });

  test.each(["a", "pi", "nas", "localhost", "localhost:1"])(
    "finds the same address under the host name %s",
    async (host) => {
      const path = "/api/v1/who";
      const heard = await sendRaw(
        url,
        `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer admin\r\nConnection: close\r\n\r\n`,
      );
      expect(heard).toStartWith("HTTP/1.1 200");
      expect(heard).toEndWith('{"address":"127.0.0.1"}');
    },
  );

  test("is not misled by a short host name to another address", async () => {
    const heard = await sendRaw(
      url,
      "GET /abc/api/v1/who HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    );
    expect(heard).toStartWith("HTTP/1.1 404");
  });

  test.each([
    ["HTTP/1.0 without a host", "HTTP/1.0\r\n"],
    ["an empty host", "HTTP/1.1\r\nHost:\r\nConnection: close\r\n"],
    ["a host that is none", "HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n"],
  ])("answers %s as any other", async (_, rest) => {
    expect(await sendRaw(url, `GET /health ${rest}\r\n`)).toStartWith("HTTP/1.1 200");
    expect(await sendRaw(url, `HEAD /health ${rest}\r\n`)).toStartWith("HTTP/1.1 200");
    expect(await sendRaw(url, `GET /nothing?at=://localhost/health ${rest}\r\n`)).toStartWith(
      "HTTP/1.1 404",
    );
  });

  test("takes a chunked body, and refuses a large one as any other", async () => {
    const send = (body: string) =>
      sendRaw(
        url,
        "POST /api/v1/echo HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer admin\r\n" +
          "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n" +
          `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
      );
    expect(await send('{"a":1}')).toEndWith('{"body":{"a":1},"from":"127.0.0.1"}');
    const heard = await send(JSON.stringify("x".repeat(TEST_BODY_BYTES)));
    expect(heard).toStartWith("HTTP/1.1 413");
    expect(heard).toContain("request.too_large");
  });

  test("cuts off a body that is far too large", async () => {
    const head =
      "POST /api/v1/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n";
    expect(await sendRaw(url, head)).toStartWith("HTTP/1.1 413");
  });

  test.each([
    ["noise", new Uint8Array(512).map((_, at) => (at * 89) % 256)],
    ["a TLS greeting", new Uint8Array([22, 3, 1, 0, 4, 1, 0, 0, 0, 13, 10, 13, 10])],
    [
      "two lengths",
      "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    ],
    [
      "a length and chunks",
      "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
    ["a negative length", "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"],
    ["no host", "GET /health HTTP/1.1\r\n\r\n"],
    ["a header past all measure", `GET / HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(100_000)}\r\n\r\n`],
    ["HTTP/0.9", "GET /health\r\n\r\n"],
  ])("closes on %s and lives on", async (_, bytes) => {
    expect(await sendRaw(url, bytes)).not.toContain("200 OK");
    expect(await (await fetch(`${url}/health`)).text()).toBe("ok");
  });
});

describe("the secure listener", () => {
  test.each([
    ["TLS 1.1", { maxVersion: "TLSv1.1", minVersion: "TLSv1" }],
    ["a CBC suite", { maxVersion: "TLSv1.2", ciphers: "ECDHE-ECDSA-AES128-SHA" }],
  ] as const)("refuses %s", async (_, options) => {
    await expect(dial({ ...options })).rejects.toThrow();
  });

  test.each([
    ["TLS 1.2 with an AEAD suite", { maxVersion: "TLSv1.2" }, "TLSv1.2"],
    ["TLS 1.3", {}, "TLSv1.3"],
  ] as const)("speaks %s", async (_, options, protocol) => {
    const socket = await dial({ ...options });
    expect(socket.getProtocol()).toBe(protocol);
    expect(await askOver(socket)).toMatch(/strict-transport-security: max-age=/i);
    socket.end();
  });

  test("shows a renewed certificate without dropping who is connected", async () => {
    const before = await dial();
    expect(await nameShown()).toBe("old");
    await world.server.identifyWith(renewed);
    for (let tries = 0; tries < 8; tries++) expect(await nameShown()).toBe("renewed");
    expect(await askOver(before)).toContain("200 OK");
    before.end();
    expect(world.server.urls().secure).toEqual([...secure]);
  });

  test("stays shut until it has an identity, then opens", async () => {
    const other = await httpWith(echo);
    await other.server.open();
    expect(other.server.urls().secure).toEqual([]);
    await other.server.identifyWith(old);
    expect(other.server.urls().secure).toHaveLength(1);
    await other.listeners.close(100);
  });
});
