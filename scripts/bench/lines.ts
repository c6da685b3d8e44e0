import { Client, type ClientDuplexStream, credentials } from "@grpc/grpc-js";
import type { CertificatePair } from "@/ports/certificates.ts";

/** A server and how its clients show who they are: one connection for each identity. */
export interface Target {
  readonly address: string;
  readonly rootPem: string;
  /** The name in its certificate. */
  readonly name: string;
  readonly identities: readonly CertificatePair[];
}

/** When a burst began and ended, on the clock all processes share. */
export interface Burst {
  readonly beganMs: number;
  readonly endedMs: number;
}

type Send = (at: number, message: Buffer, done: (reply: Buffer) => void) => void;

const OPTIONS = { "grpc.use_local_subchannel_pool": 1, "grpc.enable_channelz": 0 };
const CONNECT_MS = 60_000;
const TOGETHER = 20;

/** The same client for every server that is compared: bytes out, bytes in, one line per node. */
export class Lines {
  readonly #clients: readonly Client[];
  #streams: readonly ClientDuplexStream<Buffer, Buffer>[] = [];
  #done: ((reply: Buffer) => void)[] = [];

  private constructor(clients: readonly Client[]) {
    this.#clients = clients;
  }

  static async open({ address, rootPem, name, identities }: Target): Promise<Lines> {
    const options = { ...OPTIONS, "grpc.ssl_target_name_override": name };
    const clients = identities.map(({ certificatePem, privateKeyPem }) => {
      const files = [rootPem, privateKeyPem, certificatePem].map((pem) => Buffer.from(pem));
      return new Client(
        address,
        credentials.createSsl(...(files as [Buffer, Buffer, Buffer])),
        options,
      );
    });
    for (let at = 0; at < clients.length; at += TOGETHER) {
      await Promise.all(clients.slice(at, at + TOGETHER).map(ready));
    }
    return new Lines(clients);
  }

  /** Sends each line's message as a call of its own, so many under way at once. */
  calls(
    path: string,
    messages: readonly Buffer[],
    window: number,
  ): Promise<Burst & { replies: Buffer[] }> {
    return burst(messages, window, (at, message, done) => {
      this.#clients[at]?.makeUnaryRequest(path, asIs, asIs, message, (error, reply) => {
        if (error) throw error;
        if (reply) done(reply);
      });
    });
  }

  /** Opens a stream on each line. */
  openStreams(path: string): void {
    this.#streams = this.#clients.map((client, at) => {
      const stream = client.makeBidiStreamRequest(path, asIs, asIs);
      stream.on("data", (reply: Buffer) => this.#done[at]?.(reply));
      return stream;
    });
  }

  /** Sends each line's message on its stream, so many under way at once. */
  writes(messages: readonly Buffer[], window: number): Promise<Burst & { replies: Buffer[] }> {
    return burst(messages, window, (at, message, done) => {
      this.#done[at] = done;
      this.#streams[at]?.write(message);
    });
  }

  /** Sends one message on one line's stream; answers with what comes back. */
  ask(at: number, message: Buffer): Promise<Buffer> {
    return new Promise((resolve) => {
      this.#done[at] = resolve;
      this.#streams[at]?.write(message);
    });
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }
}

function ready(client: Client): Promise<void> {
  return new Promise((resolve, reject) => {
    client.waitForReady(Date.now() + CONNECT_MS, (error) => (error ? reject(error) : resolve()));
  });
}

function burst(
  messages: readonly Buffer[],
  window: number,
  send: Send,
): Promise<Burst & { replies: Buffer[] }> {
  const replies: Buffer[] = new Array(messages.length);
  const beganMs = sharedNow();
  return new Promise((resolve) => {
    let [sent, heard] = [0, 0];
    const next = (): void => {
      const at = sent++;
      const message = messages[at];
      if (!message) return;
      send(at, message, (reply) => {
        replies[at] = reply;
        heard += 1;
        if (heard === messages.length) resolve({ beganMs, endedMs: sharedNow(), replies });
        else next();
      });
    };
    for (let open = 0; open < window; open++) next();
  });
}

function sharedNow(): number {
  return performance.timeOrigin + performance.now();
}

function asIs(bytes: Buffer): Buffer {
  return bytes;
}
