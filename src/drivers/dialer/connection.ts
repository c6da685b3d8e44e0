import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { Client, connectivityState, type ServiceError, status as Status } from "@grpc/grpc-js";
import type {
  Connection,
  Stream,
  StreamMethod,
  UnaryMethod,
  WatchMethod,
  WatchStream,
} from "@/ports/dialer.ts";
import { AssertionError, assert } from "@/std/assert.ts";
import type { PoolError } from "@/std/errors.ts";
import { targetOf } from "./address.ts";
import type { PoolCredentials } from "./credentials.ts";
import { refusalOf, unreachable } from "./refusals.ts";
import { POOL_NAME } from "./trust.ts";

const TIMEOUT_MS = 10_000;
const OPTIONS = {
  "grpc.default_authority": POOL_NAME,
  "grpc.enable_channelz": 0,
  "grpc.enable_http_proxy": 0,
  "grpc.service_config_disable_resolution": 1,
  "grpc.use_local_subchannel_pool": 1,
  "grpc.initial_reconnect_backoff_ms": 500,
  "grpc.max_reconnect_backoff_ms": 10_000,
  "grpc.keepalive_time_ms": 20_000,
  "grpc.keepalive_timeout_ms": 10_000,
};

/** What both kinds of stream tell. */
interface InStream<Answer> {
  on(event: "data", listener: (message: Answer) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "status", listener: (status: { readonly code: number }) => void): unknown;
}

/** A channel of grpc-js to one pool. */
export class GrpcConnection implements Connection {
  readonly #address: string;
  readonly #credentials: PoolCredentials;
  readonly #client: Client;

  constructor(address: string, credentials: PoolCredentials) {
    this.#address = address;
    this.#credentials = credentials;
    this.#client = new Client(targetOf(address), credentials, OPTIONS);
  }

  get leafHash(): Uint8Array {
    const { leafHash } = this.#credentials;
    assert(leafHash, "a connection that is ready has seen a certificate");
    return leafHash;
  }

  /** Answers once it is connected; refuses at the first attempt that fails. */
  ready(timeoutMs = TIMEOUT_MS): Promise<void> {
    const channel = this.#client.getChannel();
    const deadlineMs = Date.now() + timeoutMs;
    return new Promise((resolve, reject) => {
      const look = () => {
        const state = channel.getConnectivityState(true);
        if (state === connectivityState.READY) return resolve();
        if (state === connectivityState.TRANSIENT_FAILURE || state === connectivityState.SHUTDOWN) {
          return reject(this.#credentials.distrust ?? unreachable(this.#address));
        }
        channel.watchConnectivityState(state, deadlineMs, (error) => {
          if (error) reject(unreachable(this.#address, error));
          else look();
        });
      };
      look();
    });
  }

  call<M extends UnaryMethod>(
    method: M,
    request: MessageInitShape<M["input"]>,
    { timeoutMs = TIMEOUT_MS }: { readonly timeoutMs?: number } = {},
  ): Promise<MessageShape<M["output"]>> {
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        pathOf(method),
        asIs,
        decoder(method),
        encode(method, request),
        { deadline: Date.now() + timeoutMs },
        (error, reply) => {
          if (reply) resolve(reply);
          else reject(error ? this.#refusalOf(error) : new AssertionError("gRPC said nothing"));
        },
      );
    });
  }

  stream<M extends StreamMethod>(
    method: M,
  ): Stream<MessageInitShape<M["input"]>, MessageShape<M["output"]>> {
    const stream = this.#client.makeBidiStreamRequest(pathOf(method), asIs, decoder(method));
    return {
      ...this.#listening(stream),
      send: (message) => void stream.write(encode(method, message)),
      end: () => stream.end(),
      cancel: () => stream.cancel(),
    };
  }

  watch<M extends WatchMethod>(
    method: M,
    request: MessageInitShape<M["input"]>,
  ): WatchStream<MessageShape<M["output"]>> {
    const bytes = encode(method, request);
    const path = pathOf(method);
    const stream = this.#client.makeServerStreamRequest(path, asIs, decoder(method), bytes);
    return { ...this.#listening(stream), cancel: () => stream.cancel() };
  }

  close(): void {
    this.#client.close();
  }

  #listening<Answer>(stream: InStream<Answer>): Pick<Stream<never, Answer>, "onMessage" | "onEnd"> {
    const over = Promise.withResolvers<PoolError | undefined>();
    stream.on("error", (error) => over.resolve(this.#refusalOf(error as ServiceError)));
    stream.on("status", ({ code }) => {
      if (code === Status.OK) over.resolve(undefined);
    });
    return {
      onMessage: (listener) => void stream.on("data", listener),
      onEnd: (listener) => void over.promise.then(listener),
    };
  }

  #refusalOf(error: ServiceError): PoolError {
    const { distrust } = this.#credentials;
    if (error.code === Status.UNAVAILABLE && distrust) return distrust;
    return refusalOf(error, this.#address);
  }
}

function pathOf({ parent, name }: UnaryMethod | StreamMethod | WatchMethod): string {
  return `/${parent.typeName}/${name}`;
}

function encode<M extends { readonly input: DescMessage }>(
  { input }: M,
  message: MessageInitShape<M["input"]>,
): Buffer {
  return Buffer.from(toBinary(input, create(input, message)));
}

function decoder<M extends { readonly output: DescMessage }>({ output }: M) {
  return (bytes: Buffer) => fromBinary(output, new Uint8Array(bytes)) as MessageShape<M["output"]>;
}

function asIs(bytes: Buffer): Buffer {
  return bytes;
}
