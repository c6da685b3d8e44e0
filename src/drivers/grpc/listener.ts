import type { AddressInfo } from "node:net";
import { createServer, type SecureContextOptions, type Server, type TLSSocket } from "node:tls";
import type { Certificates } from "@/ports/certificates.ts";
import type { Clock } from "@/ports/clock.ts";
import type { ServerIdentity } from "@/ports/grpc.ts";
import { assert } from "@/std/assert.ts";
import { sha256 } from "@/std/crypto.ts";
import { PoolError } from "@/std/errors.ts";
import { addressText, type ListenAddress } from "./address.ts";
import { judge } from "./client-certificate.ts";
import { Connection } from "./connection.ts";
import { CountedSocket } from "./counted-socket.ts";
import { FrameBudget } from "./frame-budget.ts";
import { Places } from "./places.ts";

const HANDSHAKE_MS_MAX = 10_000;
const CONNECTIONS_PER_KEY_MAX = 4;
/** Enrolling takes seconds; who shows no certificate of ours may not hold a place for longer. */
const STRANGER_MS_MAX = 60_000;

/** What the listener is made of. */
export interface ListenerParts {
  readonly certificates: Certificates;
  readonly clock: Clock;
  readonly connectionsMax: number;
  readonly framesPerSecond: number;
  /** Whether there is no memory for another connection. */
  readonly isFull: () => boolean;
  /** Told that a connection was ended for a flood of frames. */
  readonly onFlood: (address: string) => void;
  /** Whether the pool knows who showed this now; so it can be told who must go, also before it calls. */
  readonly knows: (connection: Connection) => boolean;
  /** Takes a connection over once it is known who showed what. */
  readonly admit: (socket: CountedSocket) => void;
}

/**
 * The TLS side of the server: TLS 1.3 only, a client certificate asked for and not demanded. grpc-js
 * is handed connections that are already secure, so that renewal, limits and who is at the other end
 * are ours to settle, once per connection.
 */
export class Listener {
  readonly #parts: ListenerParts;
  readonly #places: Places;
  readonly #connections = new Map<string, Connection>();
  #server: Server | undefined;
  #identity: ServerIdentity | undefined;
  #roots: readonly Uint8Array[] = [];

  constructor(parts: ListenerParts) {
    this.#parts = parts;
    this.#places = new Places(parts.connectionsMax);
  }

  /** Sets or renews the identity; connections that are open keep the one they saw. */
  identifyWith(identity: ServerIdentity): void {
    this.#roots = rootsIn(identity.rootPem, this.#parts.certificates);
    this.#identity = identity;
    this.#server?.setSecureContext(contextOf(identity));
  }

  /** Listens; the answer is the port. On a host without IPv6, `::` means every IPv4 address. */
  async listen({ host, port }: ListenAddress): Promise<number> {
    assert(this.#identity, "the gRPC server has no identity");
    const server = createServer({
      ...contextOf(this.#identity),
      requestCert: true,
      rejectUnauthorized: false,
      handshakeTimeout: HANDSHAKE_MS_MAX,
      ALPNProtocols: ["h2"],
    });
    server.on("connection", (socket: TLSSocket) => this.#onSocket(socket));
    server.on("secureConnection", (socket) => this.#onSecure(socket));
    server.on("tlsClientError", (_error, socket) => socket.destroy());
    await listening(server, host, port);
    server.on("error", () => {}); // A connection that could not be accepted is the caller's loss.
    this.#server = server;
    return (server.address() as AddressInfo).port;
  }

  /** The connection grpc-js names so; undefined when it is gone. */
  find(peer: string): Connection | undefined {
    return this.#connections.get(peer);
  }

  connections(): Connection[] {
    return [...this.#connections.values()];
  }

  /** Takes no new connections. */
  close(): void {
    this.#server?.close();
  }

  /** Answers once every connection has ended; what has not after so long is ended. */
  emptied(graceMs: number): Promise<void> {
    return this.#places.emptied(graceMs);
  }

  #onSocket(socket: TLSSocket): void {
    socket.on("error", () => socket.destroy());
    if (this.#parts.isFull() || !this.#places.take(socket)) socket.destroy();
  }

  #onSecure(socket: TLSSocket): void {
    const leaf = rawOf(socket.getCertificate());
    if (socket.alpnProtocol !== "h2" || socket.getProtocol() !== "TLSv1.3" || !leaf) {
      socket.destroy();
      return;
    }
    const { certificates, admit } = this.#parts;
    const shown = judge(rawOf(socket.getPeerCertificate()), this.#roots, certificates);
    const connection = new Connection(socket, sha256(leaf), shown);
    if (shown.type === "ours") this.#makeRoomFor(shown.key);
    if (this.#parts.knows(connection)) this.#places.recognise(socket);
    else this.#limitStay(socket);
    this.#connections.set(connection.peer, connection);
    socket.once("close", () => this.#forget(connection));
    admit(this.#counted(connection, socket));
  }

  /** Whoever sends far more frames than any call needs is cut off before they are worked on. */
  #counted(connection: Connection, socket: TLSSocket): CountedSocket {
    const { clock, framesPerSecond, onFlood } = this.#parts;
    const budget = new FrameBudget(framesPerSecond, clock.monotonic());
    return new CountedSocket(socket, (bytes) => {
      if (budget.spend(bytes, clock.monotonic())) return true;
      onFlood(connection.address);
      return false;
    });
  }

  /** A node that lost its network leaves dead connections behind: the oldest makes room. */
  #makeRoomFor(key: string): void {
    const own = this.connections().filter(
      ({ shown }) => shown.type === "ours" && shown.key === key,
    );
    if (own.length >= CONNECTIONS_PER_KEY_MAX) own[0]?.destroy();
  }

  #limitStay(socket: TLSSocket): void {
    const cancel = this.#parts.clock.after(STRANGER_MS_MAX, () => socket.destroy());
    socket.once("close", cancel);
  }

  #forget(connection: Connection): void {
    if (this.#connections.get(connection.peer) !== connection) return;
    this.#connections.delete(connection.peer);
  }
}

/** Everything of it is stated at each renewal: a context does not remember the one before. */
function contextOf({ leaf, rootPem }: ServerIdentity): SecureContextOptions {
  return {
    cert: leaf.certificatePem,
    key: leaf.privateKeyPem,
    ca: rootPem,
    minVersion: "TLSv1.3",
  };
}

function rootsIn(rootPem: string, certificates: Certificates): Uint8Array[] {
  const blocks = rootPem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  assert(blocks.length > 0, "the identity names no root");
  return blocks.map((pem) => certificates.toDer(pem));
}

function rawOf(certificate: object | null | undefined): Uint8Array | undefined {
  if (!certificate || !("raw" in certificate)) return undefined;
  return certificate.raw instanceof Uint8Array ? new Uint8Array(certificate.raw) : undefined;
}

async function listening(server: Server, host: string, port: number): Promise<void> {
  try {
    await bound(server, host, port);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    if (host !== "::" || !["EAFNOSUPPORT", "EADDRNOTAVAIL", "EINVAL"].includes(code))
      throw cannotListen(host, port, error);
    await bound(server, "0.0.0.0", port);
  }
}

/** Whoever has the port, or the lack of an address, may pass; what this user may not do will not. */
function cannotListen(host: string, port: number, error: unknown): PoolError {
  const { code, message } = error as NodeJS.ErrnoException;
  const address = addressText({ host, port });
  return new PoolError(
    code === "EACCES" ? "denied" : "unavailable",
    "grpc.cannot_listen",
    `Cannot listen on ${address} (${message}). Is something else listening there? ` +
      "Set another server.address in the configuration.",
    {},
    error,
  );
}

function bound(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port, backlog: 511 }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
