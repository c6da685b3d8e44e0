import { create } from "@bufbuild/protobuf";
import type { PoolId } from "@/core/ids.ts";
import type { Authority } from "@/modules/certificates/service.ts";
import type { Registry } from "@/modules/registry/service.ts";
import type { ServiceRpcs } from "@/ports/grpc.ts";
import {
  AuthoritySchema,
  EnrollReplySchema,
  type Enrolment,
  RequestTokenReplySchema,
  WorkSchema,
} from "@/proto/enrolment_pb.ts";
import type { Enrolled } from "./issuing.ts";
import type { Access } from "./service.ts";

/** The service galaxy.pool.v1.Enrolment: wire words in, domain words through, wire words out. */
export function enrolmentRpcs(
  access: Access,
  authority: Authority,
  registry: Registry,
): ServiceRpcs<typeof Enrolment> {
  const replyOf = ({ node, certificate }: Enrolled) => {
    const { nowMs, slotSeconds } = access.time();
    return create(EnrollReplySchema, {
      certificate: certificate.certificate,
      rootCertificate: authority.rootDer,
      nodeId: node.id,
      poolId: node.pool,
      poolKey: registry.getPool(node.pool).publicKey,
      poolTimeMs: BigInt(nowMs),
      slotSeconds,
      renewAtMs: BigInt(certificate.renewAtMs),
    });
  };
  return {
    async getAuthority() {
      return create(AuthoritySchema, {
        rootCertificate: authority.rootDer,
        poolTimeMs: BigInt(access.time().nowMs),
        installationId: authority.installationId,
        ...previousOf(authority),
      });
    },
    async getWork({ poolId }) {
      const { challenge, bits, expiresAtMs, pool } = access.visitors.work(poolId || undefined);
      const expires = BigInt(expiresAtMs);
      const names = { poolId: pool.id, poolName: pool.name };
      return create(WorkSchema, { challenge, bits, expiresAtMs: expires, ...names });
    },
    async requestToken(request, call) {
      const { nodeKey, challenge, apiKey, poolId } = request;
      const visit = { address: call.address, nodeKey };
      const { token, text } = apiKey
        ? await access.tokenForKey({ ...visit, pool: poolId || undefined }, apiKey)
        : await access.tokenForWork(visit, { challenge, counter: Number(request.counter) });
      const expiresAtMs = BigInt(token.expiresAtMs);
      return create(RequestTokenReplySchema, { token: text, poolId: token.pool, expiresAtMs });
    },
    async enroll(request, call) {
      const { tokenId, csr, nodeName, specialization, nonce, proof, org } = request;
      const asked = { tokenId, csr, nodeName, specialization, nonce, proof, org };
      const pool = request.poolId as PoolId;
      const leafHash = call.serverLeafHash;
      return replyOf(await access.enroll(call.address, { ...asked, pool, leafHash }));
    },
    async renew(request, call) {
      const { csr, oldKeySignature, nodeId, trustedPin } = request;
      const renewal = { csr, oldKeySignature, node: nodeId, trustedPin };
      return replyOf(await access.renew(call.address, call.caller, renewal));
    },
  };
}

/** While two roots are believed: the one before, and what it says of the one now. */
function previousOf({ previousRoot }: Authority) {
  if (!previousRoot) return {};
  return {
    previousRootCertificate: previousRoot.der,
    vouchedCertificate: previousRoot.vouchedDer,
    previousUntilMs: BigInt(previousRoot.untilMs),
  };
}
