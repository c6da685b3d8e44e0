import type { Caller } from "@/core/caller.ts";
import type { Call } from "@/ports/grpc.ts";
import type { Connection } from "./connection.ts";

/** One call under way. It is over once it was answered, or once there is nobody to answer. */
export class OpenCall implements Call {
  readonly caller: Caller | undefined;
  readonly connection: Connection;
  #controller: AbortController | undefined;
  #state: "open" | "answered" | "aborted" = "open";

  constructor(connection: Connection, caller: Caller | undefined) {
    this.connection = connection;
    this.caller = caller;
    connection.callsOpen++;
  }

  get address(): string {
    return this.connection.address;
  }

  get serverLeafHash(): Uint8Array {
    return this.connection.serverLeafHash;
  }

  /** Made on demand: most calls are over before anybody asks. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#state === "aborted") this.#controller.abort();
    return this.#controller.signal;
  }

  get isOver(): boolean {
    return this.#state !== "open";
  }

  /** It was answered. grpc-js reports "cancelled" after that too; nothing comes of it. */
  end(): void {
    this.#leave("answered");
  }

  /** Nobody waits for the answer any more. */
  abort(): void {
    if (this.#leave("aborted")) this.#controller?.abort();
  }

  #leave(state: "answered" | "aborted"): boolean {
    if (this.isOver) return false;
    this.#state = state;
    this.connection.callsOpen--;
    return true;
  }
}
