import { defineModule } from "@/kernel/module.ts";
import type { Grpc } from "@/ports/grpc.ts";
import { PoolError } from "@/std/errors.ts";
import { listenAddress } from "./address.ts";
import { GrpcServer } from "./server.ts";

declare module "@/kernel/module.ts" {
  interface Services {
    grpc: Grpc;
  }
}

const GRACE_MS = 5_000;

/** Provides `grpc`; it listens once every module has started. */
export const grpc = defineModule({
  name: "grpc",
  needs: ["certificates", "clock", "events", "intake", "metrics"],
  provides: "grpc",
  section: "server",
  config: (t) =>
    t.Object({
      address: t.String({
        default: "[::]:50051",
        description: "Where gRPC listens, host:port; [::] is every address, port 0 a free one.",
      }),
      max_connections: t.Integer({
        default: 500,
        minimum: 1,
        maximum: 10_000,
        description:
          "Connections at once. One node may hold 4, strangers of one address a quarter.",
      }),
      frames_per_second: t.Integer({
        default: 500,
        minimum: 10,
        maximum: 1_000_000,
        description:
          "HTTP/2 frames a second of one connection, ten times that at once; a flood ends it.",
      }),
      tls: t.Object({
        enabled: t.Boolean({
          default: true,
          description: "Always true: nodes are known by their certificates.",
        }),
      }),
    }),
  check(config) {
    if (!config.tls.enabled) throw plainRefused();
    listenAddress(config.address);
  },
  start({ certificates, clock, events, intake, metrics }, { config, log, defer, ready, fatal }) {
    const flood = metrics.counter(
      "galaxy_grpc_floods_total",
      "Connections that were ended for a flood of frames.",
      [],
    );
    const server = new GrpcServer({
      certificates,
      clock,
      log,
      address: listenAddress(config.address),
      connectionsMax: config.max_connections,
      intake,
      framesPerSecond: config.frames_per_second,
      onFlood(address) {
        flood();
        log.warn({ address }, "a connection was ended: it sent a flood of frames");
      },
      onFatal: fatal,
      onRefused: (refused) => events.tell("request.refused", refused),
      onSeen: (seen) => events.tell("caller.seen", seen),
    });
    ready(async () => {
      await server.open();
      log.info({ address: server.address() }, "gRPC listens");
    });
    defer(() => server.close(GRACE_MS));
    return server;
  },
});

function plainRefused(): PoolError {
  return new PoolError(
    "invalid",
    "config.tls_required",
    "server.tls.enabled is false, but nodes are known by their certificates; remove the key.",
  );
}
