import { connect, type TLSSocket } from "node:tls";

/** What a client of HTTP/2 says first. */
export const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** One frame of HTTP/2, right or wrong. */
export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Uint8Array = new Uint8Array(),
): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header.writeUInt8(type, 3);
  header.writeUInt8(flags, 4);
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

/** The header block of a call of GetAuthority, every field as a literal. */
export function callHeaders(): Buffer {
  const fields = [
    [":method", "POST"],
    [":scheme", "http"],
    [":path", "/galaxy.pool.v1.Enrolment/GetAuthority"],
    [":authority", "pool"],
    ["te", "trailers"],
    ["content-type", "application/grpc"],
  ] as const;
  return Buffer.concat(
    fields.flatMap(([name, value]) => [
      Buffer.from([0, name.length]),
      Buffer.from(name),
      Buffer.from([value.length]),
      Buffer.from(value),
    ]),
  );
}

/** A connection that sends whatever bytes it is told to. */
export class RawHttp2 {
  readonly socket: TLSSocket;
  readonly closed: Promise<void>;
  heard = 0;
  isClosed = false;

  static open(port: number): Promise<RawHttp2> {
    return new Promise((resolve, reject) => {
      const terms = { port, host: "127.0.0.1", ALPNProtocols: ["h2"], rejectUnauthorized: false };
      const socket = connect(terms, () => resolve(new RawHttp2(socket)));
      socket.on("error", reject);
    });
  }

  private constructor(socket: TLSSocket) {
    this.socket = socket;
    socket.on("data", (bytes: Buffer) => {
      this.heard += bytes.length;
    });
    socket.on("error", () => {});
    this.closed = new Promise((resolve) => {
      socket.on("close", () => {
        this.isClosed = true;
        resolve();
      });
    });
  }

  /** Sends until everything has left or the other end has had enough. */
  async send(...parts: readonly Uint8Array[]): Promise<void> {
    for (const part of parts) {
      if (this.isClosed) return;
      await new Promise<void>((resolve) => {
        this.socket.write(part, () => resolve());
        void this.closed.then(resolve);
      });
    }
  }
}
