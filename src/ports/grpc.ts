import type { DescMessage, DescService, MessageShape } from "@bufbuild/protobuf";
import type { Caller } from "@/core/caller.ts";
import type { CertificatePair } from "./certificates.ts";
import type { Guard } from "./http.ts";
import type { RequestClass } from "./intake.ts";

/** What a method knows besides its message. */
export interface Call {
  /** Who calls, from the certificate; undefined without one. Methods for nodes are never reached without. */
  readonly caller: Caller | undefined;
  /** The caller's IP address. */
  readonly address: string;
  /** SHA-256 of the server leaf this connection was answered with. */
  readonly serverLeafHash: Uint8Array;
  /** Aborted when the caller went away, its deadline passed, it was disconnected, or the pool stops. */
  readonly signal: AbortSignal;
}

type Request<M extends { readonly input: DescMessage }> = MessageShape<M["input"]>;
type Reply<M extends { readonly output: DescMessage }> = MessageShape<M["output"]>;

/** The implementation of one method, by its kind in the .proto file. */
export type Rpc<
  M extends {
    readonly methodKind: string;
    readonly input: DescMessage;
    readonly output: DescMessage;
  },
> = M["methodKind"] extends "unary"
  ? (request: Request<M>, call: Call) => Promise<Reply<M>>
  : M["methodKind"] extends "server_streaming"
    ? (request: Request<M>, call: Call) => AsyncIterable<Reply<M>>
    : /** Bidirectional: called for each message; answers in order. */
      (request: Request<M>, call: Call) => Promise<Reply<M>>;

/** Some or all methods of a service. */
export type ServiceRpcs<S extends DescService> = {
  readonly [K in keyof S["method"]]?: Rpc<S["method"][K]>;
};

/** How the server proves itself, and whose clients it believes. */
export interface ServerIdentity {
  readonly leaf: CertificatePair;
  /** The root that signs client certificates; several, one after the other, while it is replaced. */
  readonly rootPem: string;
}

/** The gRPC server: modules serve methods before it listens. */
export interface Grpc {
  /**
   * Serves some methods of a service; several modules may share one. A method nobody serves, or two
   * serve, fails the start. `access`: `anyone` needs no client certificate, `node` demands one. `of`
   * is how they are treated when there is too much to do; `enrol` and `admin` when unstated.
   */
  serve<S extends DescService>(
    service: S,
    access: "anyone" | "node",
    rpcs: ServiceRpcs<S>,
    of?: RequestClass,
  ): void;
  /**
   * Hands over the identity, before it listens and again at each renewal: new connections see the
   * new certificate, open ones go on.
   */
  identifyWith(identity: ServerIdentity): void;
  /**
   * Says which caller a client certificate (DER) stands for; refuses revoked and unknown ones. That
   * our root signed it for a client and that it is in date is checked before. Asked at each call, with
   * the same array for the same connection, so that a WeakMap can remember what it said.
   */
  authenticateWith(authenticate: (certificate: Uint8Array) => Caller): void;
  /**
   * Settled once, by the registry: asked before every method for nodes whose request names a pool or a
   * node (`pool_id`, `node_id`).
   */
  guardWith(guard: Guard): void;
  /** Ends every open stream of one caller at once, and its connections with all else 1 s later. */
  disconnect(callerId: string): void;
  /** host:port it listens on, once ready. */
  address(): string;
}
