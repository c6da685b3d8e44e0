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
  needs: ["database", "clock", "events", "intake"],
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
      idempotency_hours: t.Integer({
        default: 24,
        minimum: 1,
        maximum: 168,
        description: "How long the answer to an Idempotency-Key is remembered.",
      }),
    }),
  async start({ database, clock, events, intake }, { config, log, defer, ready, fatal }) {
    await database.migrate(idempotencyMigrations);
    const listeners = new Listeners({
      log,
      address: config.address,
      port: config.port,
      secureAddress: config.secure_address,
      securePort: config.secure_port,
      maxBodyBytes: config.max_body_bytes,
      idleTimeoutSeconds: config.idle_timeout_seconds,
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
    ready(() => server.open());
    defer(() => listeners.close(GRACE_MS));
    return server;
  },
});
