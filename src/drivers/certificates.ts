import { X509Certificate } from "node:crypto";
import { defineModule } from "@/kernel/module.ts";
import type { CertificateFacts, Certificates } from "@/ports/certificates.ts";
import { PoolError } from "@/std/errors.ts";
import { factsIn } from "./certificates/facts.ts";
import { ed25519Pkcs8, firstPem, pemOf } from "./certificates/pem.ts";

declare module "@/kernel/module.ts" {
  interface Services {
    certificates: Certificates;
  }
}

/**
 * X.509: made by @peculiar/x509, which is loaded when something is first made, for most starts make
 * nothing; checked by node:crypto, and read by a small reader of ours.
 */
export function createCertificates(): Certificates {
  const making = () => import("./certificates/making.ts");
  return {
    createRoot: async (...terms) => (await making()).createRoot(...terms),
    vouch: async (...terms) => (await making()).vouch(...terms),
    createLeaf: async (...terms) => (await making()).createLeaf(...terms),
    issue: async (...terms) => (await making()).issue(...terms),
    createRequest: async (seed) => (await making()).createRequest(seed),
    readRequest: async (der) => (await making()).readRequest(der),
    read,
    isSignedBy,
    toPem: (der) => pemOf("CERTIFICATE", der),
    toDer,
    privateKeyPem: (seed) => pemOf("PRIVATE KEY", ed25519Pkcs8(seed)),
  };
}

/** Provides `certificates`. */
export const certificates = defineModule({
  name: "certificates",
  needs: [],
  provides: "certificates",
  start: () => createCertificates(),
});

function read(certificate: Uint8Array | string): CertificateFacts {
  const der = typeof certificate === "string" ? toDer(certificate) : certificate;
  try {
    return factsIn(der);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    const message = "The certificate cannot be read; it must be X.509, DER or PEM.";
    throw new PoolError("invalid", "certificate.malformed", message, {}, cause);
  }
}

function isSignedBy(certificate: Uint8Array, root: Uint8Array | string): boolean {
  try {
    const issuer = new X509Certificate(root);
    const issued = new X509Certificate(certificate);
    return issued.checkIssued(issuer) && issued.verify(issuer.publicKey);
  } catch {
    return false;
  }
}

function toDer(pem: string): Uint8Array {
  const der = firstPem(pem, "CERTIFICATE");
  if (der) return der;
  const message = "This is not a certificate in PEM; it must begin with BEGIN CERTIFICATE.";
  throw new PoolError("invalid", "certificate.malformed", message);
}
