import type { Statement } from "@/core/consensus/digest.ts";
import { Ed25519Scheme, ed25519Signer } from "@/core/consensus/ed25519.ts";
import type { Committee } from "@/core/consensus/quorum.ts";
import type { Signed, Signer } from "@/core/consensus/signatures.ts";
import type { Cert, Hash, PublicKey, Sig, TC, Vote } from "@/core/consensus/types.ts";
import { bytesOf } from "@/core/consensus/wire.ts";
import { signingKey } from "@/std/crypto.ts";
import { type Book, type Core, theCore } from "./core.ts";
import { type Outcome, type RunTerms, run } from "./run.ts";

const CHAIN = "c4".repeat(32) as Hash;
const REMEMBERED_MAX = 1 << 20;

/**
 * Ed25519 where the other book only writes things down. The names of validators stay what they are, so
 * that blocks and leaders are the same: each name is the seed of a key.
 */
class RealSignatures implements Book {
  readonly #scheme = new Ed25519Scheme(CHAIN, { rememberedMax: REMEMBERED_MAX });
  readonly #signers = new Map<PublicKey, Signer>();
  readonly #real = new WeakMap<Committee, Committee>();

  signer(publicKey: PublicKey): Signer {
    const { sign } = this.#signerOf(publicKey);
    return { publicKey, sign: (statement: Statement): Sig => sign(statement) };
  }

  verify(committee: Committee, signed: Signed): boolean {
    return this.#scheme.verify(this.#withKeys(committee), signed);
  }

  verifyCert(committee: Committee, cert: Cert): boolean {
    return this.#scheme.verifyCert(this.#withKeys(committee), cert);
  }

  verifyTC(committee: Committee, tc: TC): boolean {
    return this.#scheme.verifyTC(this.#withKeys(committee), tc);
  }

  combine(committee: Committee, votes: readonly Vote[]): Cert {
    return this.#scheme.combine(committee, votes);
  }

  #signerOf(name: PublicKey): Signer {
    const signer = this.#signers.get(name) ?? ed25519Signer(CHAIN, signingKey(bytesOf(name)));
    this.#signers.set(name, signer);
    return signer;
  }

  #withKeys(committee: Committee): Committee {
    const known = this.#real.get(committee);
    if (known) return known;
    const validators = committee.validators.map((name) => this.#signerOf(name).publicKey);
    const real = { ...committee, validators };
    this.#real.set(committee, real);
    return real;
  }
}

/** The core with real signatures. */
const realCore: Core = { ...theCore, newBook: () => new RealSignatures() };

/** The same seed with symbolic and with real signatures: all that happens, and the end, are the same. */
export function runWithBoth(terms: Omit<RunTerms, "core">): readonly [Outcome, Outcome] {
  return [run({ ...terms, core: theCore }), run({ ...terms, core: realCore })];
}

/** Why the two differ; null when they do not. */
export function differenceOf([symbolic, real]: readonly [Outcome, Outcome]): string | null {
  if (symbolic.violation) return symbolic.violation.message;
  if (real.violation) return `with real signatures: ${real.violation.message}`;
  if (symbolic.hash !== real.hash) return "the traces differ";
  return symbolic.state === real.state ? null : "the states at the end differ";
}
