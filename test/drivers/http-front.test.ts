import { afterEach, describe, expect, test } from "bun:test";
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Server } from "bun";
import { Elysia } from "elysia";
import { TestClock } from "#test/support/clock.ts";
import { frontTerms, httpWith, selfSigned } from "#test/support/http.ts";
import { Front, type FrontTerms } from "@/drivers/http/front.ts";

const open: Disposable[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one[Symbol.dispose]();
});

/** A front before a server that answers who it believes is asking, or `large` bytes. */
function frontWith(terms: Partial<FrontTerms> = {}) {
  const clock = new TestClock();
  const front = new Front({ ...frontTerms(clock), perAddressMax: 3, connectionsMax: 5, ...terms });
  const server: Server<undefined> = Bun.serve({
    port: 0,
    hostname: "127.0.0.2",
    async fetch(request): Promise<Response> {
      await request.arrayBuffer();
      const size = Number(new URL(request.url).searchParams.get("large") ?? 0);
      if (size > 0) return new Response("x".repeat(size));
      return new Response(front.addressBehind(server.requestIP(request)?.port) ?? "nobody");
    },
  });
  front.listen("::", 0);
  front.leadTo({ hostname: "127.0.0.2", port: server.port ?? 0 });
  open.push({
    [Symbol.dispose]() {
      front.close();
      front.cut();
      void server.stop(true);
    },
  });
  return { clock, front, server };
}

/** A connection that keeps what it hears. */
class Visitor {
  readonly socket: Socket;
  readonly closed: Promise<string>;
  heard = "";
  #wake = () => {};

  constructor(port: number, host = "127.0.0.1") {
    this.socket = connectTcp(port, host);
    this.socket.on("data", (bytes) => {
      this.heard += bytes.toString();
      this.#wake();
    });
    this.socket.on("error", () => {});
    this.closed = new Promise((resolve) => this.socket.on("close", () => resolve(this.heard)));
  }

  async hears(text: string): Promise<void> {
    while (!this.heard.includes(text)) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.heard = "";
  }

  async asks(path = "/"): Promise<void> {
    this.socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  }
}

describe("a front", () => {
  test.each(["127.0.0.1", "::1"])("tells who is before it at %s", async (host) => {
    const { front } = frontWith();
    const visitor = new Visitor(front.port, host);
    void visitor.asks();
    await visitor.hears(`\r\n\r\n${host}`);
    void visitor.asks();
    await visitor.hears(`\r\n\r\n${host}`);
    visitor.socket.end();
    await visitor.closed;
  });

  test("knows nobody who goes past it", async () => {
    const { server } = frontWith();
    expect(await (await fetch(`http://127.0.0.2:${server.port}/`)).text()).toBe("nobody");
  });

  test("passes on more than fits, to one who reads late", async () => {
    const { front } = frontWith();
    const visitor = new Visitor(front.port);
    visitor.socket.pause();
    visitor.socket.write(
      "GET /?large=9000000 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    );
    setImmediate(() => visitor.socket.resume());
    const heard = await visitor.closed;
    expect(heard.slice(heard.indexOf("\r\n\r\n") + 4)).toHaveLength(9_000_000);
  });

  test("takes so many of one address, and so many in all, and again when they have left", async () => {
    const { front } = frontWith();
    const first = [1, 2, 3].map(() => new Visitor(front.port));
    for (const visitor of first) {
      void visitor.asks();
      await visitor.hears("127.0.0.1");
    }
    expect(await new Visitor(front.port).closed).toBe("");
    const other = [1, 2].map(() => new Visitor(front.port, "::1"));
    for (const visitor of other) {
      void visitor.asks();
      await visitor.hears("::1");
    }
    expect(await new Visitor(front.port, "::1").closed).toBe("");
    expect(front.connections).toBe(5);
    first[0]?.socket.end();
    await first[0]?.closed;
    const next = new Visitor(front.port);
    void next.asks();
    await next.hears("127.0.0.1");
  });

  test("takes nobody when memory is short", async () => {
    const { front } = frontWith({ isFull: () => true });
    expect(await new Visitor(front.port).closed).toBe("");
  });

  test.each([
    ["is silent", "", 10_000],
    ["sends half a request", "GET / HTTP/1.1\r\nHost: loc", 20_000],
    [
      "sends a body that stalls",
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx",
      20_000,
    ],
  ])("ends one who %s", async (_, bytes, afterMs) => {
    const { front, clock } = frontWith();
    const calm = new Visitor(front.port, "::1");
    void calm.asks();
    await calm.hears("::1");
    const visitor = new Visitor(front.port);
    visitor.socket.write(bytes);
    // Another connection's answer shows that these bytes have arrived too.
    const later = new Visitor(front.port, "::1");
    void later.asks();
    await later.hears("::1");
    clock.advance(afterMs - 1_001);
    expect(front.connections).toBe(3);
    clock.advance(2_001);
    await visitor.closed;
    void later.asks();
    await later.hears("::1");
  });

  test("counts the time of a request, not of what is read slowly or kept open", async () => {
    const { front, clock } = frontWith();
    const visitor = new Visitor(front.port);
    for (let count = 0; count < 5; count++) {
      void visitor.asks();
      await visitor.hears("127.0.0.1");
      clock.advance(15_000);
    }
    expect(front.connections).toBe(1);
  });

  test("has no timer while nobody is there", async () => {
    const { front, clock } = frontWith();
    const visitor = new Visitor(front.port);
    void visitor.asks();
    await visitor.hears("127.0.0.1");
    expect(clock.waiting).toBe(1);
    visitor.socket.end();
    await visitor.closed;
    while (front.connections > 0) await new Promise((resolve) => setImmediate(resolve));
    expect(clock.waiting).toBe(0);
  });
});

test("the secure listener counts connections, before and after a renewal", async () => {
  const { server, listeners } = await httpWith(() => [
    new Elysia().get("/health", () => "ok"),
    [{ method: "GET", path: "/health", access: "anyone" }],
  ]);
  await server.identifyWith(await selfSigned("old"));
  await server.open();
  await server.identifyWith(await selfSigned("new"));
  const port = Number(new URL(server.urls().secure[0] ?? "").port);
  const dial = () =>
    new Promise<boolean>((resolve) => {
      const socket = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false });
      socket.on("secureConnect", () => resolve(true));
      socket.on("error", () => resolve(false));
      socket.on("close", () => resolve(false));
    });
  const taken: boolean[] = [];
  for (let count = 0; count < 10; count++) taken.push(await dial());
  expect(taken.filter(Boolean)).toHaveLength(8);
  expect(listeners.connections()).toBe(8);
  await listeners.close(0);
});
