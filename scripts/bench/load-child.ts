import type { Socket } from "bun";

/** What a load generator is started with. */
export interface LoadTerms {
  readonly connections: number;
}

/** One side of a comparison: where to ask, and what to send in turn. */
export interface Load {
  readonly port: number;
  readonly requests: readonly string[];
  readonly forMs: number;
}

/** Asks over HTTP/1.1 on kept connections, the next request only after the whole answer. */
export async function openLoad({ connections }: LoadTerms) {
  return {
    async run({ port, requests, forMs }: Load): Promise<number> {
      const askers = Array.from({ length: connections }, () => new Asker(requests));
      const sockets = await Promise.all(askers.map((asker) => asker.connect(port)));
      const beganMs = performance.now();
      for (const asker of askers) asker.ask();
      await Bun.sleep(forMs);
      const answered = askers.reduce((sum, asker) => sum + asker.answered, 0);
      const seconds = (performance.now() - beganMs) / 1000;
      for (const socket of sockets) socket.end();
      return answered / seconds;
    },
  };
}

const HEAD_END = Buffer.from("\r\n\r\n");
const NOTHING = Buffer.alloc(0);

/** One connection: asks, takes the whole answer in, asks again. */
class Asker {
  answered = 0;
  readonly #requests: readonly Buffer[];
  #socket: Socket | undefined;
  #head: Buffer = NOTHING;
  #missing = 0;

  constructor(requests: readonly string[]) {
    this.#requests = requests.map((request) => Buffer.from(request));
  }

  async connect(port: number): Promise<Socket> {
    const hear = (_: Socket, bytes: Buffer): void => this.#hear(bytes);
    const socket = { data: hear };
    this.#socket = await Bun.connect({ hostname: "127.0.0.1", port, socket });
    return this.#socket;
  }

  ask(): void {
    const request = this.#requests[this.answered % this.#requests.length];
    if (request) this.#socket?.write(request);
  }

  #hear(bytes: Buffer): void {
    if (this.#missing > 0) this.#missing -= bytes.length;
    else this.#begin(Buffer.concat([this.#head, bytes]));
    if (this.#missing > 0 || this.#head.length > 0) return;
    this.answered += 1;
    this.ask();
  }

  /** The head, which may come in pieces, says how long the body is. */
  #begin(bytes: Buffer): void {
    const end = bytes.indexOf(HEAD_END);
    this.#head = end < 0 ? bytes : NOTHING;
    if (end < 0) return;
    const head = bytes.toString("latin1", 0, end);
    const length = /^content-length: (\d+)/im.exec(head)?.[1];
    if (!head.startsWith("HTTP/1.1 200") || length === undefined) throw new Error(head);
    this.#missing = Number(length) - (bytes.length - end - HEAD_END.length);
  }
}
