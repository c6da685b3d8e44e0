import { defineModule } from "@/kernel/module.ts";
import { Authority } from "./service.ts";

declare module "@/kernel/module.ts" {
  interface Services {
    authority: Authority;
  }
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** The installation's CA and keys; gives both servers their certificate and keeps it fresh. */
export const authority = defineModule({
  name: "authority",
  needs: ["files", "certificates", "random", "clock", "host", "http", "grpc", "metrics"],
  provides: "authority",
  config: (t) =>
    t.Object({
      jwt_key_days: t.Integer({
        default: 30,
        minimum: 1,
        maximum: 365,
        description: "Days a key signs access tokens; the one before verifies for one day more.",
      }),
      overlap_days: t.Integer({
        default: 30,
        minimum: 1,
        maximum: 365,
        description:
          "Days after a rotation of the root in which the root before is believed too. A node that " +
          "was off for all of them has to join again with a new token.",
      }),
    }),
  async start({ files, certificates, random, clock, host, http, grpc, metrics }, context) {
    const names = () => host.names();
    const overlapMs = context.config.overlap_days * DAY_MS;
    const jwtLifeMs = context.config.jwt_key_days * DAY_MS;
    const lives = { overlapMs, jwtLifeMs };
    const service = new Authority({ files, certificates, random, names, ...lives });
    await service.ensureLeaf(clock.now());
    await service.onLeaf((pair) => http.identifyWith(pair));
    await service.onLeaf((pair) => grpc.identifyWith({ leaf: pair, rootPem: service.rootsPem }));
    metrics.gauge(
      "galaxy_certificate_expiry_seconds",
      "When the server's certificate ends, seconds since 1970.",
      [],
      () => [{ value: service.leafNotAfterMs() / 1000 }],
    );
    const renew = async () => {
      try {
        const renewed = await service.renewOwn(clock.now());
        if (renewed) context.log.info("server certificate renewed");
      } catch (error) {
        context.log.error({ err: error }, "server certificate not renewed");
      }
    };
    context.ready(renew);
    context.defer(clock.every(HOUR_MS, () => void renew()));
    const mend = () => {
      if (!service.isLeafInDate(clock.now())) void renew();
    };
    context.defer(clock.every(MINUTE_MS, mend));
    return service;
  },
});
