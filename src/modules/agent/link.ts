import { create } from "@bufbuild/protobuf";
import type { Certificates } from "@/ports/certificates.ts";
import type { Clock } from "@/ports/clock.ts";
import type { Connection, Dialer } from "@/ports/dialer.ts";
import type { Random } from "@/ports/random.ts";
import { Enrolment, GetAuthorityRequestSchema } from "@/proto/enrolment_pb.ts";
import { BUILD_TIME_MS } from "@/std/version.ts";
import type { Keeping } from "./keeping.ts";

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
  /** This machine's monotonic clock when the pool's time was asked and heard. */
  readonly sentMs: number;
  readonly receivedMs: number;
}

const CALL_MS = 10_000;

/**
 * Connects to one address as this node, or as nobody (`identified` false), which only enrolment
 * answers. The pool's certificate is dated against the newest time known: the pool's, the build's,
 * or this machine's.
 */
export async function openLink(
  parts: LinkParts,
  address: string,
  identified = true,
): Promise<Link> {
  const { keeping, dialer, certificates, clock, random } = parts;
  const { poolTimeMs } = keeping.membership();
  const nowMs = Math.max(clock.now(), poolTimeMs, BUILD_TIME_MS);
  const privateKeyPem = certificates.privateKeyPem(keeping.seed(() => random.bytes(32)));
  const identity = { certificatePem: keeping.certificatePem(), privateKeyPem };
  const rootPem = keeping.rootPem();
  const terms = identified ? { rootPem, nowMs, identity } : { rootPem, nowMs };
  const connection = await dialer.connect(address, terms);
  try {
    const sentMs = clock.monotonic();
    const request = create(GetAuthorityRequestSchema);
    const said = await connection.call(Enrolment.method.getAuthority, request, {
      timeoutMs: CALL_MS,
    });
    const receivedMs = clock.monotonic();
    return { connection, address, poolTimeMs: Number(said.poolTimeMs), sentMs, receivedMs };
  } catch (error) {
    connection.close();
    throw error;
  }
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
