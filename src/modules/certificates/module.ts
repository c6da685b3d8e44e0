import { defineModule } from "@/kernel/module.ts";
import { Authority } from "./service.ts";

declare module "@/kernel/module.ts" {
  interface Services {
    authority: Authority;
  }
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** The installation's CA and keys; gives both servers their certificate and keeps it fresh. */
export const authority = defineModule({
  name: "authority",
  needs: ["files", "certificates", "random", "clock", "host", "http", "grpc", "metrics"],
  provides: "authority",
  async start({ files, certificates, random, clock, host, http, grpc, metrics }, context) {
    const service = new Authority({ files, certificates, random, names: () => host.names() });
    await service.ensureLeaf(clock.now());
    await service.onLeaf((pair) => http.identifyWith(pair));
    await service.onLeaf((pair) => grpc.identifyWith({ leaf: pair, rootPem: service.rootPem }));
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
