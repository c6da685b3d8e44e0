import { create } from "@bufbuild/protobuf";
import { Enrolment, RenewRequestSchema } from "@/proto/enrolment_pb.ts";
import type { Keeping, Membership } from "./keeping.ts";
import { type Link, type LinkParts, openLink } from "./link.ts";

const CALL_MS = 15_000;

/**
 * Renews the certificate over mTLS, or without one when it has expired: the request signed with the
 * registered key is proof enough. The answer also says which pool this node is in now.
 */
export async function renew(parts: LinkParts, link: Link): Promise<Membership> {
  const { keeping, certificates, random } = parts;
  const known = keeping.membership();
  const csr = await certificates.createRequest(keeping.seed(() => random.bytes(32)));
  const request = create(RenewRequestSchema, { csr, nodeId: known.nodeId });
  const reply = await link.connection.call(Enrolment.method.renew, request, { timeoutMs: CALL_MS });
  const membership: Membership = {
    ...known,
    poolId: reply.poolId,
    poolKey: reply.poolKey,
    slotSeconds: reply.slotSeconds,
    renewAtMs: Number(reply.renewAtMs),
    poolTimeMs: Number(reply.poolTimeMs),
  };
  keeping.saveCertificates(keeping.rootPem(), certificates.toPem(reply.certificate));
  keeping.saveMembership(membership);
  return membership;
}

/** Renews over a connection without a certificate, for one that has expired. */
export async function renewExpired(parts: LinkParts, address: string): Promise<Membership> {
  const link = await openLink(parts, address, false);
  try {
    return await renew(parts, link);
  } finally {
    link.connection.close();
  }
}

/** Whether the certificate ran out, by the newest time known. */
export function isExpired(keeping: Keeping, notAfterMs: number, nowMs: number): boolean {
  return Math.max(nowMs, keeping.membership().poolTimeMs) >= notAfterMs;
}
