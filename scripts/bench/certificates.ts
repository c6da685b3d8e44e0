import { createCertificates } from "@/drivers/certificates.ts";
import type { CertificatePair } from "@/ports/certificates.ts";
import { signingKey } from "@/std/crypto.ts";
import { seedOf } from "./bench-pool.ts";

/** The name in the certificates of the servers the pool is compared with. */
export const SERVER_NAME = "baseline.galaxy-pool.internal";

const HOUR_MS = 3_600_000;

/** A CA with the algorithms of a pool's, for the servers it is compared with. */
export interface BenchAuthority {
  readonly rootPem: string;
  readonly server: CertificatePair;
  readonly clients: readonly CertificatePair[];
}

/** Makes one, with certificates for a server and so many clients. */
export async function createAuthority(clients: number): Promise<BenchAuthority> {
  const certificates = createCertificates();
  const [notBeforeMs, notAfterMs] = [Date.now() - HOUR_MS, Date.now() + 24 * HOUR_MS];
  const root = await certificates.createRoot("bench", notBeforeMs, notAfterMs);
  const life = { notBeforeMs, notAfterMs };
  const server = await certificates.createLeaf(root, {
    ...life,
    uris: ["spiffe://bench/server"],
    dnsNames: [SERVER_NAME, "localhost"],
    ipAddresses: ["127.0.0.1"],
    usage: "server",
  });
  const made: CertificatePair[] = [];
  for (let number = 1; number <= clients; number++) {
    const seed = seedOf(number);
    const terms = { ...life, uris: [`spiffe://bench/node/${number}`], usage: "client" as const };
    const der = await certificates.issue(root, signingKey(seed).publicKey, terms);
    made.push({
      certificatePem: certificates.toPem(der),
      privateKeyPem: certificates.privateKeyPem(seed),
    });
  }
  return { rootPem: root.certificatePem, server, clients: made };
}
