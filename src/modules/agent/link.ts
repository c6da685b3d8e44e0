import { create } from "@bufbuild/protobuf";
import type { Certificates } from "@/ports/certificates.ts";
import type { Clock } from "@/ports/clock.ts";
import type { Connection, Dialer, DialOptions } from "@/ports/dialer.ts";
import type { Random } from "@/ports/random.ts";
import { type Authority, Enrolment, GetAuthorityRequestSchema } from "@/proto/enrolment_pb.ts";
import { isRefusal, type PoolError } from "@/std/errors.ts";
import { BUILD_TIME_MS } from "@/std/version.ts";
import type { Keeping } from "./keeping.ts";
import { renew } from "./renewing.ts";
import { dropOldRoot, isOfRoot, learnRoot, rootUnknown } from "./trust.ts";

/** What a connection needs of the world. */
export interface LinkParts {
  readonly keeping: Keeping;
  readonly dialer: Dialer;
  readonly certificates: Certificates;
  readonly clock: Clock;
  readonly random: Random;
}

/** A connection to the pool, with the pool's time as heard on it. */
export interface Link {
  readonly connection: Connection;
  readonly address: string;
  readonly poolTimeMs: number;
  /** Whether this node needs another certificate: this one is out of date, or its root is. */
  readonly isRenewalDue: boolean;
  /** This machine's monotonic clock when the pool's time was asked and heard. */
  readonly sentMs: number;
  readonly receivedMs: number;
}

const CALL_MS = 10_000;

/**
 * Connects to one address as this node. A certificate that is out of date by the pool's own clock, or
 * whose root the pool has replaced, is renewed on the way: the signing request proves the key, whatever
 * became of the certificate.
 */
export async function openLink(parts: LinkParts, address: string): Promise<Link> {
  const link = await openOnce(parts, address);
  try {
    if (!link.isRenewalDue) return link;
    await renew(parts, link.connection);
  } catch (error) {
    link.connection.close();
    throw error;
  }
  link.connection.close();
  return openOnce(parts, address);
}

/** Does one thing over a connection of its own: the first address that answers. */
export async function withLink<T>(parts: LinkParts, act: (link: Link) => Promise<T>): Promise<T> {
  let failure: unknown;
  for (const address of parts.keeping.membership().addresses) {
    let link: Link;
    try {
      link = await openLink(parts, address);
    } catch (error) {
      failure = error;
      continue;
    }
    try {
      return await act(link);
    } finally {
      link.connection.close();
    }
  }
  throw failure;
}

function isInDate({ keeping, certificates }: LinkParts, nowMs: number): boolean {
  const { notBeforeMs, notAfterMs } = certificates.read(keeping.certificatePem());
  return nowMs >= notBeforeMs && nowMs < notAfterMs;
}

async function openOnce(parts: LinkParts, address: string): Promise<Link> {
  const { keeping, certificates, clock, random } = parts;
  const privateKeyPem = certificates.privateKeyPem(keeping.seed(() => random.bytes(32)));
  const identity = { certificatePem: keeping.certificatePem(), privateKeyPem };
  const connection = await dial(parts, address, { rootPem: keeping.rootPem(), identity });
  try {
    const sentMs = clock.monotonic();
    const request = create(GetAuthorityRequestSchema);
    const said = await connection.call(Enrolment.method.getAuthority, request, {
      timeoutMs: CALL_MS,
    });
    const receivedMs = clock.monotonic();
    const poolTimeMs = Number(said.poolTimeMs);
    const isRenewalDue = takesNews(parts, said) || !isInDate(parts, poolTimeMs);
    return { connection, address, poolTimeMs, isRenewalDue, sentMs, receivedMs };
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** What the pool says of its roots, over a connection that is trusted; whether it asks for a renewal. */
function takesNews(parts: LinkParts, said: Authority): boolean {
  const claimed = {
    rootDer: said.rootCertificate,
    previousDer: someOf(said.previousRootCertificate),
    vouchedDer: someOf(said.vouchedCertificate),
  };
  learnRoot(parts, claimed);
  dropOldRoot(parts, claimed);
  return !isOfRoot(parts, claimed);
}

/** Empty bytes on the wire stand for what was not sent. */
function someOf(bytes: Uint8Array): Uint8Array | undefined {
  return bytes.length > 0 ? bytes : undefined;
}

/**
 * The pool's certificate is dated against this machine's clock, or the newest time known when that is
 * later. Where the dates do not fit, this clock may be wrong by years: then they are held against the
 * time the pool claims, if that is no earlier than what is known (trust.md, section 2, step 4). And
 * where the root does not fit, the pool may have another one that a root known here vouches for.
 */
async function dial(parts: LinkParts, address: string, terms: DialOptions): Promise<Connection> {
  const { keeping, dialer, clock } = parts;
  const knownMs = Math.max(keeping.membership().poolTimeMs, BUILD_TIME_MS);
  try {
    return await dialer.connect(address, { ...terms, nowMs: Math.max(clock.now(), knownMs) });
  } catch (error) {
    if (!isUntrusted(error)) throw error;
    const claimed = await dialer.fetchAuthority(address, CALL_MS);
    const isNews = learnRoot(parts, claimed);
    const { poolTimeMs } = claimed;
    if (poolTimeMs < knownMs && !isNews) throw rootUnknown(parts, claimed, error);
    const nowMs = Math.max(poolTimeMs, knownMs);
    const again = { ...terms, rootPem: keeping.rootPem(), nowMs };
    return await dialer.connect(address, again).catch((cause: unknown) => {
      throw isUntrusted(cause) ? rootUnknown(parts, claimed, cause) : cause;
    });
  }
}

function isUntrusted(error: unknown): error is PoolError {
  return isRefusal(error) && error.code === "pool.untrusted";
}
