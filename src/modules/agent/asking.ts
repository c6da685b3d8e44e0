import type { Stream } from "@/ports/dialer.ts";
import type { HeartbeatReply } from "@/proto/registry_pb.ts";
import { PoolError } from "@/std/errors.ts";
import type { heartbeatRequest } from "./heartbeats.ts";

type HeartbeatStream = Stream<ReturnType<typeof heartbeatRequest>, HeartbeatReply>;

/** One question at a time over a stream; silence or its end fails the question. */
export class Asking {
  readonly #stream: HeartbeatStream;
  #waiting: PromiseWithResolvers<HeartbeatReply> | undefined;
  #ended: unknown;

  constructor(stream: HeartbeatStream) {
    this.#stream = stream;
    stream.onMessage((reply) => this.#waiting?.resolve(reply));
    stream.onEnd((error) => {
      this.#ended =
        error ?? new PoolError("unavailable", "pool.unreachable", "The pool ended the stream.");
      this.#waiting?.reject(this.#ended);
    });
  }

  async ask(
    request: Parameters<HeartbeatStream["send"]>[0],
    timeoutMs: number,
  ): Promise<HeartbeatReply> {
    if (this.#ended !== undefined) throw this.#ended;
    const waiting = Promise.withResolvers<HeartbeatReply>();
    this.#waiting = waiting;
    const timer = setTimeout(() => waiting.reject(silent(timeoutMs)), timeoutMs);
    this.#stream.send(request);
    return waiting.promise.finally(() => clearTimeout(timer));
  }

  /** A stream that is left open keeps its connection, and the process, alive. */
  cancel(): void {
    this.#stream.cancel();
  }
}

function silent(timeoutMs: number): PoolError {
  return new PoolError(
    "deadline",
    "pool.silent",
    `The pool did not answer within ${timeoutMs} ms.`,
  );
}
