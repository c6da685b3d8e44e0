import { toHex } from "@/std/bytes.ts";
import { type SigningKey, sha256, verifySignature } from "@/std/crypto.ts";
import { combineVotes, isWellFormed, isWellFormedTC, signersOf } from "./certificates.ts";
import { cert as certCodec, tc as tcCodec } from "./codec.ts";
import { digestOf } from "./digest.ts";
import type { Committee } from "./quorum.ts";
import type { Signed, Signer, SigScheme } from "./signatures.ts";
import type { Cert, Hash, PublicKey, Sig, TC, Vote } from "./types.ts";
import { bytesOf, encode } from "./wire.ts";

/** Whether an Ed25519 signature holds, strictly by RFC 8032; one of another length does not. */
export type Verify = (publicKey: Uint8Array, message: Uint8Array, signature: Sig) => boolean;

/** Certificates a scheme remembers: each comes back as a justify, a lock, a commit. */
const CERTS_REMEMBERED_MAX = 1_024;
/** Signatures it remembers, of some ten views of a hundred validators. */
const SIGS_REMEMBERED_MAX = 4_096;

/**
 * One signature for each vote, and a bitmap that says whose (section 13). A certificate that held is
 * remembered by the hash of its bytes, signatures included, so it is checked once however it returns.
 * So is each signature: where everybody gets all commit votes, everybody puts a commit certificate
 * together from another quorum of them, and none of those costs a check.
 */
export class Ed25519Scheme implements SigScheme {
  readonly #chainId: Hash;
  readonly #verify: Verify;
  readonly #certs: Remembered;
  readonly #tcs: Remembered;
  readonly #sigs: Remembered;

  constructor(chainId: Hash, options: { verify?: Verify; rememberedMax?: number } = {}) {
    this.#chainId = chainId;
    this.#verify = options.verify ?? verifySignature;
    this.#certs = new Remembered(options.rememberedMax ?? CERTS_REMEMBERED_MAX);
    this.#tcs = new Remembered(options.rememberedMax ?? CERTS_REMEMBERED_MAX);
    this.#sigs = new Remembered(options.rememberedMax ?? SIGS_REMEMBERED_MAX);
  }

  verify(committee: Committee, signed: Signed): boolean {
    if (signed.epoch !== committee.epoch) return false;
    const key = committee.validators[signed.signer];
    return key !== undefined && this.#holds(key, digestOf(this.#chainId, signed), signed.sig);
  }

  verifyCert(committee: Committee, cert: Cert): boolean {
    if (!isWellFormed(committee, cert)) return false;
    return this.#certs.holds(idOf(committee, encode(certCodec, cert)), () => {
      const digest = digestOf(this.#chainId, { type: "vote", ...cert });
      return signersOf(cert.bitmap).every((signer, at) => {
        const key = committee.validators[signer];
        const sig = cert.sigs[at];
        return key !== undefined && sig !== undefined && this.#holds(key, digest, sig);
      });
    });
  }

  verifyTC(committee: Committee, tc: TC): boolean {
    if (!isWellFormedTC(committee, tc)) return false;
    const { epoch, entries } = tc;
    return this.#tcs.holds(idOf(committee, encode(tcCodec, tc)), () =>
      entries.every((entry) => this.verify(committee, { type: "wish", epoch, ...entry })),
    );
  }

  combine(committee: Committee, votes: readonly Vote[]): Cert {
    return combineVotes(committee, votes);
  }

  #holds(key: PublicKey, digest: Uint8Array, sig: Sig): boolean {
    const publicKey = bytesOf(key);
    const id = toHex(sha256(publicKey, digest, sig));
    return this.#sigs.holds(id, () => this.#verify(publicKey, digest, sig));
  }
}

/** The same bytes mean the same only under the same committee, which its genesis names. */
function idOf(committee: Committee, bytes: Uint8Array): string {
  return toHex(sha256(bytesOf(committee.genesis), bytes));
}

/** What has held, the oldest forgotten first. What has not held is checked again. */
class Remembered {
  readonly #countMax: number;
  readonly #ids = new Set<string>();

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  holds(id: string, check: () => boolean): boolean {
    if (this.#ids.has(id)) return true;
    if (!check()) return false;
    this.#ids.add(id);
    if (this.#ids.size > this.#countMax) this.#forgetOldest();
    return true;
  }

  #forgetOldest(): void {
    const [oldest = ""] = this.#ids;
    this.#ids.delete(oldest);
  }
}

/** The key of a validator, for one chain. */
export function ed25519Signer(chainId: Hash, key: SigningKey): Signer {
  return {
    publicKey: toHex(key.publicKey) as PublicKey,
    sign: (statement) => key.sign(digestOf(chainId, statement)),
  };
}
