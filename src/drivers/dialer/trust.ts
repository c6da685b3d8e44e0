import type { CertificateFacts, Certificates } from "@/ports/certificates.ts";
import { PoolError } from "@/std/errors.ts";

/** The name every pool's certificate carries, so that joining by address works. */
export const POOL_NAME = "pool.galaxy-pool.internal";

/** Judges the certificate a server showed; throws when it is not our pool's. */
export type Trust = (leaf: Uint8Array) => void;

/** Believes only what this root signed, for a server, for this name, and in date. */
export function trustIn(
  rootPem: string,
  nowMs: number | undefined,
  certificates: Certificates,
): Trust {
  const roots = rootPem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return (leaf) => {
    if (!roots.some((root) => certificates.isSignedBy(leaf, root))) {
      throw untrusted("its certificate was not signed by the pool's root");
    }
    const fault = faultIn(certificates.read(leaf), nowMs ?? Date.now());
    if (fault !== undefined) throw untrusted(fault);
  };
}

function faultIn(facts: CertificateFacts, nowMs: number): string | undefined {
  if (!facts.usages.includes("server")) return "its certificate is not for a server";
  if (!facts.dnsNames.includes(POOL_NAME)) return "its certificate is not for a pool";
  if (nowMs > facts.notAfterMs) return "its certificate has expired";
  if (nowMs < facts.notBeforeMs) return "its certificate is not valid yet; compare the clocks";
  return undefined;
}

function untrusted(why: string): PoolError {
  return new PoolError(
    "unauthenticated",
    "pool.untrusted",
    `What answers there is not the pool this node joined: ${why}. Nothing was sent to it.`,
  );
}
