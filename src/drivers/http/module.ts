import { defineModule } from "@/kernel/module.ts";
import type { Http } from "@/ports/http.ts";
import { Idempotency, idempotencyMigrations } from "./idempotency.ts";
import { Listeners } from "./listeners.ts";
import { HttpServer } from "./server.ts";

declare module "@/kernel/module.ts" {
  interface Services {
    http: Http;
  }
}

const HOUR_MS = 3_600_000;
const GRACE_MS = 5_000;

/** Provides `http`; it listens once every module has started. */
export const http = defineModule({
  name: "http",
  needs: ["database", "clock", "events", "intake", "metrics"],
  provides: "http",
  config: (t) =>
    t.Object({
      port: t.Integer({
        default: 8095,
        minimum: 0,
        maximum: 65_535,
        description: "Plain HTTP for this machine itself; 0 picks a free port.",
      }),
      address: t.String({
        default: "127.0.0.1",
        minLength: 1,
        description: "Where plain HTTP listens; 127.0.0.1 also means ::1. Wider is not protected.",
      }),
      secure_port: t.Integer({
        default: 8443,
        minimum: 0,
        maximum: 65_535,
        description: "HTTPS for the network; 0 picks a free port.",
      }),
      secure_address: t.String({
        default: "::",
        minLength: 1,
        description: "Where HTTPS listens.",
      }),
      max_body_bytes: t.Integer({
        default: 1_048_576,
        minimum: 1_024,
        maximum: 67_108_864,
        description: "The largest request body that is taken.",
      }),
      idle_timeout_seconds: t.Integer({
        default: 10,
        minimum: 1,
        maximum: 255,
        duration: true,
        description: "A connection on which nothing moves is closed after this.",
      }),
      max_connections: t.Integer({
        default: 500,
        minimum: 1,
        maximum: 10_000,
        description: "Connections from the network at once; the loopback is not counted.",
      }),
      max_connections_per_address: t.Integer({
        default: 32,
        minimum: 1,
        maximum: 10_000,
        description: "Of these, from one address (IPv6: one /64).",
      }),
      request_seconds: t.Integer({
        default: 20,
        minimum: 1,
        maximum: 300,
        duration: true,
        description:
          "How long a request from the network may take to arrive whole, header and body, and be answered.",
      }),
      idempotency_hours: t.Integer({
        default: 24,
        minimum: 1,
        maximum: 168,
        description: "How long the answer to an Idempotency-Key is remembered.",
      }),
    }),
  async start({ database, clock, events, intake, metrics }, { config, log, defer, ready, fatal }) {
    await database.migrate(idempotencyMigrations);
    const listeners = new Listeners({
      log,
      address: config.address,
      port: config.port,
      secureAddress: config.secure_address,
      securePort: config.secure_port,
      maxBodyBytes: config.max_body_bytes,
      idleTimeoutSeconds: config.idle_timeout_seconds,
      front: {
        clock,
        connectionsMax: config.max_connections,
        perAddressMax: config.max_connections_per_address,
        requestMs: config.request_seconds * 1000,
        idleMs: config.idle_timeout_seconds * 1000,
        isFull: () => intake.isFull(),
      },
    });
    const server = new HttpServer({
      log,
      listeners,
      intake,
      maxBodyBytes: config.max_body_bytes,
      idempotency: new Idempotency(database, clock, config.idempotency_hours * HOUR_MS),
      onFatal: fatal,
      onRefused: (refused) => events.tell("request.refused", refused),
      onSeen: (seen) => events.tell("caller.seen", seen),
    });
    metrics.gauge("galaxy_http_connections", "Open HTTP connections from the network.", [], () => [
      { value: listeners.connections() },
    ]);
    ready(() => server.open());
    defer(() => listeners.close(GRACE_MS));
    return server;
  },
});
