import { isId, type NodeId, type PoolId } from "@/core/ids.ts";
import type { ReceiptMasters } from "@/core/poot/receipt.ts";
import type { CertificateFacts, CertificatePair, Certificates } from "@/ports/certificates.ts";
import type { Files } from "@/ports/files.ts";
import type { Random } from "@/ports/random.ts";
import { assert } from "@/std/assert.ts";
import { toHex } from "@/std/bytes.ts";
import { type SigningKey, signingKey } from "@/std/crypto.ts";
import { isRefusal } from "@/std/errors.ts";
import { type FirstPool, firstPoolKey, readFirstPool } from "./first-pool.ts";
import { JWT_LIFE_MS, JwtKeys } from "./jwt-keys.ts";
import { damaged, KEY_FILES, notInitialised, readSeed } from "./key-files.ts";
import { PoolKeys } from "./pool-keys.ts";
import { type PreparedRoot, type PreviousRoot, Roots } from "./roots.ts";
import { ServerLeaf, type ServerNames } from "./server-leaf.ts";

const HOUR_MS = 3_600_000;
const NODE_LIFE_MS = 24 * HOUR_MS;
const BACKDATED_MS = 5 * 60_000;

/** Who serves with the server's certificate. */
type TakesLeaf = (pair: CertificatePair) => void | Promise<void>;

/** What the authority works with. */
export interface AuthorityParts {
  readonly files: Files;
  readonly certificates: Certificates;
  readonly random: Random;
  readonly names: () => ServerNames;
  /** For how long after a rotation the root before is believed. */
  readonly overlapMs: number;
  /** For how long a key signs access tokens; 30 days when unstated. */
  readonly jwtLifeMs?: number;
}

/** A certificate for a node. */
export interface NodeCertificate {
  /** DER. */
  readonly certificate: Uint8Array;
  readonly notAfterMs: number;
  readonly renewAtMs: number;
}

/** What a node's certificate says. */
export interface NodeIdentity {
  readonly node: NodeId;
  readonly publicKey: Uint8Array;
  readonly notAfterMs: number;
  /** SHA-256 of the certificate, hexadecimal. */
  readonly hash: string;
}

/** What the certificates of an installation say; the root before, and until when it is believed. */
export interface AuthorityFacts {
  readonly root: CertificateFacts;
  readonly previous: (CertificateFacts & { readonly untilMs: number }) | undefined;
  readonly server: CertificateFacts;
}

/** The installation's CA and every key the pool signs with (trust.md, section 2, step 0). */
export class Authority {
  readonly installationId: string;
  readonly #parts: AuthorityParts;
  readonly #roots: Roots;
  readonly #leaf: ServerLeaf;
  readonly #jwt: JwtKeys;
  readonly #pools: PoolKeys;
  /** What was read of a certificate, for as long as its connection keeps the array. */
  #known = new WeakMap<Uint8Array, NodeIdentity>();
  readonly #audit: SigningKey;
  readonly #leafListeners: TakesLeaf[] = [];
  #isClockTrusted: () => boolean = () => true;
  #isUninformed: (node: NodeId) => boolean = () => false;

  /** Reads what `initialise` made; refuses where it did not (`data.not_initialised`). */
  constructor(parts: AuthorityParts) {
    const { files, certificates, random } = parts;
    this.#parts = parts;
    this.installationId = installationIn(files);
    this.#roots = new Roots(files, certificates);
    const root = () => this.#roots.current;
    const uri = `${this.#namespace}/pool`;
    this.#leaf = new ServerLeaf(files, certificates, { root, uri, names: parts.names });
    this.#jwt = new JwtKeys(files, random, parts.jwtLifeMs ?? JWT_LIFE_MS);
    this.#pools = new PoolKeys(files, random);
    this.#audit = auditKeyIn(files);
  }

  /** The root that signs. */
  get rootPem(): string {
    return this.#roots.current.certificatePem;
  }

  get rootDer(): Uint8Array {
    return this.#parts.certificates.toDer(this.rootPem);
  }

  /** SHA-256 of the root's SubjectPublicKeyInfo: what a join token pins. */
  get pin(): Uint8Array {
    return this.#parts.certificates.read(this.rootPem).spkiHash;
  }

  /** The root before, while both are believed. */
  get previousRoot(): PreviousRoot | undefined {
    return this.#roots.previous;
  }

  /** What the certificates of this installation say. */
  facts(): AuthorityFacts {
    const { read } = this.#parts.certificates;
    const { previous } = this.#roots;
    return {
      root: read(this.rootPem),
      previous: previous && { ...read(previous.pem), untilMs: previous.untilMs },
      server: read(this.leaf().certificatePem),
    };
  }

  /** All roots whose certificates are believed, one after the other. */
  get rootsPem(): string {
    return this.#roots.pem;
  }

  /**
   * The server's certificate and key; there is one once `renewOwn` has run. Behind it stands, while it
   * is believed, what the root before says of the root now: who knows only that one can follow.
   */
  leaf(): CertificatePair {
    const { pair } = this.#leaf;
    assert(pair, "the server leaf is made at the start");
    const { previous } = this.#roots;
    if (!previous) return pair;
    return { ...pair, certificatePem: `${pair.certificatePem.trim()}\n${previous.vouchedPem}\n` };
  }

  /** SHA-256 of the server's certificate, DER. */
  leafHash(): Uint8Array {
    return this.#leaf.hash;
  }

  leafNotAfterMs(): number {
    return this.#leaf.notAfterMs;
  }

  /** Hands over the server's certificate now and whenever there is a new one. */
  async onLeaf(take: TakesLeaf): Promise<void> {
    this.#leafListeners.push(take);
    await take(this.leaf());
  }

  /** Whether the server's certificate is in date; after the clock jumped it may not be. */
  isLeafInDate(nowMs: number): boolean {
    return this.#leaf.isInDate(nowMs);
  }

  /** While the pool's clock is not trusted, nothing of our own is renewed. */
  trustClockWhen(isTrusted: () => boolean): void {
    this.#isClockTrusted = isTrusted;
  }

  /** Renews what is due of our own: the server leaf at half of its life, the JWT key after 30 days. */
  async renewOwn(nowMs: number): Promise<boolean> {
    if (!this.#isClockTrusted()) return false;
    this.#jwt.renew(nowMs);
    if (!this.#leaf.isDue(nowMs)) return false;
    await this.#leaf.renew(nowMs);
    await this.#handOver();
    return true;
  }

  /** Makes the next root. It is on disk, signs nothing, and is told to nobody before it is taken. */
  prepareRoot(nowMs: number): Promise<PreparedRoot> {
    const name = `galaxy-pool ${this.installationId}`;
    return this.#roots.prepare(name, nowMs, this.#parts.overlapMs);
  }

  /** The root a rotation that was cut off has made and not taken. */
  preparedRoot(): PreparedRoot | undefined {
    return this.#roots.prepared();
  }

  /** The prepared root signs from now on; the one before is believed until the overlap ends. */
  async takeRoot(nowMs: number): Promise<void> {
    await this.#roots.take();
    await this.#leaf.renew(nowMs);
    await this.#handOver();
  }

  dropPreparedRoot(): void {
    this.#roots.dropPrepared();
  }

  /** Only the root that signs is believed from now on. */
  async forgetPreviousRoot(): Promise<void> {
    this.#roots.forgetPrevious();
    this.#known = new WeakMap();
    await this.#handOver();
  }

  /** Who keeps what nodes know says which of them have not heard of the newest root. */
  informWhen(isUninformed: (node: NodeId) => boolean): void {
    this.#isUninformed = isUninformed;
  }

  /** Whether a node should come and hear of a new root. */
  hasNewsFor(node: NodeId): boolean {
    return this.#roots.previous !== undefined && this.#isUninformed(node);
  }

  /** Makes a server leaf if there is none at all, whatever the clock says. */
  async ensureLeaf(nowMs: number): Promise<void> {
    if (!this.#leaf.pair) await this.#leaf.renew(nowMs);
  }

  /** A certificate of 24 hours for a node, to be renewed at half of it, give or take a tenth. */
  async issueNode(node: NodeId, publicKey: Uint8Array, nowMs: number): Promise<NodeCertificate> {
    const notAfterMs = nowMs + NODE_LIFE_MS;
    const certificate = await this.#parts.certificates.issue(this.#roots.current, publicKey, {
      uris: [`${this.#namespace}/node/${node}`],
      usage: "client",
      notBeforeMs: nowMs - BACKDATED_MS,
      notAfterMs,
    });
    const share = 0.4 + 0.2 * this.#parts.random.fraction();
    return { certificate, notAfterMs, renewAtMs: nowMs + Math.floor(NODE_LIFE_MS * share) };
  }

  /** Which node a certificate of ours names; undefined for any other certificate. Dates are not judged. */
  nodeOf(certificate: Uint8Array): NodeIdentity | undefined {
    const known = this.#known.get(certificate) ?? this.#identityIn(certificate);
    if (known) this.#known.set(certificate, known);
    return known;
  }

  /** The key a pool signs with. */
  poolKey(pool: PoolId): SigningKey {
    return this.#pools.key(pool);
  }

  /** The secrets that MAC a pool's receipts. */
  receiptMasters(pool: PoolId): ReceiptMasters {
    return this.#pools.masters(pool);
  }

  /**
   * A new receipt master issues once the one before did for 32 days; receipts of that one are still
   * believed. Whether there is a new one now.
   */
  renewReceiptMaster(pool: PoolId, nowMs: number): boolean {
    return this.#pools.renew(pool, nowMs);
  }

  /** Drops the receipt masters for a new one: no receipt issued so far is believed any more. */
  replaceReceiptMasters(pool: PoolId): void {
    this.#pools.replace(pool);
  }

  /** Makes the keys of a new pool, durable before its row exists. */
  createPool(): { readonly id: PoolId; readonly publicKey: Uint8Array } {
    return this.#pools.create();
  }

  /** The pool whose keys `init` made; its row is written at the first start. */
  firstPool(): (FirstPool & { readonly publicKey: Uint8Array }) | undefined {
    const { files } = this.#parts;
    const pool = readFirstPool(files);
    const publicKey = pool && firstPoolKey(files, pool);
    return publicKey && { ...pool, publicKey };
  }

  /** The key that signs access tokens. */
  jwtKey(): SigningKey {
    return this.#jwt.current;
  }

  /** All keys that verify access tokens, the signing one first. */
  jwtKeys(): readonly SigningKey[] {
    return this.#jwt.all();
  }

  /** Refuses when that key was replaced too often within a day (`jwt.rotated_often`). */
  requireJwtRotatable(nowMs: number): void {
    this.#jwt.requireRotatable(nowMs);
  }

  /** Replaces the key that signs access tokens; the one before verifies for a day. */
  rotateJwtKey(nowMs: number): void {
    this.#jwt.rotate(nowMs);
  }

  /** The key that signs the audit log. */
  auditKey(): SigningKey {
    return this.#audit;
  }

  get #namespace(): string {
    return `spiffe://${this.installationId}`;
  }

  async #handOver(): Promise<void> {
    for (const take of this.#leafListeners) await take(this.leaf());
  }

  #isOurs(certificate: Uint8Array): boolean {
    const roots = [this.rootPem, ...(this.previousRoot ? [this.previousRoot.pem] : [])];
    return roots.some((root) => this.#parts.certificates.isSignedBy(certificate, root));
  }

  #identityIn(certificate: Uint8Array): NodeIdentity | undefined {
    const { certificates } = this.#parts;
    const facts = readOrUndefined(certificates, certificate);
    const prefix = `${this.#namespace}/node/`;
    const [uri = "", ...more] = facts?.uris ?? [];
    const node = uri.slice(prefix.length);
    if (!facts?.usages.includes("client") || more.length > 0) return undefined;
    if (!uri.startsWith(prefix) || !isId(node)) return undefined;
    if (!this.#isOurs(certificate)) return undefined;
    const { publicKey, notAfterMs, hash } = facts;
    return { node: node as NodeId, publicKey, notAfterMs, hash: toHex(hash) };
  }
}

/** A certificate that cannot be read is nobody's. */
function readOrUndefined(certificates: Certificates, certificate: Uint8Array) {
  try {
    return certificates.read(certificate);
  } catch (error) {
    if (isRefusal(error)) return undefined;
    throw error;
  }
}

function installationIn(files: Files): string {
  const id = files.readText(KEY_FILES.installation)?.trim();
  if (id === undefined || !isId(id)) throw notInitialised(KEY_FILES.installation);
  return id;
}

function auditKeyIn(files: Files): SigningKey {
  const seed = readSeed(files, KEY_FILES.audit);
  if (!seed) throw damaged(KEY_FILES.audit);
  return signingKey(seed);
}
