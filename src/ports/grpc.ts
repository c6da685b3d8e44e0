import type { DescMessage, DescService, MessageShape } from "@bufbuild/protobuf";
import type { Caller } from "@/core/caller.ts";

/** What a method knows besides its message. */
export interface Call {
  /** Who calls, from the certificate; undefined without one. Methods for nodes are never reached without. */
  readonly caller: Caller | undefined;
  readonly address: string;
  /** SHA-256 of the server leaf this connection was answered with. */
  readonly serverLeafHash: Uint8Array;
  /** Ends when the caller went away or its certificate was revoked. */
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

/** The gRPC server: modules serve methods before it listens. */
export interface Grpc {
  /**
   * Serves some methods of a service; several modules may share one. A method nobody serves, or two
   * serve, fails the start. `access`: `anyone` needs no client certificate, `node` demands one.
   */
  serve<S extends DescService>(service: S, access: "anyone" | "node", rpcs: ServiceRpcs<S>): void;
  /** Says which caller a client certificate (DER) stands for; refuses revoked and unknown ones. */
  authenticateWith(authenticate: (certificate: Uint8Array) => Caller): void;
  /** Ends every open call of one caller, at the latest 5 s later. */
  disconnect(callerId: string): void;
  /** host:port it listens on, once ready. */
  address(): string;
}
