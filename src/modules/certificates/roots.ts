import type { CertificatePair, Certificates } from "@/ports/certificates.ts";
import type { Files } from "@/ports/files.ts";
import { sameBytes } from "@/std/bytes.ts";
import { PoolError } from "@/std/errors.ts";
import { damaged, KEY_FILES, readPair, writePair } from "./key-files.ts";

const DAY_MS = 86_400_000;
const ROOT_LIFE_MS = 3_650 * DAY_MS;
const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The root that was replaced, for as long as who knows only it is still believed and answered. */
export interface PreviousRoot {
  readonly pem: string;
  readonly der: Uint8Array;
  readonly pin: Uint8Array;
  /** The root now, vouched for by this one. */
  readonly vouchedPem: string;
  readonly vouchedDer: Uint8Array;
  readonly untilMs: number;
}

/** A root that was made and is not in use yet. */
export interface PreparedRoot {
  readonly pin: Uint8Array;
  /** Until when the root it replaces is believed. */
  readonly untilMs: number;
}

/**
 * The root that signs, and the one before it during the overlap (trust.md, section 2, step 12).
 *
 * A rotation is three files, each written whole: the next root with its key, not in use; then the
 * root before, with the next one vouched for; then the next root in the place of the one before,
 * whose key is gone with that. Cut off anywhere, `take` begins anew and ends the same.
 */
export class Roots {
  readonly #files: Files;
  readonly #certificates: Certificates;
  #current: CertificatePair;
  #previous: PreviousRoot | undefined;

  constructor(files: Files, certificates: Certificates) {
    this.#files = files;
    this.#certificates = certificates;
    this.#current = currentIn(files);
    this.#previous = this.#readPrevious();
  }

  get current(): CertificatePair {
    return this.#current;
  }

  get previous(): PreviousRoot | undefined {
    return this.#previous;
  }

  /** All roots whose certificates are believed, the one that signs first. */
  get pem(): string {
    return [this.#current.certificatePem, this.#previous?.pem ?? ""].join("\n").trim();
  }

  /** Makes the next root; it is on disk, and signs nothing before it is taken. */
  async prepare(name: string, nowMs: number, overlapMs: number): Promise<PreparedRoot> {
    if (this.#previous) throw stillRotating(this.#previous.untilMs);
    const root = await this.#certificates.createRoot(name, nowMs - DAY_MS, nowMs + ROOT_LIFE_MS);
    const untilMs = nowMs + overlapMs;
    writePair(this.#files, KEY_FILES.nextRoot, root, `until: ${untilMs}\n`);
    return { pin: this.#pinOf(root.certificatePem), untilMs };
  }

  /** The root that was made and not taken: what a rotation that was cut off leaves behind. */
  prepared(): PreparedRoot | undefined {
    const next = readPair(this.#files, KEY_FILES.nextRoot);
    return next && { pin: this.#pinOf(next.certificatePem), untilMs: untilIn(next.note) };
  }

  /** Puts the prepared root in the place of the current one. */
  async take(): Promise<void> {
    const next = readPair(this.#files, KEY_FILES.nextRoot);
    if (!next) throw damaged(KEY_FILES.nextRoot);
    const { note, ...root } = next;
    if (!this.#isCurrent(root.certificatePem)) {
      const vouched = await this.#certificates.vouch(this.#current, root, untilIn(note));
      const known = `${this.#current.certificatePem.trim()}\n${this.#certificates.toPem(vouched)}\n`;
      this.#files.write(KEY_FILES.previousRoot, `${note}${known}`);
      writePair(this.#files, KEY_FILES.root, root);
    }
    this.#current = currentIn(this.#files);
    this.#previous = this.#readPrevious();
    this.dropPrepared();
  }

  dropPrepared(): void {
    this.#files.remove(KEY_FILES.nextRoot);
  }

  /** The root before is not believed any more. */
  forgetPrevious(): void {
    this.#files.remove(KEY_FILES.previousRoot);
    this.#previous = undefined;
  }

  /** A file that was written, while its root was not replaced yet, says nothing. */
  #readPrevious(): PreviousRoot | undefined {
    const text = this.#files.readText(KEY_FILES.previousRoot);
    if (text === undefined) return undefined;
    const [pem, vouchedPem] = text.match(PEM) ?? [];
    if (pem === undefined || vouchedPem === undefined) throw damaged(KEY_FILES.previousRoot);
    if (this.#isCurrent(pem)) return undefined;
    const { toDer } = this.#certificates;
    const ders = { der: toDer(pem), vouchedDer: toDer(vouchedPem) };
    return { pem, vouchedPem, ...ders, pin: this.#pinOf(pem), untilMs: untilIn(text) };
  }

  #isCurrent(pem: string): boolean {
    const { toDer } = this.#certificates;
    return sameBytes(toDer(pem), toDer(this.#current.certificatePem));
  }

  #pinOf(pem: string): Uint8Array {
    return this.#certificates.read(pem).spkiHash;
  }
}

function currentIn(files: Files): CertificatePair {
  const root = readPair(files, KEY_FILES.root);
  if (!root) throw damaged(KEY_FILES.root);
  return root;
}

function untilIn(note: string): number {
  const match = /^until: (\d+)$/m.exec(note);
  if (!match) throw damaged(KEY_FILES.nextRoot);
  return Number(match[1]);
}

function stillRotating(untilMs: number): PoolError {
  return new PoolError(
    "precondition",
    "authority.rotating",
    `The root before is still believed, until ${new Date(untilMs).toISOString()}. ` +
      'See who still needs it with "galaxy-pool cert list", and end that with "galaxy-pool cert finish".',
  );
}
