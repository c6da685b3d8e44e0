import { nodeCaller } from "@/core/caller.ts";
import { type NodeId, nodeIdOf } from "@/core/ids.ts";
import { type Node, requireWelcome } from "@/core/node.ts";
import { SPECIALIZATION_USUAL, unnamed } from "@/core/node-profile.ts";
import { enrolmentProof, secretHash } from "@/core/token.ts";
import type { NodeCertificate } from "@/modules/certificates/service.ts";
import type { Write } from "@/ports/database.ts";
import { sameBytes, toHex } from "@/std/bytes.ts";
import { sha256 } from "@/std/crypto.ts";
import { type Enrolled, type IssuingParts, keyIn, RENEWABLE_MS } from "./issuing.ts";
import { type JoinTokenRecord, type JoinTokens, stateOf } from "./join-tokens.ts";
import { clockUntrusted, enrolmentRefused } from "./refusals.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** For how long a lost reply may be asked for again. */
const REPEATABLE_MS = HOUR_MS;
const NAME_LETTERS_MAX = 256;

/** What a machine asks with; the secret is not in it. */
export interface EnrolmentRequest {
  readonly tokenId: string;
  readonly csr: Uint8Array;
  readonly nodeName: string;
  readonly specialization: string;
  readonly nonce: Uint8Array;
  readonly proof: Uint8Array;
  readonly pool: string;
  /** Empty when nobody said. */
  readonly org: string;
  /** SHA-256 of the leaf this connection was answered with. */
  readonly leafHash: Uint8Array;
}

/** What enrolment works with. */
export interface EnrolmentParts extends IssuingParts {
  readonly joinTokens: JoinTokens;
}

interface Proven {
  readonly request: EnrolmentRequest;
  readonly token: JoinTokenRecord;
  readonly publicKey: Uint8Array;
  readonly csrHash: Uint8Array;
}

/** Makes nodes of machines that prove to know a join token (trust.md, section 2, steps 5 to 8). */
export class Enrolment {
  readonly #parts: EnrolmentParts;
  /** Identical requests under way: the second waits and then gets the first one's answer again. */
  readonly #underWay = new Map<string, Promise<Enrolled>>();

  constructor(parts: EnrolmentParts) {
    this.#parts = parts;
  }

  /** A node and its certificate for a good proof; the same ones when the reply was lost. */
  async enroll(request: EnrolmentRequest): Promise<Enrolled> {
    if (!this.#parts.time().trusted) throw clockUntrusted();
    const proven = await this.#prove(request);
    const key = `${proven.token.id}.${toHex(proven.csrHash)}`;
    const first = this.#underWay.get(key);
    await first?.catch(() => undefined);
    const enrolled = this.#admitOnce(proven);
    this.#underWay.set(key, enrolled);
    try {
      return await enrolled;
    } finally {
      if (this.#underWay.get(key) === enrolled) this.#underWay.delete(key);
    }
  }

  /** Token, proof and signing request are all looked at before any of them refuses, all alike. */
  async #prove(request: EnrolmentRequest): Promise<Proven> {
    if (!isWellFormed(request)) throw enrolmentRefused();
    const token = await this.#parts.joinTokens.find(request.tokenId);
    const claimed = enrolmentProof(token?.secretHash ?? secretHash(""), request);
    const publicKey = await keyIn(this.#parts.certificates, request.csr);
    const isProven = sameBytes(claimed, request.proof);
    if (!token || !isProven || !publicKey || !fits(token, request)) throw enrolmentRefused();
    const { visitor } = token;
    if (visitor && !sameBytes(visitor.nodeKey, publicKey)) throw enrolmentRefused();
    return { request, token, publicKey, csrHash: sha256(request.csr) };
  }

  async #admitOnce(proven: Proven): Promise<Enrolled> {
    const before = await this.#nodeOf(proven);
    if (before) return this.#again(before);
    const { nowMs } = this.#parts.time();
    if (stateOf(proven.token, nowMs) !== "live") throw enrolmentRefused();
    const known = this.#parts.registry.findNodeByKey(proven.publicKey);
    if (known && (await this.#isLongAway(known, proven))) return this.#welcomeBack(proven, known);
    await this.#parts.keys.requireUnseen(proven.publicKey);
    return this.#admit(proven);
  }

  async #admit(proven: Proven): Promise<Enrolled> {
    const { request, token, publicKey } = proven;
    const { nowMs, slot } = this.#parts.time();
    const wanted = {
      publicKey,
      name: token.nodeName ?? (request.nodeName || unnamed(nodeIdOf(publicKey))),
      specialization: token.specialization ?? (request.specialization || SPECIALIZATION_USUAL),
      specializationApproved: token.specialization !== undefined,
      pool: token.pool,
      org: token.visitor ? token.visitor.org : request.org || undefined,
      pending: token.visitor,
    };
    const caller = nodeCaller(nodeIdOf(publicKey));
    const pending = this.#parts.registry.admission(caller, wanted, slot);
    try {
      const certificate = await this.#certify(pending.node, nowMs);
      const usage = this.#usage(proven, pending.node, certificate);
      await this.#parts.database.commit([...usage, ...pending.writes]);
      return { node: pending.done(), certificate };
    } catch (error) {
      pending.release();
      throw error;
    }
  }

  /** Whether this is a member that may no longer renew by itself. */
  async #isLongAway(node: Node, { token }: Proven): Promise<boolean> {
    if (node.status !== "member" || node.pool !== token.pool) return false;
    const notAfterMs = await this.#parts.keys.notAfterMs(node.id);
    return notAfterMs !== undefined && this.#parts.time().nowMs - notAfterMs > RENEWABLE_MS;
  }

  /** A node that stayed away for long comes back with a new token and its key; it keeps id and balance. */
  async #welcomeBack(proven: Proven, node: Node): Promise<Enrolled> {
    const certificate = await this.#certify(node, this.#parts.time().nowMs);
    await this.#parts.database.commit(this.#usage(proven, node, certificate));
    return { node, certificate };
  }

  /** The certificate again, for a reply that was lost; no use is counted. */
  async #again(node: Node): Promise<Enrolled> {
    requireWelcome(node);
    const certificate = await this.#certify(node, this.#parts.time().nowMs);
    await this.#parts.database.commit([
      this.#parts.keys.certified(node.id, certificate.notAfterMs),
      this.#parts.audit.row(nodeCaller(node.id), "node.enrolled_again", node.id),
    ]);
    return { node, certificate };
  }

  /** What every use of a token writes: one use less, who it was, and until when it is certified. */
  #usage({ token, csrHash }: Proven, { id }: Node, certificate: NodeCertificate): Write[] {
    const { database, joinTokens, keys, audit } = this.#parts;
    const { nowMs } = this.#parts.time();
    const row = { token: token.id, csr_hash: csrHash, node: id, at_ms: BigInt(nowMs) };
    const old = database.sql.deleteFrom("enrolment").where("at_ms", "<", BigInt(nowMs - DAY_MS));
    return [
      joinTokens.use(token.id),
      { query: old.compile() },
      { query: database.sql.insertInto("enrolment").values(row).compile(), rows: 1 },
      keys.certified(id, certificate.notAfterMs),
      audit.row(nodeCaller(id), "token.used", token.id, { node: id }),
    ];
  }

  /** The node this very request made within the last hour. */
  async #nodeOf({ token, csrHash, publicKey }: Proven): Promise<Node | undefined> {
    const { database, registry } = this.#parts;
    const since = BigInt(this.#parts.time().nowMs - REPEATABLE_MS);
    const [row] = await database.sql
      .selectFrom("enrolment")
      .select("node")
      .where("token", "=", token.id)
      .where("csr_hash", "=", csrHash)
      .where("at_ms", ">", since)
      .execute();
    if (!row || token.revokedAtMs !== undefined) return undefined;
    const node = registry.findNode(row.node as NodeId);
    return node && sameBytes(node.publicKey, publicKey) ? node : undefined;
  }

  #certify(node: Node, nowMs: number): Promise<NodeCertificate> {
    return this.#parts.authority.issueNode(node.id, node.publicKey, nowMs);
  }
}

function isWellFormed({ nonce, nodeName, specialization }: EnrolmentRequest): boolean {
  if (nonce.length < 16 || nonce.length > 64) return false;
  return nodeName.length <= NAME_LETTERS_MAX && specialization.length <= NAME_LETTERS_MAX;
}

/** Whether a token is for this request; what it leaves open, the request may choose. */
function fits(token: JoinTokenRecord, request: EnrolmentRequest): boolean {
  if (token.pool !== request.pool) return false;
  const isNamed = !token.nodeName || ["", token.nodeName].includes(request.nodeName);
  const { specialization } = token;
  return isNamed && (!specialization || ["", specialization].includes(request.specialization));
}
