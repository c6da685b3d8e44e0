import type { CertificatePair, Certificates } from "@/ports/certificates.ts";
import type { Files } from "@/ports/files.ts";
import { sha256 } from "@/std/crypto.ts";
import { KEY_FILES, readPair, writePair } from "./key-files.ts";

const DAY_MS = 86_400_000;
const LIFE_MS = 90 * DAY_MS;
const BACKDATED_MS = 5 * 60_000;

/** The name every node checks, so that joining by address works (trust.md, section 2, step 4). */
const POOL_NAME = "pool.galaxy-pool.internal";

/** The names a board is reached by. */
export interface ServerNames {
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
}

/** Who signs the leaf, and for whom. */
export interface LeafIssuer {
  readonly root: () => CertificatePair;
  readonly uri: string;
  readonly names: () => ServerNames;
}

/** The server's own certificate: kept in a file, renewed at half of its life or when names change. */
export class ServerLeaf {
  readonly #files: Files;
  readonly #certificates: Certificates;
  readonly #issuer: LeafIssuer;
  #pair: CertificatePair | undefined;
  #note = "";
  #hash = new Uint8Array(0);
  #dates = { notBeforeMs: 0, notAfterMs: 0 };

  constructor(files: Files, certificates: Certificates, issuer: LeafIssuer) {
    this.#files = files;
    this.#certificates = certificates;
    this.#issuer = issuer;
    const stored = readPair(files, KEY_FILES.server);
    if (stored && this.#isOurs(stored)) this.#take(stored, stored.note);
  }

  get pair(): CertificatePair | undefined {
    return this.#pair;
  }

  /** SHA-256 of the certificate, DER. */
  get hash(): Uint8Array {
    return this.#hash;
  }

  get notAfterMs(): number {
    return this.#dates.notAfterMs;
  }

  /** Whether clients whose clock is right believe it. */
  isInDate(nowMs: number): boolean {
    const { notBeforeMs, notAfterMs } = this.#dates;
    return nowMs >= notBeforeMs && nowMs < notAfterMs;
  }

  /** Whether it is time for another one. */
  isDue(nowMs: number): boolean {
    const { notBeforeMs, notAfterMs } = this.#dates;
    if (!this.#pair || !this.#isOurs(this.#pair)) return true;
    if (nowMs < notBeforeMs || nowMs >= (notBeforeMs + notAfterMs) / 2) return true;
    return this.#note !== noteOf(this.#issuer.names());
  }

  /** Issues the next one; it is on disk before anybody sees it. */
  async renew(nowMs: number): Promise<CertificatePair> {
    const names = this.#issuer.names();
    const pair = await this.#certificates.createLeaf(this.#issuer.root(), {
      uris: [this.#issuer.uri],
      dnsNames: [...new Set([POOL_NAME, "localhost", ...names.dnsNames])],
      ipAddresses: [...new Set(["127.0.0.1", "::1", ...names.ipAddresses])],
      usage: "server",
      notBeforeMs: nowMs - BACKDATED_MS,
      notAfterMs: nowMs + LIFE_MS,
    });
    const note = noteOf(names);
    writePair(this.#files, KEY_FILES.server, pair, note);
    this.#take(pair, note);
    return pair;
  }

  /** Whether the root that signs now has signed it. */
  #isOurs(pair: CertificatePair): boolean {
    const root = this.#issuer.root().certificatePem;
    return this.#certificates.isSignedBy(this.#der(pair), root);
  }

  #take(pair: CertificatePair, note: string): void {
    const { notBeforeMs, notAfterMs } = this.#certificates.read(pair.certificatePem);
    this.#dates = { notBeforeMs, notAfterMs };
    this.#hash = new Uint8Array(sha256(this.#der(pair)));
    this.#note = note;
    this.#pair = pair;
  }

  #der(pair: CertificatePair): Uint8Array {
    return this.#certificates.toDer(pair.certificatePem);
  }
}

/** The names as the line above the certificate, by which a change of names is noticed. */
function noteOf({ dnsNames, ipAddresses }: ServerNames): string {
  return `names: ${[...dnsNames, ...ipAddresses].toSorted().join(" ")}\n`;
}
