import type { TLSSocket } from "node:tls";
import { networkOf } from "@/std/network.ts";
import { addressOf } from "./connection.ts";

/** One address may fill this part of the house with connections that showed no certificate of ours. */
const STRANGERS_SHARE = 4;

/** Who is in the house: so many connections in all, and of strangers so many from one address. */
export class Places {
  readonly #max: number;
  readonly #strangers = new Map<TLSSocket, string>();
  readonly #perAddress = new Map<string, number>();
  readonly #sockets = new Set<TLSSocket>();

  #onEmpty: (() => void) | undefined;

  constructor(max: number) {
    this.#max = max;
  }

  /** Gives a connection a place until it closes; false when the house is full. */
  take(socket: TLSSocket): boolean {
    const address = networkOf(addressOf(socket));
    const strangers = this.#perAddress.get(address) ?? 0;
    const strangersMax = Math.max(1, this.#max / STRANGERS_SHARE);
    if (this.#sockets.size >= this.#max || strangers >= strangersMax) return false;
    this.#sockets.add(socket);
    this.#strangers.set(socket, address);
    this.#perAddress.set(address, strangers + 1);
    socket.once("close", () => {
      this.recognise(socket);
      this.#leave(socket);
    });
    return true;
  }

  /** Answers once everybody has left; who has not after so long is shown the door. */
  async emptied(graceMs: number): Promise<void> {
    const force = setTimeout(() => this.#clear(), graceMs);
    await new Promise<void>((resolve) => {
      if (this.#sockets.size === 0) return resolve();
      this.#onEmpty = resolve;
    });
    clearTimeout(force);
  }

  /** The connection is no stranger, or is gone. */
  recognise(socket: TLSSocket): void {
    const address = this.#strangers.get(socket);
    if (address === undefined) return;
    this.#strangers.delete(socket);
    const left = (this.#perAddress.get(address) ?? 1) - 1;
    if (left > 0) this.#perAddress.set(address, left);
    else this.#perAddress.delete(address);
  }

  #leave(socket: TLSSocket): void {
    this.#sockets.delete(socket);
    if (this.#sockets.size === 0) this.#onEmpty?.();
  }

  #clear(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}
