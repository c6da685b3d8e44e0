import { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";

/**
 * A secure connection whose bytes are looked at before HTTP/2 sees them. Bun's HTTP/2 reads a TLS
 * socket below JavaScript; through this it cannot.
 */
export class CountedSocket extends Duplex {
  readonly encrypted = true;
  readonly #socket: TLSSocket;

  /** Ends the connection as soon as `accept` says no to what came in. */
  constructor(socket: TLSSocket, accept: (bytes: Uint8Array) => boolean) {
    super({ allowHalfOpen: false });
    this.#socket = socket;
    socket.on("data", (bytes: Buffer) => {
      if (this.destroyed) return;
      if (!accept(bytes)) socket.destroy();
      else if (!this.push(bytes)) socket.pause();
    });
    socket.on("end", () => void (this.destroyed || this.push(null)));
    socket.on("close", () => this.destroy());
    this.on("error", () => socket.destroy());
  }

  get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress;
  }

  get remotePort(): number | undefined {
    return this.#socket.remotePort;
  }

  get localAddress(): string | undefined {
    return this.#socket.localAddress;
  }

  get localPort(): number | undefined {
    return this.#socket.localPort;
  }

  get alpnProtocol(): string | false | null {
    return this.#socket.alpnProtocol;
  }

  setNoDelay(on?: boolean): this {
    this.#socket.setNoDelay(on);
    return this;
  }

  /** Idle connections are found by pings, not by a timeout of the socket. */
  setTimeout(): this {
    return this;
  }

  ref(): this {
    this.#socket.ref();
    return this;
  }

  unref(): this {
    this.#socket.unref();
    return this;
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(bytes: Buffer, _: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.write(bytes, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end(() => done());
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }
}
