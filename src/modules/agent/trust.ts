import type { Certificates } from "@/ports/certificates.ts";
import type { PoolAuthority } from "@/ports/dialer.ts";
import { sameBytes, toBase32 } from "@/std/bytes.ts";
import { isRefusal, PoolError } from "@/std/errors.ts";
import type { Keeping } from "./keeping.ts";

/** What judging a root takes. */
export interface TrustParts {
  readonly keeping: Keeping;
  readonly certificates: Certificates;
}

type Claimed = Pick<PoolAuthority, "rootDer" | "previousDer" | "vouchedDer">;

/**
 * Takes over a new root that one of the roots this node trusts vouches for, whoever brought the news;
 * it is kept beside the old one before anything is done with it. Whether there was news.
 */
export function learnRoot({ keeping, certificates }: TrustParts, claimed: Claimed): boolean {
  const known = rootsIn(keeping.rootPem(), certificates);
  if (known.some((root) => sameBytes(root, claimed.rootDer))) return false;
  const voucher = known.find((root) => isVouchedFor(certificates, root, claimed));
  if (!voucher) return false;
  const { toPem } = certificates;
  keeping.saveRoots(`${toPem(claimed.rootDer)}\n${toPem(voucher)}\n`);
  return true;
}

/** Drops the root before once the pool itself, over a connection that is trusted, has done so. */
export function dropOldRoot({ keeping, certificates }: TrustParts, claimed: Claimed): void {
  const known = rootsIn(keeping.rootPem(), certificates);
  const isOver = known.length > 1 && claimed.previousDer === undefined;
  const current = known.find((root) => sameBytes(root, claimed.rootDer));
  if (isOver && current) keeping.saveRoots(`${certificates.toPem(current)}\n`);
}

/** The root a pin stands for: the one shown, also when the root before has the pin and vouches for it. */
export function pinnedRoot(
  certificates: Certificates,
  pin: Uint8Array,
  claimed: Claimed,
): Uint8Array | undefined {
  const { rootDer, previousDer } = claimed;
  const hasPin = (root: Uint8Array) => sameBytes(certificates.read(root).spkiHash, pin);
  if (hasPin(rootDer)) return rootDer;
  if (!previousDer || !hasPin(previousDer)) return undefined;
  return isVouchedFor(certificates, previousDer, claimed) ? rootDer : undefined;
}

/** The pin of the newest root this node keeps. */
export function trustedPin({ keeping, certificates }: TrustParts): Uint8Array {
  return certificates.read(keeping.rootPem()).spkiHash;
}

/** Whether the root that signs now has signed the node's certificate; another is renewed while it can be. */
export function isOfRoot({ keeping, certificates }: TrustParts, { rootDer }: Claimed): boolean {
  return certificates.isSignedBy(certificates.toDer(keeping.certificatePem()), rootDer);
}

/** The refusal of a pool whose root nothing this node trusts vouches for. */
export function rootUnknown(
  { keeping, certificates }: TrustParts,
  claimed: Claimed,
  cause: PoolError,
): PoolError {
  const seen = pinOf(certificates, claimed.rootDer);
  const known = toBase32(trustedPin({ keeping, certificates }));
  if (seen === known) return cause;
  return new PoolError(
    "unauthenticated",
    "pool.untrusted",
    `${cause.message} This node trusts the root ${known}, and is shown ${seen ?? "none"}. If the operator ` +
      "says that the root was replaced while this node was away, join again with a new token " +
      '("galaxy-pool node join HOST --token …"): it stays the same node and keeps its balance.',
    {},
    cause,
  );
}

/**
 * A root is vouched for by a certificate that a trusted root signed, that may sign others itself, and
 * that is for the very key of the new root. What a pool issues to nodes is signed by the root too, but
 * may sign nothing.
 */
function isVouchedFor(
  certificates: Certificates,
  trusted: Uint8Array,
  { rootDer, vouchedDer }: Claimed,
): boolean {
  if (!vouchedDer || !certificates.isSignedBy(vouchedDer, trusted)) return false;
  if (!certificates.isSignedBy(rootDer, rootDer)) return false;
  const [root, vouched] = [certificates.read(rootDer), certificates.read(vouchedDer)];
  if (!root.isAuthority || !vouched.isAuthority) return false;
  return sameBytes(root.spkiHash, vouched.spkiHash);
}

function rootsIn(pem: string, certificates: Certificates): Uint8Array[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => certificates.toDer(block));
}

/** What a stranger shows as its root may be anything. */
function pinOf(certificates: Certificates, root: Uint8Array): string | undefined {
  try {
    return toBase32(certificates.read(root).spkiHash);
  } catch (error) {
    if (isRefusal(error)) return undefined;
    throw error;
  }
}
