import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { PoolError } from "@/std/errors.ts";
import type { CertificatePair } from "./certificates.ts";

type Method<Kind extends string> = {
  readonly methodKind: Kind;
  readonly name: string;
  readonly parent: { readonly typeName: string };
  readonly input: DescMessage;
  readonly output: DescMessage;
};

/** A method with one request and one answer. */
export type UnaryMethod = Method<"unary">;
/** A method with one request and many answers. */
export type WatchMethod = Method<"server_streaming">;
/** A method with many requests, each answered in turn. */
export type StreamMethod = Method<"bidi_streaming">;

/** What anybody may learn of a pool before trusting it. */
export interface PoolAuthority {
  readonly rootDer: Uint8Array;
  readonly poolTimeMs: number;
  readonly installationId: string;
  /** After the root was replaced: the one before, and the key of this root signed by it (DER). */
  readonly previousDer: Uint8Array | undefined;
  readonly vouchedDer: Uint8Array | undefined;
}

/** What a node knows when it connects. */
export interface DialOptions {
  /** The roots it trusts, one after the other; nobody else is believed. */
  readonly rootPem: string;
  /** The node's certificate and key, once it has some. */
  readonly identity?: CertificatePair;
  /**
   * The time the server's certificate is judged by; the host's clock when left out. A host whose clock
   * is not synchronised passes the later of its build time and the last pool time it stored.
   */
  readonly nowMs?: number;
  /** When to give up; 10 s when left out. */
  readonly timeoutMs?: number;
}

/** A stream to the pool. Listen before the first message is sent. */
export interface Stream<Request, Answer> {
  send(message: Request): void;
  onMessage(listener: (message: Answer) => void): void;
  /** Told once, when it is over: with the refusal, or without when the pool ended it well. */
  onEnd(listener: (refusal: PoolError | undefined) => void): void;
  /** No more will be sent; answers still arrive. */
  end(): void;
  /** Ends it at once; `onEnd` still hears of it. */
  cancel(): void;
}

/** A stream that only the pool speaks on. */
export type WatchStream<Answer> = Omit<Stream<never, Answer>, "send" | "end">;

/**
 * A connection to a pool. Refusals of the pool arrive as the `PoolError` it threw; besides,
 * `pool.unreachable`, `pool.untrusted` (somebody else answers there), `pool.timeout`, and
 * `pool.refused` for a refusal without a code of ours.
 */
export interface Connection {
  /** SHA-256 of the certificate (DER) the server showed. */
  readonly leafHash: Uint8Array;
  /** One call; gives up after `timeoutMs`, 10 s when left out. */
  call<M extends UnaryMethod>(
    method: M,
    request: MessageInitShape<M["input"]>,
    options?: { readonly timeoutMs?: number },
  ): Promise<MessageShape<M["output"]>>;
  stream<M extends StreamMethod>(
    method: M,
  ): Stream<MessageInitShape<M["input"]>, MessageShape<M["output"]>>;
  watch<M extends WatchMethod>(
    method: M,
    request: MessageInitShape<M["input"]>,
  ): WatchStream<MessageShape<M["output"]>>;
  close(): void;
}

/** The node's way to a pool. Addresses are `host`, `host:port` or `[v6]:port`; 50051 when unsaid. */
export interface Dialer {
  /**
   * Asks whoever is there for the root it claims, believing nobody, and hangs up. The caller compares
   * the root with its pin before it says anything else.
   */
  fetchAuthority(address: string, timeoutMs?: number): Promise<PoolAuthority>;
  /** Connects, and believes who answers; refuses with `pool.unreachable` or `pool.untrusted`. */
  connect(address: string, options: DialOptions): Promise<Connection>;
}
