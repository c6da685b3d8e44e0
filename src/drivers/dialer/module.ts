import { defineModule } from "@/kernel/module.ts";
import type { Certificates } from "@/ports/certificates.ts";
import type { Dialer } from "@/ports/dialer.ts";
import { Enrolment } from "@/proto/enrolment_pb.ts";
import { GrpcConnection } from "./connection.ts";
import { PoolCredentials } from "./credentials.ts";
import { trustIn } from "./trust.ts";

declare module "@/kernel/module.ts" {
  interface Services {
    dialer: Dialer;
  }
}

/** Dials pools over gRPC. */
export function createDialer(certificates: Certificates): Dialer {
  return {
    async fetchAuthority(address, timeoutMs) {
      const connection = new GrpcConnection(address, new PoolCredentials(() => {}, undefined));
      try {
        const terms = timeoutMs === undefined ? {} : { timeoutMs };
        const authority = await connection.call(Enrolment.method.getAuthority, {}, terms);
        const { rootCertificate, previousRootCertificate, vouchedCertificate } = authority;
        return {
          rootDer: rootCertificate,
          poolTimeMs: Number(authority.poolTimeMs),
          installationId: authority.installationId,
          previousDer: someOf(previousRootCertificate),
          vouchedDer: someOf(vouchedCertificate),
        };
      } finally {
        connection.close();
      }
    },
    async connect(address, { rootPem, identity, nowMs, timeoutMs }) {
      const trust = trustIn(rootPem, nowMs, certificates);
      const connection = new GrpcConnection(address, new PoolCredentials(trust, identity));
      try {
        await connection.ready(timeoutMs);
        return connection;
      } catch (error) {
        connection.close();
        throw error;
      }
    },
  };
}

/** Empty bytes on the wire stand for what was not sent. */
function someOf(bytes: Uint8Array): Uint8Array | undefined {
  return bytes.length > 0 ? bytes : undefined;
}

/** Provides `dialer`. */
export const dialer = defineModule({
  name: "dialer",
  needs: ["certificates"],
  provides: "dialer",
  start: ({ certificates }) => createDialer(certificates),
});
