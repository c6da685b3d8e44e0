import type { DescService } from "@bufbuild/protobuf";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import type { Logger } from "pino";
import type { Caller } from "@/core/caller.ts";
import type { Certificates } from "@/ports/certificates.ts";
import type { Clock } from "@/ports/clock.ts";
import type { Grpc, ServerIdentity, ServiceRpcs } from "@/ports/grpc.ts";
import type { Guard } from "@/ports/http.ts";
import type { Intake, RequestClass } from "@/ports/intake.ts";
import type { TellRefused } from "@/ports/refusal.ts";
import type { TellSeen } from "@/ports/sighting.ts";
import { assert } from "@/std/assert.ts";
import { PoolError } from "@/std/errors.ts";
import { addressText, type ListenAddress } from "./address.ts";
import type { Access } from "./answering.ts";
import { FrontDoor } from "./door.ts";
import { serveHealth } from "./health.ts";
import { Listener } from "./listener.ts";
import { MethodTable } from "./methods.ts";
import { serveReflection } from "./reflection.ts";

const CALLS_PER_CONNECTION_MAX = 100;
const OPTIONS = {
  "grpc.enable_channelz": 0,
  "grpc.max_receive_message_length": 64 * 1024,
  "grpc.max_concurrent_streams": CALLS_PER_CONNECTION_MAX,
  "grpc.keepalive_time_ms": 30_000,
  "grpc.keepalive_timeout_ms": 10_000,
};
const FRAMES_PER_SECOND = 500;
const DISCONNECT_MS = 1_000;
const RETRY_AFTER_SECONDS = 5;

/** What the server is made of. */
export interface GrpcServerParts {
  readonly certificates: Certificates;
  readonly clock: Clock;
  readonly log: Logger;
  readonly address: ListenAddress;
  readonly connectionsMax: number;
  /** Frames of HTTP/2 one connection may send. */
  readonly framesPerSecond?: number;
  /** Told the address of a connection that was ended for a flood of frames. */
  readonly onFlood?: (address: string) => void;
  /** Decides what is worked on; without one everything is. */
  readonly intake?: Intake;
  /** Told a fault of our own that must end the process. */
  readonly onFatal: (fault: unknown) => void;
  /** Called with every refusal. */
  readonly onRefused?: TellRefused;
  /** Called once per connection with who is at the other end. */
  readonly onSeen?: TellSeen;
}

/** The Grpc port on @grpc/grpc-js. */
export class GrpcServer implements Grpc {
  readonly #address: ListenAddress;
  readonly #clock: Clock;
  readonly #server = new Server(OPTIONS);
  readonly #injector = this.#server.createConnectionInjector(ServerCredentials.createInsecure());
  readonly #methods = new MethodTable();
  readonly #listener: Listener;
  readonly #door: FrontDoor;
  #port: number | undefined;
  #guard: Guard | undefined;

  constructor(parts: GrpcServerParts) {
    this.#address = parts.address;
    this.#clock = parts.clock;
    const { framesPerSecond = FRAMES_PER_SECOND, onFlood = () => {}, intake } = parts;
    this.#listener = new Listener({
      ...parts,
      framesPerSecond,
      onFlood,
      isFull: () => intake?.isFull() === true,
      admit: (socket) => this.#injector.injectConnection(socket),
      knows: (connection) => this.#door.knows(connection),
    });
    this.#door = new FrontDoor({
      ...parts,
      callsPerConnectionMax: CALLS_PER_CONNECTION_MAX,
      find: (peer) => this.#listener.find(peer),
    });
    serveHealth(this, () => this.#methods.services().map(({ typeName }) => typeName));
    serveReflection(this, () => this.#methods.services());
  }

  serve<S extends DescService>(
    service: S,
    access: Access,
    rpcs: ServiceRpcs<S>,
    of?: RequestClass,
  ): void {
    assert(this.#port === undefined, "methods are served before the gRPC server listens");
    this.#methods.add(service, access, rpcs, of);
  }

  identifyWith(identity: ServerIdentity): void {
    this.#listener.identifyWith(identity);
  }

  authenticateWith(authenticate: (certificate: Uint8Array) => Caller): void {
    this.#door.authenticateWith(authenticate);
  }

  guardWith(guard: Guard): void {
    assert(this.#guard === undefined, "what is hidden from whom is settled once");
    this.#guard = guard;
  }

  /** Listens; a method that nobody serves is our own mistake. */
  async open(): Promise<void> {
    this.#methods.registerOn(this.#server, this.#door, this.#guard);
    this.#port = await this.#listener.listen(this.#address);
  }

  address(): string {
    assert(this.#port !== undefined, "the gRPC server does not listen yet");
    return addressText({ host: this.#address.host, port: this.#port });
  }

  disconnect(callerId: string): void {
    const message = "The pool ended this connection; connect again.";
    const refusal = new PoolError("unavailable", "connection.ended", message);
    for (const connection of this.#listener.connections()) {
      if (connection.callerId !== callerId) continue;
      connection.cutStreams(refusal);
      this.#clock.after(DISCONNECT_MS, () => connection.destroy());
    }
  }

  /** Ends streams, lets calls with one answer finish for so long, then ends what is left. */
  async close(graceMs: number): Promise<void> {
    this.#listener.close();
    const message = "The pool is stopping; try again in a few seconds.";
    const refusal = new PoolError("unavailable", "pool.stopping", message, {
      retryAfterSeconds: RETRY_AFTER_SECONDS,
    });
    for (const connection of this.#listener.connections()) connection.cutStreams(refusal);
    this.#injector.destroy();
    await this.#listener.emptied(graceMs);
    this.#server.forceShutdown();
  }
}
