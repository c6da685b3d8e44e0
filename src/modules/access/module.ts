import { defineModule } from "@/kernel/module.ts";
import { Enrolment } from "@/proto/enrolment_pb.ts";
import { authorityAccess, authorityRoutes } from "./authority-routes.ts";
import { loginRoutes, loginRoutesAccess } from "./login-routes.ts";
import { accessRoutes, accessRoutesAccess } from "./routes.ts";
import { enrolmentRpcs } from "./rpc.ts";
import { secretRoutes, secretRoutesAccess } from "./secret-routes.ts";
import { Access } from "./service.ts";
import { ACCESS_MIGRATIONS } from "./table.ts";
import { TRUST_MIGRATIONS } from "./trust-table.ts";
import { visitorAccess, visitorRoutes } from "./visitor-routes.ts";

declare module "@/kernel/module.ts" {
  interface Services {
    access: Access;
  }
}

const HOUR_MS = 3_600_000;
const ADDRESSES_MAX = 10_000;

/** Says who calls, and lets machines in that prove they may. */
export const access = defineModule({
  name: "access",
  needs: [
    "database",
    "clock",
    "random",
    "files",
    "certificates",
    "tokens",
    "people",
    "http",
    "grpc",
    "metrics",
    "events",
    "audit",
    "authority",
    "registry",
  ],
  provides: "access",
  config: (t) =>
    t.Object({
      failures_max: t.Integer({
        default: 10,
        minimum: 1,
        maximum: 1_000,
        description: "Failed proofs from one address within an hour that block it.",
      }),
      block_seconds: t.Integer({
        default: 3_600,
        minimum: 1,
        maximum: 86_400,
        duration: true,
        description: "How long an address stays blocked.",
      }),
      work_bits: t.Integer({
        default: 18,
        minimum: 0,
        maximum: 26,
        description:
          "Proof of work asked of strangers who enrol in a public pool, in leading zero bits: one more takes twice as long, 18 are a second or two on a small board. It rises with the load.",
      }),
    }),
  async start(services, { config, log, reloaded, defer }) {
    const { database, clock, http, grpc, authority, registry, metrics, events, tokens } = services;
    await database.migrate(ACCESS_MIGRATIONS);
    await database.migrate(TRUST_MIGRATIONS);
    const limits = {
      failuresMax: config.failures_max,
      windowMs: HOUR_MS,
      blockMs: config.block_seconds * 1000,
      addressesMax: ADDRESSES_MAX,
    };
    const service = new Access({ ...services, log, limits, workBits: config.work_bits });
    registry.whenForgotten((node) => [service.forgetCertificate(node)]);
    await service.load();
    http.authenticateWith((request, isSecure) => service.authenticate(request, isSecure));
    grpc.authenticateWith((certificate) => service.callerOfCertificate(certificate));
    http.mount(accessRoutes(service, { http, registry }), accessRoutesAccess);
    http.mount(visitorRoutes(service, http), visitorAccess);
    http.mount(loginRoutes(service, { http, authority, tokens }), loginRoutesAccess);
    http.mount(secretRoutes(service, { http, authority, tokens }), secretRoutesAccess);
    http.mount(authorityRoutes(service, { http, authority }), authorityAccess);
    grpc.serve(Enrolment, "anyone", enrolmentRpcs(service, authority, registry));
    const endOverlap = () =>
      service.rotation.finishWhenOver().catch((error: unknown) => {
        log.error({ err: error }, "the root before is still believed");
      });
    defer(clock.every(HOUR_MS, () => void endOverlap()));
    events.on("node.suspended", ({ node }) => grpc.disconnect(node));
    events.on("node.removed", ({ node }) => grpc.disconnect(node));
    events.on("node.expired", ({ node }) => grpc.disconnect(node));
    events.on("node.rekeyed", ({ node }) => grpc.disconnect(node));
    metrics.gauge(
      "galaxy_blocked_addresses",
      "Addresses kept out after too many failed proofs.",
      [],
      () => [{ value: service.blockedCount() }],
    );
    reloaded(() => service.reload());
    return service;
  },
});
