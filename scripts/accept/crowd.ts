import { connect, type TLSSocket } from "node:tls";

/** Nearly what the pool takes as a body at all. */
const BODY = "x".repeat(900_000);
const READS = "GET /api/v1/nodes HTTP/1.1\r\nhost: board\r\n\r\n";
const WRITES = `POST /api/v1/pools HTTP/1.1\r\nhost: board\r\ncontent-type: application/json\r\ncontent-length: ${BODY.length}\r\n\r\n${BODY}`;
const WRITES_OF_TEN = 2;
const AGAIN_MS = 50;

interface Wish {
  /** A port of this host that leads to the pool's HTTPS. */
  readonly port: number;
  readonly connections: number;
  readonly forMs: number;
}

/** What became of a crowd. */
export interface Crowd {
  /** Connections that were made, those after a refusal included. */
  readonly opened: number;
  readonly answers: number;
  /** How often each HTTP status was answered. */
  readonly codes: Readonly<Record<string, number>>;
}

/**
 * Strangers at the door: many connections, each asking as fast as it is answered, and every fifth time with
 * a body that is nearly as large as the pool takes. Who is turned away comes again.
 */
export async function crowd({ port, connections, forMs }: Wish): Promise<Crowd> {
  const endMs = performance.now() + forMs;
  const codes: Record<string, number> = {};
  const sockets = new Set<TLSSocket>();
  let [opened, answers, asked] = [0, 0, 0];
  const come = (): void => {
    if (performance.now() > endMs) return;
    const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false });
    const ask = () => void socket.write(++asked % 10 < WRITES_OF_TEN ? WRITES : READS);
    sockets.add(socket);
    socket.on("secureConnect", () => {
      opened += 1;
      ask();
    });
    socket.on("data", (bytes) => {
      const code = /^HTTP\/1\.1 (\d+)/.exec(bytes.toString("latin1"))?.[1];
      if (code === undefined) return;
      answers += 1;
      codes[code] = (codes[code] ?? 0) + 1;
      ask();
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      sockets.delete(socket);
      setTimeout(come, AGAIN_MS);
    });
  };
  for (let one = 0; one < connections; one++) come();
  await Bun.sleep(forMs);
  for (const socket of sockets) socket.destroy();
  return { opened, answers, codes };
}
