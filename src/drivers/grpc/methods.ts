import type { DescService } from "@bufbuild/protobuf";
import type { Server } from "@grpc/grpc-js";
import type { ServiceRpcs } from "@/ports/grpc.ts";
import type { Guard } from "@/ports/http.ts";
import type { RequestClass } from "@/ports/intake.ts";
import { assert, unreachable } from "@/std/assert.ts";
import {
  type Access,
  answerStream,
  answerUnary,
  answerWithStream,
  type Door,
  type ServedMethod,
} from "./answering.ts";
import { guarded } from "./guarding.ts";
import { pathOf } from "./wire.ts";

/** Every method and who answers it. */
export class MethodTable {
  readonly #services = new Map<string, DescService>();
  readonly #methods = new Map<string, ServedMethod>();

  /** Adds some methods of a service; each may be answered by one module only. */
  add<S extends DescService>(
    service: S,
    access: Access,
    rpcs: ServiceRpcs<S>,
    of: RequestClass = access === "anyone" ? "enrol" : "admin",
  ): void {
    this.#services.set(service.typeName, service);
    for (const [name, rpc] of Object.entries(rpcs)) {
      const method = service.method[name];
      assert(method, `${service.typeName} has no method ${name}`);
      assert(!this.#methods.has(pathOf(method)), `two modules serve ${pathOf(method)}`);
      this.#methods.set(pathOf(method), { method, access, of, rpc: rpc as ServedMethod["rpc"] });
    }
  }

  /** The services of which anything is served. */
  services(): readonly DescService[] {
    return [...this.#services.values()];
  }

  /** Hands every method to grpc-js; a service must be served whole. */
  registerOn(server: Server, door: Door, guard: Guard | undefined): void {
    const missing = this.services()
      .flatMap(({ methods }) => methods.map(pathOf))
      .filter((path) => !this.#methods.has(path));
    assert(missing.length === 0, `no module serves ${missing.join(", ")}`);
    for (const [path, served] of this.#methods) {
      register(server, path, guard ? guarded(served, guard) : served, door);
    }
  }
}

function register(server: Server, path: string, served: ServedMethod, door: Door): void {
  const kind = served.method.methodKind;
  switch (kind) {
    case "unary":
      server.register(path, answerUnary(served, door), asIs, asIs, "unary");
      return;
    case "server_streaming":
      server.register(path, answerWithStream(served, door), asIs, asIs, "serverStream");
      return;
    case "bidi_streaming":
      server.register(path, answerStream(served, door), asIs, asIs, "bidi");
      return;
    case "client_streaming":
      assert(false, `${path}: nothing here answers a stream with one answer`);
      return;
    default:
      unreachable(kind);
  }
}

/** Messages are read and written where a fault in them can be answered in our own words. */
function asIs(bytes: Buffer): Buffer {
  return bytes;
}
