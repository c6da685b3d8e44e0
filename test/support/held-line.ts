import { connect, createServer, type Server, type Socket } from "node:net";

/** A line to a TCP address on which new connections can be made to hang. */
export class HeldLine implements Disposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #waiting: (() => void)[] = [];
  #isHeld = false;

  private constructor(port: number) {
    this.#server = createServer((caller) => {
      this.#keep(caller);
      const forward = () => this.#join(caller, connect(port, "127.0.0.1"));
      if (this.#isHeld) this.#waiting.push(forward);
      else forward();
    });
  }

  /** Forwards to a port of this machine. */
  static async open(port: number): Promise<HeldLine> {
    const line = new HeldLine(port);
    await new Promise<void>((resolve) => line.#server.listen(0, "127.0.0.1", resolve));
    return line;
  }

  get address(): string {
    const address = this.#server.address();
    return `127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
  }

  /** How many connections hang. */
  get held(): number {
    return this.#waiting.length;
  }

  /** From now on whoever connects hears nothing; who is connected goes on. */
  hold(): void {
    this.#isHeld = true;
  }

  /** Those that hang go on, too. */
  release(): void {
    this.#isHeld = false;
    for (const forward of this.#waiting.splice(0)) forward();
  }

  [Symbol.dispose](): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(caller: Socket, peer: Socket): void {
    this.#keep(peer);
    caller.pipe(peer).pipe(caller);
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#sockets.delete(socket));
  }
}
