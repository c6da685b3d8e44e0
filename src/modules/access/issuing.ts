import type { Node } from "@/core/node.ts";
import type { Audit } from "@/modules/audit/service.ts";
import type { Authority, NodeCertificate } from "@/modules/certificates/service.ts";
import type { Registry } from "@/modules/registry/service.ts";
import type { Certificates } from "@/ports/certificates.ts";
import type { Database } from "@/ports/database.ts";
import { isRefusal } from "@/std/errors.ts";
import type { NodeKeys } from "./node-keys.ts";
import type { PoolTime } from "./pool-time.ts";

const CSR_BYTES_MAX = 4_096;

/** For how long after its end a certificate may still be renewed by the node alone. */
export const RENEWABLE_MS = 31 * 86_400_000;

/** A node and its certificate. */
export interface Enrolled {
  readonly node: Node;
  readonly certificate: NodeCertificate;
}

/** What issuing certificates takes. */
export interface IssuingParts {
  readonly database: Database;
  readonly certificates: Certificates;
  readonly authority: Authority;
  readonly registry: Registry;
  readonly audit: Audit;
  readonly keys: NodeKeys;
  readonly time: () => PoolTime;
}

/** The key of a signing request whose own signature holds; undefined for anything else. */
export async function keyIn(
  certificates: Certificates,
  csr: Uint8Array,
): Promise<Uint8Array | undefined> {
  if (csr.length === 0 || csr.length > CSR_BYTES_MAX) return undefined;
  try {
    return (await certificates.readRequest(csr)).publicKey;
  } catch (error) {
    if (isRefusal(error)) return undefined;
    throw error;
  }
}
