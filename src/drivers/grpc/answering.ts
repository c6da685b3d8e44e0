import type { DescMethod, Message } from "@bufbuild/protobuf";
import type {
  handleBidiStreamingCall,
  handleServerStreamingCall,
  handleUnaryCall,
} from "@grpc/grpc-js";
import type { Call } from "@/ports/grpc.ts";
import type { RequestClass } from "@/ports/intake.ts";
import type { PoolError } from "@/std/errors.ts";
import type { OpenCall } from "./open-call.ts";
import type { StatusReply } from "./status.ts";
import { decode, encode } from "./wire.ts";

/** Who may call a method. */
export type Access = "anyone" | "node";

/** A method and who answers it. */
export interface ServedMethod {
  readonly method: DescMethod;
  readonly access: Access;
  readonly of: RequestClass;
  readonly rpc: (request: never, call: Call) => Promise<Message> | AsyncIterable<Message>;
}

/** Decides who comes in, and how a call that fails is answered. */
export interface Door {
  /** Lets a call in; refuses who may not. */
  admit(peer: string, access: Access): OpenCall;
  /** Takes a place for one message, or answers what to wait for; refuses what there is no room for. */
  enter(call: OpenCall, of: RequestClass): Promise<void> | undefined;
  /** Gives the place back. */
  leave(of: RequestClass): void;
  /** Refuses a call that went on for longer than its certificate is good. */
  recheck(call: OpenCall, access: Access): void;
  /** How what was thrown is answered; a refusal is told to who listens. */
  refuse(thrown: unknown, method: DescMethod, peer: string): StatusReply;
  /** The same, told to nobody: for streams the pool ends by itself. */
  statusOf(thrown: unknown, method: DescMethod): StatusReply;
}

type OneAnswer = (request: Message, call: Call) => Promise<Message>;
type ManyAnswers = (request: Message, call: Call) => AsyncIterable<Message>;

/** What both kinds of stream have in common. */
interface OutStream {
  write(bytes: Buffer): boolean;
  end(): void;
  emit(event: "error", status: Error): boolean;
  once(event: "drain", listener: () => void): unknown;
  on(event: "cancelled", listener: () => void): unknown;
  getPeer(): string;
}

/** One request, one answer. */
export function answerUnary(served: ServedMethod, door: Door): handleUnaryCall<Buffer, Buffer> {
  const { method, access } = served;
  const rpc = served.rpc as OneAnswer;
  return async (stream, respond) => {
    let call: OpenCall | undefined;
    try {
      const open = door.admit(stream.getPeer(), access);
      call = open;
      stream.on("cancelled", () => open.abort());
      const answer = () => rpc(decode(method, stream.request), open);
      respond(null, encode(method, await answerInTurn(open, { served, door }, answer)));
    } catch (thrown) {
      respond(door.refuse(thrown, method, stream.getPeer()));
    }
    call?.end();
  };
}

/** One request, any number of answers, each once the one before has left. */
export function answerWithStream(
  served: ServedMethod,
  door: Door,
): handleServerStreamingCall<Buffer, Buffer> {
  return async (stream) => {
    const answers = Answers.open(stream, served, door);
    if (!answers) return;
    try {
      const begin = async () => {
        const request = decode(served.method, stream.request);
        const replies = (served.rpc as ManyAnswers)(request, answers.call)[Symbol.asyncIterator]();
        return { replies, first: await replies.next() };
      };
      // What takes a place is the first answer; the rest comes as things change.
      const { replies, first } = await answerInTurn(answers.call, { served, door }, begin);
      for (let next = first; !next.done; next = await replies.next()) {
        if (answers.call.isOver) return void (await replies.return?.());
        await answers.send(next.value);
      }
      answers.end();
    } catch (thrown) {
      answers.fail(thrown);
    }
  };
}

/**
 * Any number of requests, each answered before the next is looked at: answers keep their order, and
 * of one stream one request is in work, with what fits a flow-control window waiting behind it.
 */
export function answerStream(
  served: ServedMethod,
  door: Door,
): handleBidiStreamingCall<Buffer, Buffer> {
  const { method } = served;
  const rpc = served.rpc as OneAnswer;
  return (stream) => {
    const answers = Answers.open(stream, served, door);
    if (!answers) return;
    const waiting: Buffer[] = [];
    let isWorking = false;
    let isLast = false;
    const answerWaiting = async (): Promise<void> => {
      for (let bytes = waiting.shift(); bytes; bytes = waiting.shift()) {
        const answer = () => rpc(decode(method, bytes), answers.call);
        await answers.send(await answerInTurn(answers.call, { served, door }, answer));
      }
      isWorking = false;
      if (isLast) answers.end();
      else if (stream.isPaused()) stream.resume();
    };
    stream.on("data", (bytes: Buffer) => {
      waiting.push(bytes);
      // Only who sends before he was answered is held back: most wait, and pausing costs them time.
      if (isWorking) stream.pause();
      else {
        isWorking = true;
        answerWaiting().catch((thrown) => answers.fail(thrown));
      }
    });
    // A stream that is paused still tells its end, while the last request is in work.
    stream.on("end", () => {
      isLast = true;
      if (!isWorking) answers.end();
    });
  };
}

/** Does something for a call once there is a place for its class. */
async function answerInTurn<Result>(
  call: OpenCall,
  { served, door }: { readonly served: ServedMethod; readonly door: Door },
  answer: () => Promise<Result>,
): Promise<Result> {
  const place = door.enter(call, served.of);
  if (place !== undefined) await place;
  try {
    return await answer();
  } finally {
    door.leave(served.of);
  }
}

/** Our side of a stream: what is sent on it, and how it ends. */
class Answers {
  readonly call: OpenCall;
  readonly #stream: OutStream;
  readonly #served: ServedMethod;
  readonly #door: Door;

  /** Lets a stream in, or ends it with the refusal. */
  static open(stream: OutStream, served: ServedMethod, door: Door): Answers | undefined {
    try {
      const call = door.admit(stream.getPeer(), served.access);
      return new Answers(stream, { call, served, door });
    } catch (thrown) {
      refuse(stream, door.refuse(thrown, served.method, stream.getPeer()));
      return undefined;
    }
  }

  private constructor(
    stream: OutStream,
    parts: { readonly call: OpenCall; readonly served: ServedMethod; readonly door: Door },
  ) {
    this.#stream = stream;
    this.call = parts.call;
    this.#served = parts.served;
    this.#door = parts.door;
    this.call.connection.streams.add(this);
    stream.on("cancelled", () => this.#abort());
  }

  /** Sends one answer, and waits while the caller does not read. */
  async send(reply: Message): Promise<void> {
    if (this.call.isOver) return;
    this.#door.recheck(this.call, this.#served.access);
    if (this.#stream.write(encode(this.#served.method, reply))) return;
    await drained(this.#stream, this.call.signal);
  }

  /** All is said. */
  end(): void {
    if (!this.#leave()) return;
    this.#stream.end();
  }

  /** Ends it with what was thrown. */
  fail(thrown: unknown): void {
    if (!this.#leave()) return;
    const peer = this.#stream.getPeer();
    refuse(this.#stream, this.#door.refuse(thrown, this.#served.method, peer));
  }

  /** Ends it from outside. */
  cut(refusal: PoolError): void {
    if (this.call.isOver) return;
    this.#abort();
    refuse(this.#stream, this.#door.statusOf(refusal, this.#served.method));
  }

  #abort(): void {
    this.call.abort();
    this.call.connection.streams.delete(this);
  }

  #leave(): boolean {
    if (this.call.isOver) return false;
    this.call.end();
    this.call.connection.streams.delete(this);
    return true;
  }
}

/** grpc-js ends a stream with the status of an "error" emitted on it. */
function refuse(stream: OutStream, status: StatusReply): void {
  stream.emit("error", Object.assign(new Error(status.details), status));
}

function drained(stream: OutStream, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    stream.once("drain", resolve);
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
