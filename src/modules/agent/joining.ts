import { create } from "@bufbuild/protobuf";
import { type NodeId, nodeIdOf } from "@/core/ids.ts";
import { unnamed } from "@/core/node-profile.ts";
import { enrolmentProof, parseToken, secretHash } from "@/core/token.ts";
import type { Certificates } from "@/ports/certificates.ts";
import type { Clock } from "@/ports/clock.ts";
import type { Connection, Dialer } from "@/ports/dialer.ts";
import type { Machine } from "@/ports/machine.ts";
import type { Random } from "@/ports/random.ts";
import {
  type EnrollReply,
  type EnrollRequest,
  EnrollRequestSchema,
  Enrolment,
  RenewRequestSchema,
} from "@/proto/enrolment_pb.ts";
import { GetNodeRequestSchema, RegisterNodeRequestSchema, Registry } from "@/proto/registry_pb.ts";
import { toBase32 } from "@/std/bytes.ts";
import { isRefusal, PoolError } from "@/std/errors.ts";
import type { Keeping, Membership } from "./keeping.ts";
import { withLink } from "./link.ts";
import { adoptMachine, requireOwnMachine } from "./own-machine.ts";
import { pinnedRoot } from "./trust.ts";

/** What joining needs of the world. */
export interface JoinParts {
  readonly keeping: Keeping;
  readonly dialer: Dialer;
  readonly certificates: Certificates;
  readonly clock: Clock;
  readonly random: Random;
  readonly machine: Machine;
}

/** What a person says when a machine joins. */
export interface JoinTerms {
  /** host or host:port, tried in turn. */
  readonly addresses: readonly string[];
  readonly token: string;
  /** Empty when nobody said: then the token's, or `hostName`. */
  readonly name: string;
  readonly hostName: string;
  /** Empty when nobody said: then the token's, or the usual one. */
  readonly specialization: string;
  readonly endpoint: string;
  readonly org: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** Which node this is to be where the key was made on another machine; it is asked for when left out. */
  readonly node?: "same" | "new" | undefined;
  /** Called with each step, for people who watch. */
  readonly tell: (step: string) => void;
}

const CALL_MS = 15_000;
const NONCE_BYTES = 32;
const CLOCK_WARN_MS = 300_000;

/** Enrols this machine: pin first, then a proof that the token is known (trust.md, section 2, steps 2 to 7). */
export async function joinPool(parts: JoinParts, terms: JoinTerms): Promise<Membership> {
  const token = parseToken(terms.token);
  chooseNode(parts, terms);
  const known = parts.keeping.findMembership();
  if (known && known.poolId !== token.pool) throw alreadyJoined(known);
  const failures: string[] = [];
  for (const address of terms.addresses) {
    try {
      await joinAt(parts, terms, address);
      return await introduce(parts, terms);
    } catch (error) {
      if (!isUnreachable(error)) throw error;
      failures.push(`${address}: ${error.message}`);
    }
  }
  throw new PoolError("unavailable", "pool.unreachable", `No pool answered. ${failures.join(" ")}`);
}

/** A key that was made on another machine is used, or thrown away, only when that was said. */
function chooseNode(parts: JoinParts, { node }: JoinTerms): void {
  if (node === "new") parts.keeping.forgetNode();
  if (node === undefined && parts.keeping.machineMarks()) requireOwnMachine(parts);
}

/** Says what this node is, and learns what the token said it is. */
async function introduce(parts: JoinParts, terms: JoinTerms): Promise<Membership> {
  const { keeping } = parts;
  const { nodeId } = keeping.membership();
  return withLink(parts, async ({ connection }) => {
    const enrolled = await connection.call(Registry.method.getNode, create(GetNodeRequestSchema));
    const isUnnamed = enrolled.name === unnamed(nodeId as NodeId);
    const { endpoint, org, metadata } = terms;
    const name = terms.name || (isUnnamed ? terms.hostName : enrolled.name);
    const said = { name, specialization: enrolled.specialization, endpoint, org, metadata };
    const request = create(RegisterNodeRequestSchema, said);
    await connection.call(Registry.method.registerNode, request);
    const membership = { ...keeping.membership(), ...said, isIntroduced: true };
    keeping.saveMembership(membership);
    return membership;
  });
}

function isUnreachable(error: unknown): error is PoolError {
  return isRefusal(error) && error.code === "pool.unreachable";
}

async function joinAt(parts: JoinParts, terms: JoinTerms, address: string): Promise<Membership> {
  const { dialer, certificates, clock } = parts;
  const { pin } = parseToken(terms.token);
  terms.tell(`fetching the authority of ${address}`);
  const authority = await dialer.fetchAuthority(address, CALL_MS);
  const rootDer = pinnedRoot(certificates, pin, authority);
  if (!rootDer) throw pinDiffers(certificates.read(authority.rootDer).spkiHash, pin, address);
  terms.tell("the authority is the one the token names");
  const skewMs = clock.now() - authority.poolTimeMs;
  if (Math.abs(skewMs) > CLOCK_WARN_MS) {
    terms.tell(`this machine's clock is ${Math.round(skewMs / 60_000)} minutes off the pool's`);
  }
  const rootPem = certificates.toPem(rootDer);
  const connection = await dialer.connect(address, { rootPem, nowMs: authority.poolTimeMs });
  try {
    return await enrol(parts, terms, connection, rootPem);
  } finally {
    connection.close();
  }
}

async function enrol(
  parts: JoinParts,
  terms: JoinTerms,
  connection: Connection,
  rootPem: string,
): Promise<Membership> {
  const { keeping, certificates, random } = parts;
  const token = parseToken(terms.token);
  adoptMachine(parts);
  const seed = keeping.seed(() => random.bytes(32));
  const csr = await certificates.createRequest(seed);
  const nonce = random.bytes(NONCE_BYTES);
  const { name: nodeName, specialization } = terms;
  const claim = {
    tokenId: token.id,
    csr,
    nonce,
    leafHash: connection.leafHash,
    nodeName,
    specialization,
    pool: token.pool,
  };
  const request = create(EnrollRequestSchema, {
    tokenId: token.id,
    csr,
    nodeName,
    specialization,
    nonce,
    proof: enrolmentProof(secretHash(token.secret), claim),
    poolId: token.pool,
    org: terms.org,
  });
  terms.tell("asking for a certificate");
  const reply = await certified(connection, request, parts);
  const membership: Membership = {
    installationId: installationOf(certificates, reply.certificate),
    nodeId: reply.nodeId,
    poolId: reply.poolId,
    poolKey: reply.poolKey,
    addresses: terms.addresses,
    slotSeconds: reply.slotSeconds,
    name: nodeName,
    specialization,
    endpoint: terms.endpoint,
    org: terms.org,
    metadata: terms.metadata,
    isIntroduced: false,
    renewAtMs: Number(reply.renewAtMs),
    poolTimeMs: Number(reply.poolTimeMs),
  };
  keeping.saveCertificates(rootPem, certificates.toPem(reply.certificate));
  keeping.saveMembership(membership);
  return membership;
}

/** The certificate; a member that asks again gets it by its key, and the token keeps its use. */
async function certified(
  connection: Connection,
  request: EnrollRequest,
  { keeping }: JoinParts,
): Promise<EnrollReply> {
  const { csr, poolId } = request;
  try {
    return await connection.call(Enrolment.method.enroll, request, { timeoutMs: CALL_MS });
  } catch (error) {
    if (!isRefusal(error) || error.code !== "node.exists") throw error;
    const nodeId = nodeIdOf(keeping.key().publicKey);
    const renewal = create(RenewRequestSchema, { csr, nodeId });
    const reply = await connection.call(Enrolment.method.renew, renewal, { timeoutMs: CALL_MS });
    if (reply.poolId !== poolId) throw error;
    return reply;
  }
}

/** The installation stands in the name the certificate was issued for: spiffe://<installation>/node/<id>. */
export function installationOf(certificates: Certificates, certificate: Uint8Array): string {
  const [uri = ""] = certificates.read(certificate).uris;
  return /^spiffe:\/\/([^/]+)\//.exec(uri)?.[1] ?? "";
}

function pinDiffers(seen: Uint8Array, pin: Uint8Array, address: string): PoolError {
  return new PoolError(
    "denied",
    "pin.differs",
    `${address} is not the pool this token is for, or somebody is in between. Nothing was sent. ` +
      `The token says ${toBase32(pin)}, the pool shows ${toBase32(seen)}. Check the address, and make a new token if it is right.`,
  );
}

function alreadyJoined(known: Membership): PoolError {
  return new PoolError(
    "exists",
    "node.already_joined",
    `This folder holds the node ${known.nodeId} of pool ${known.poolId}. Leave that pool first with "galaxy-pool node leave", or give this node another folder with --data.`,
  );
}
