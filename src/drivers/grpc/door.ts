import type { DescMethod } from "@bufbuild/protobuf";
import type { Logger } from "pino";
import type { Caller } from "@/core/caller.ts";
import type { Clock } from "@/ports/clock.ts";
import type { Intake, RequestClass } from "@/ports/intake.ts";
import type { TellRefused } from "@/ports/refusal.ts";
import type { TellSeen } from "@/ports/sighting.ts";
import { AssertionError, assert } from "@/std/assert.ts";
import { isRefusal, PoolError } from "@/std/errors.ts";
import type { Access, Door } from "./answering.ts";
import { certificateNow } from "./client-certificate.ts";
import type { Connection } from "./connection.ts";
import { OpenCall } from "./open-call.ts";
import { internalStatus, type StatusReply, statusOf } from "./status.ts";
import { pathOf } from "./wire.ts";

/** What the door is made of. */
export interface DoorParts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly callsPerConnectionMax: number;
  readonly intake?: Intake;
  readonly find: (peer: string) => Connection | undefined;
  readonly onFatal: (fault: unknown) => void;
  readonly onRefused?: TellRefused;
  readonly onSeen?: TellSeen;
}

/** Lets calls in by what their connection showed, and spells what goes wrong for the wire. */
export class FrontDoor implements Door {
  readonly #parts: DoorParts;
  #authenticate: ((certificate: Uint8Array) => Caller) | undefined;

  constructor(parts: DoorParts) {
    this.#parts = parts;
  }

  authenticateWith(authenticate: (certificate: Uint8Array) => Caller): void {
    assert(!this.#authenticate, "who calls over gRPC is settled once");
    this.#authenticate = authenticate;
  }

  admit(peer: string, access: Access): OpenCall {
    const { find, callsPerConnectionMax } = this.#parts;
    const connection = find(peer);
    if (!connection) throw new PoolError("unavailable", "connection.gone", "The line is dead.");
    const caller = access === "node" ? this.#identify(connection) : this.#recognise(connection);
    if (connection.callsOpen < callsPerConnectionMax) return new OpenCall(connection, caller);
    const message = `A connection holds ${callsPerConnectionMax} calls at once; let some end first.`;
    throw new PoolError("exhausted", "connection.full", message);
  }

  enter({ caller, address }: OpenCall, of: RequestClass): Promise<void> | undefined {
    const { intake } = this.#parts;
    if (!intake) return undefined;
    if (caller) intake.recognise(caller, address, of);
    else intake.knock(address, of);
    return intake.enter(of);
  }

  leave(of: RequestClass): void {
    this.#parts.intake?.leave(of);
  }

  /** Whether the certificate of a new connection stands for somebody who is welcome. */
  knows(connection: Connection): boolean {
    return this.#recognise(connection) !== undefined;
  }

  recheck({ connection }: OpenCall, access: Access): void {
    if (access === "node") certificateNow(connection.shown, this.#parts.clock.now());
  }

  refuse(thrown: unknown, method: DescMethod, peer: string): StatusReply {
    const reply = this.statusOf(thrown, method);
    if (isRefusal(thrown) && thrown.kind !== "internal") this.#tellRefused(thrown, method, peer);
    return reply;
  }

  statusOf(thrown: unknown, method: DescMethod): StatusReply {
    if (isRefusal(thrown) && thrown.kind !== "internal") return statusOf(thrown);
    this.#parts.log.error({ err: thrown, method: pathOf(method) }, "a gRPC call failed");
    if (thrown instanceof AssertionError) this.#parts.onFatal(thrown);
    return internalStatus();
  }

  #tellRefused({ kind, code }: PoolError, method: DescMethod, peer: string): void {
    const connection = this.#parts.find(peer);
    const caller = connection?.callerId;
    this.#parts.onRefused?.({
      door: "grpc",
      kind,
      code,
      address: connection?.address ?? "",
      ...(caller !== undefined && { caller }),
      subject: pathOf(method),
    });
  }

  /** Who the certificate stands for; refuses without a good one. */
  #identify(connection: Connection): Caller {
    const certificate = certificateNow(connection.shown, this.#parts.clock.now());
    assert(this.#authenticate, "nobody says who calls over gRPC");
    const caller = this.#authenticate(certificate);
    const isNew = connection.callerId !== caller.id;
    connection.callerId = caller.id;
    if (isNew) this.#parts.onSeen?.({ caller: caller.id, address: connection.address });
    return caller;
  }

  /** The same where nobody needs to be known: a certificate that is no good is none. */
  #recognise(connection: Connection): Caller | undefined {
    if (connection.shown.type !== "ours" || !this.#authenticate) return undefined;
    try {
      return this.#identify(connection);
    } catch (thrown) {
      if (isRefusal(thrown)) return undefined;
      throw thrown;
    }
  }
}
