import { once } from "node:events";
import { createSecureServer, type Http2SecureServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { create, toBinary } from "@bufbuild/protobuf";
import { AuthoritySchema } from "@/proto/enrolment_pb.ts";
import { selfSigned } from "./http.ts";

/** Everything one request carried. */
export interface Heard {
  readonly path: string;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Buffer;
}

/**
 * Somebody in between: answers on a gRPC port under a certificate of their own, hands out whatever root
 * a test gives them, and keeps everything they are sent, decrypted.
 */
export class RecordingPool implements AsyncDisposable {
  readonly heard: Heard[] = [];
  connections = 0;
  readonly #server: Http2SecureServer;
  readonly #authority: Buffer;

  private constructor(server: Http2SecureServer, rootDer: Uint8Array) {
    this.#server = server;
    const said = { rootCertificate: rootDer, poolTimeMs: BigInt(Date.now()) };
    this.#authority = framed(toBinary(AuthoritySchema, create(AuthoritySchema, said)));
    server.on("session", () => this.connections++);
    server.on("stream", (stream, headers) => this.#hear(stream as ServerHttp2Stream, headers));
  }

  /** Listens on a free port and shows `rootDer` to whoever asks for the authority. */
  static async open(rootDer: Uint8Array): Promise<RecordingPool> {
    const { certificatePem: cert, privateKeyPem: key } = await selfSigned("somebody else");
    const server = createSecureServer({ cert, key, minVersion: "TLSv1.3" });
    const pool = new RecordingPool(server, rootDer);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return pool;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** All that was heard as one text, one letter a byte. */
  everything(): string {
    const parts = this.heard.flatMap(({ headers, body }) => [
      JSON.stringify(headers),
      body.toString("latin1"),
    ]);
    return parts.join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
  }

  #hear(stream: ServerHttp2Stream, headers: Readonly<Record<string, unknown>>): void {
    const chunks: Buffer[] = [];
    stream.on("error", () => {});
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => {
      const path = String(headers[":path"]);
      this.heard.push({ path, headers: { ...headers }, body: Buffer.concat(chunks) });
      stream.respond(
        { ":status": 200, "content-type": "application/grpc" },
        { waitForTrailers: true },
      );
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.end(this.#authority);
    });
  }
}

/** A gRPC message: not compressed, so long, and the bytes. */
function framed(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}
