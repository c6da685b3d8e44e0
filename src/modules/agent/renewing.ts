import { create } from "@bufbuild/protobuf";
import type { Certificates } from "@/ports/certificates.ts";
import type { Connection } from "@/ports/dialer.ts";
import type { Random } from "@/ports/random.ts";
import { Enrolment, RenewRequestSchema } from "@/proto/enrolment_pb.ts";
import type { Keeping, Membership } from "./keeping.ts";
import { trustedPin } from "./trust.ts";

/** What a renewal takes. */
export interface RenewalParts {
  readonly keeping: Keeping;
  readonly certificates: Certificates;
  readonly random: Random;
}

const CALL_MS = 15_000;

/**
 * Renews the certificate over mTLS, also when it has expired: then it counts for nothing, and the
 * request signed with the registered key is proof enough. The answer also says which pool this node is in now.
 */
export async function renew(
  { keeping, certificates, random }: RenewalParts,
  connection: Connection,
): Promise<Membership> {
  const known = keeping.membership();
  const csr = await certificates.createRequest(keeping.seed(() => random.bytes(32)));
  const request = create(RenewRequestSchema, {
    csr,
    nodeId: known.nodeId,
    trustedPin: trustedPin({ keeping, certificates }),
  });
  const reply = await connection.call(Enrolment.method.renew, request, { timeoutMs: CALL_MS });
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
