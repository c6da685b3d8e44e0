import type { Socket, TCPSocketListener } from "bun";
import type { Clock } from "@/ports/clock.ts";
import { networkOf } from "@/std/network.ts";

/** How many connections there may be, and how long one may take over a request. */
export interface FrontTerms {
  readonly clock: Clock;
  readonly connectionsMax: number;
  readonly perAddressMax: number;
  readonly requestMs: number;
  readonly idleMs: number;
  /** Whether there is no memory for another connection. */
  readonly isFull: () => boolean;
}

/** One visitor's connection and our own behind it. */
interface Line {
  readonly address: string;
  readonly outer: Socket<Side>;
  inner: Socket<Side> | undefined;
  /** Since when something the visitor sent is without any answer. */
  askedMs: number | undefined;
  /** Whether the visitor has sent anything at all. */
  isHeard: boolean;
}

/** One end of a line: what could not be written to it yet. */
interface Side {
  readonly line: Line;
  readonly isOuter: boolean;
  readonly unsent: Uint8Array[];
  isEnding: boolean;
}

const LOOK_EVERY_MS = 1_000;

/**
 * What the network sees of a listener. Bun does not show the connections of its HTTP server, so this
 * takes them, counts them and passes bytes on as they are to a listener on the loopback. Who is at the
 * other end is known there by the port our own connection came from.
 */
export class Front {
  readonly #terms: FrontTerms;
  readonly #lines = new Set<Line>();
  readonly #perNetwork = new Map<string, number>();
  readonly #byPort = new Map<number, Line>();
  #behind = { hostname: "", port: 0 };
  #listener: TCPSocketListener<Side> | undefined;
  #endLooking: (() => void) | undefined;

  constructor(terms: FrontTerms) {
    this.#terms = terms;
  }

  get port(): number {
    return this.#listener?.port ?? 0;
  }

  get hostname(): string {
    return this.#listener?.hostname ?? "";
  }

  get connections(): number {
    return this.#lines.size;
  }

  listen(hostname: string, port: number): void {
    this.#listener = Bun.listen<Side>({
      hostname,
      port,
      exclusive: true,
      socket: {
        open: (socket) => this.#arrive(socket),
        data: (socket, bytes) => this.#passOn(socket, bytes),
        drain: (socket) => this.#drain(socket),
        close: (socket) => this.#leave(socket),
        error: (socket) => void socket.terminate(),
      },
    });
  }

  /** Where new connections lead; those that are open stay where they are. */
  leadTo(behind: { readonly hostname: string; readonly port: number }): void {
    this.#behind = { ...behind };
  }

  /** The visitor behind a connection of ours, by its port; undefined when it is none of ours. */
  addressBehind(port: number | undefined): string | undefined {
    return port === undefined ? undefined : this.#byPort.get(port)?.address;
  }

  /** Takes nobody in any more. */
  close(): void {
    this.#listener?.stop();
    this.#listener = undefined;
  }

  /** Ends every connection. */
  cut(): void {
    for (const { outer } of [...this.#lines]) outer.terminate();
  }

  #arrive(outer: Socket<Side>): void {
    const address = outer.remoteAddress.replace(/^::ffff:/, "");
    const line: Line = { address, outer, inner: undefined, askedMs: undefined, isHeard: false };
    outer.data = { line, isOuter: true, unsent: [], isEnding: false };
    if (!this.#take(line)) return void outer.terminate();
    outer.pause();
    const { hostname, port } = this.#behind;
    const refused = (): void => void outer.terminate();
    Bun.connect<Side>({
      hostname,
      port,
      data: { line, isOuter: false, unsent: [], isEnding: false },
      socket: {
        open: (inner) => this.#joined(line, inner),
        data: (inner, bytes) => this.#passOn(inner, bytes),
        drain: (inner) => this.#drain(inner),
        close: (inner) => this.#leave(inner),
        error: (inner) => void inner.terminate(),
        connectError: refused,
      },
    }).catch(refused);
  }

  /** Counts a visitor, or says that there is no place. */
  #take(line: Line): boolean {
    const { clock, connectionsMax, perAddressMax, idleMs, isFull } = this.#terms;
    const network = networkOf(line.address);
    const beside = this.#perNetwork.get(network) ?? 0;
    if (this.#lines.size >= connectionsMax || beside >= perAddressMax || isFull()) return false;
    this.#lines.add(line);
    this.#perNetwork.set(network, beside + 1);
    // Who connects and is silent is taken for one who asks and does not come to the point.
    line.askedMs = clock.monotonic() + Math.min(0, idleMs - this.#terms.requestMs);
    this.#endLooking ??= clock.every(LOOK_EVERY_MS, () => this.#look());
    return true;
  }

  #joined(line: Line, inner: Socket<Side>): void {
    if (!this.#lines.has(line)) return void inner.terminate();
    line.inner = inner;
    this.#byPort.set(inner.localPort, line);
    line.outer.resume();
  }

  #passOn(from: Socket<Side>, bytes: Uint8Array): void {
    const { line, isOuter } = from.data;
    const to = isOuter ? line.inner : line.outer;
    if (!to) return void from.terminate();
    if (!isOuter) line.askedMs = undefined;
    else if (line.isHeard) line.askedMs ??= this.#terms.clock.monotonic();
    else line.askedMs = this.#terms.clock.monotonic();
    if (isOuter) line.isHeard = true;
    if (!send(to, bytes)) from.pause();
  }

  #drain(to: Socket<Side>): void {
    const { line, isOuter, unsent } = to.data;
    while (unsent[0]) {
      const sent = Math.max(0, to.write(unsent[0]));
      if (sent < unsent[0].length) {
        unsent[0] = unsent[0].subarray(sent);
        return;
      }
      unsent.shift();
    }
    const from = isOuter ? line.inner : line.outer;
    from?.resume();
    if (to.data.isEnding) to.end();
  }

  /** One end is gone: the other follows, a visitor once he has been sent all there is. */
  #leave(gone: Socket<Side>): void {
    const side: Side | undefined = gone.data;
    if (!side) return;
    const { line, isOuter } = side;
    if (isOuter) {
      this.#forget(line);
      line.inner?.end();
      return;
    }
    if (this.#byPort.get(gone.localPort) === line) this.#byPort.delete(gone.localPort);
    line.outer.data.isEnding = true;
    if (line.outer.data.unsent.length === 0) line.outer.end();
  }

  #forget(line: Line): void {
    if (!this.#lines.delete(line)) return;
    const network = networkOf(line.address);
    const left = (this.#perNetwork.get(network) ?? 1) - 1;
    if (left > 0) this.#perNetwork.set(network, left);
    else this.#perNetwork.delete(network);
    if (this.#lines.size > 0) return;
    this.#endLooking?.();
    this.#endLooking = undefined;
  }

  /** Ends what takes too long: a header that dribbles, a body that stalls, a handshake that hangs. */
  #look(): void {
    const latestMs = this.#terms.clock.monotonic() - this.#terms.requestMs;
    for (const line of [...this.#lines]) {
      if (line.askedMs !== undefined && line.askedMs <= latestMs) line.outer.terminate();
    }
  }
}

/** Writes what can be written now and keeps the rest; false when the other end should wait. */
function send(to: Socket<Side>, bytes: Uint8Array): boolean {
  const { unsent } = to.data;
  if (unsent.length > 0) {
    unsent.push(Uint8Array.from(bytes));
    return false;
  }
  const sent = Math.max(0, to.write(bytes));
  if (sent === bytes.length) return true;
  unsent.push(Uint8Array.from(bytes.subarray(sent)));
  return false;
}
