import type { TLSSocket } from "node:tls";
import type { PoolError } from "@/std/errors.ts";
import type { Shown } from "./client-certificate.ts";

/** A stream that can be ended from our side. */
export interface Cuttable {
  cut(refusal: PoolError): void;
}

/** One TLS connection: what was shown when it was made, and the streams open on it. */
export class Connection {
  readonly peer: string;
  /** The IP address it came from. */
  readonly address: string;
  /** SHA-256 of the server leaf this connection was answered with. */
  readonly serverLeafHash: Uint8Array;
  readonly shown: Shown;
  readonly streams = new Set<Cuttable>();
  callsOpen = 0;
  /** Whom the certificate stands for, once a call has asked. */
  callerId: string | undefined;
  readonly #socket: TLSSocket;

  constructor(socket: TLSSocket, serverLeafHash: Uint8Array, shown: Shown) {
    this.#socket = socket;
    this.peer = peerOf(socket);
    this.address = addressOf(socket);
    this.serverLeafHash = serverLeafHash;
    this.shown = shown;
  }

  /** Ends its open streams with a refusal; calls with one answer may still get it. */
  cutStreams(refusal: PoolError): void {
    for (const stream of [...this.streams]) stream.cut(refusal);
  }

  /** Ends it and whatever is open on it. */
  destroy(): void {
    this.#socket.destroy();
  }
}

/** How grpc-js names the other end of a connection. */
export function peerOf(socket: TLSSocket): string {
  return `${socket.remoteAddress}:${socket.remotePort}`;
}

/** The IP address a socket came from; an IPv4 one as such on a dual-stack listener too. */
export function addressOf(socket: TLSSocket): string {
  return (socket.remoteAddress ?? "").replace(/^::ffff:/, "");
}
