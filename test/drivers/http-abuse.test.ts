import { afterAll, describe, expect, test } from "bun:test";
import { connect } from "node:tls";
import { Elysia } from "elysia";
import { httpWith, selfSigned } from "#test/support/http.ts";

const { server, listeners, faults } = await httpWith(() => [
  new Elysia().get("/health", () => "ok").post("/echo", ({ body }) => ({ body })),
  [
    { method: "GET", path: "/health", access: "anyone", class: "probe" },
    { method: "POST", path: "/echo", access: "anyone" },
  ],
]);
await server.identifyWith(await selfSigned("pool"));
await server.open();
afterAll(() => listeners.close(0));
const port = Number(new URL(server.urls().secure[0] ?? "").port);

/** Sends bytes over TLS and answers the first line of what comes back, or "closed". */
function say(bytes: string | Uint8Array): Promise<string> {
  return new Promise((resolve) => {
    let heard = "";
    const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
    const end = (): void => {
      resolve(heard.split("\r\n", 1)[0] || "closed");
      socket.destroy();
    };
    socket.on("secureConnect", () => socket.write(bytes));
    socket.on("data", (chunk: Buffer) => {
      heard += chunk.toString("latin1");
      if (heard.includes("\r\n\r\n")) end();
    });
    socket.on("error", end);
    socket.on("close", end);
  });
}

const get = (lines: string, path = "/health") =>
  `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${lines}\r\n`;
const post = (lines: string, body: string) =>
  `POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${lines}\r\n${body}`;

describe("over the network, through the front", () => {
  test.each([
    ["a header of 8 KB", get(`X: ${"x".repeat(8_000)}\r\n`), /200/],
    ["a header of 64 KB", get(`X: ${"x".repeat(65_536)}\r\n`), /431|closed/],
    ["a header of 1 MB", get(`X: ${"x".repeat(1_048_576)}\r\n`), /431|closed/],
    ["1,000 headers", get("X: y\r\n".repeat(1_000)), /431|400|closed/],
    ["an address of 64 KB", get("", `/${"x".repeat(65_536)}`), /431|414|closed/],
    [
      "a length and chunks",
      post("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
      /400/,
    ],
    ["two lengths", post("Content-Length: 2\r\nContent-Length: 3\r\n", "{}"), /400/],
    ["a negative length", post("Content-Length: -2\r\n", "{}"), /400/],
    ["a folded header", get("X: a\r\n b\r\n"), /400/],
    ["a space before the colon", get("X : a\r\n"), /400/],
    ["no host", "GET /health HTTP/1.1\r\n\r\n", /400/],
    ["bare line feeds", "GET /health HTTP/1.1\nHost: localhost\n\n", /40\d|505|closed/],
    ["a NUL", get("X: a\0b\r\n"), /40\d|505|closed/],
    ["HTTP/0.9", "GET /health\r\n\r\n", /40\d|505|closed/],
    ["a body of 2 MB", post("Content-Length: 2097152\r\n", "x".repeat(2_097_152)), /413|closed/],
    ["noise", new Uint8Array(2_048).map((_, at) => (at * 89) % 256), /40\d|505|closed/],
  ])("%s is answered as it should be", async (_, bytes, verdict) => {
    expect(await say(bytes)).toMatch(verdict);
    expect(await say(get(""))).toBe("HTTP/1.1 200 OK");
    expect(faults).toEqual([]);
  });

  test("a smuggled second request is not answered", async () => {
    const inner = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    const outer = post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", `0\r\n\r\n${inner}`);
    expect(await say(outer)).toContain("400");
  });

  test("1,000 connections at once are too many, and leave no trace", async () => {
    const dial = () =>
      new Promise<boolean>((resolve) => {
        const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
        socket.on("secureConnect", () => {
          resolve(true);
          setImmediate(() => socket.destroy());
        });
        socket.on("error", () => resolve(false));
        socket.on("close", () => resolve(false));
      });
    const taken = await Promise.all(Array.from({ length: 1_000 }, dial));
    expect(taken.filter(Boolean).length).toBeLessThan(1_000);
    while (listeners.connections() > 0) await new Promise((resolve) => setImmediate(resolve));
    expect(await say(get(""))).toBe("HTTP/1.1 200 OK");
  });
});
