import {
  combineVotes,
  isWellFormed,
  isWellFormedTC,
  signersOf,
} from "@/core/consensus/certificates.ts";
import { SIG_BYTES } from "@/core/consensus/codec.ts";
import type { Statement } from "@/core/consensus/digest.ts";
import type { Committee } from "@/core/consensus/quorum.ts";
import type { Signed, Signer, SigScheme } from "@/core/consensus/signatures.ts";
import type { Ballot, Cert, PublicKey, Sig, TC, Vote } from "@/core/consensus/types.ts";
import { sameBytes } from "@/std/bytes.ts";

/**
 * Signatures that are entries of a book: a signature is the number of an entry, and holds for what
 * the entry says and for nothing else. Only a `Signer` writes entries, so nothing can be forged that
 * was not signed; no digest is made, so a simulation is not slowed down. They survive the codec, and
 * the same key signs the same thing alike, as Ed25519 does.
 *
 * One book is one chain. It holds every signature for as long as it lives.
 */
export class SymbolicSignatures implements SigScheme {
  readonly #entries: Entry[] = [];
  /** What each key has signed, by a number that is in it. */
  readonly #byKey = new Map<PublicKey, Map<number, Entry[]>>();
  /** Values never change, so one that held goes on holding. */
  readonly #held = new WeakMap<Cert | TC | Signed, Committee>();

  /** Hands out the pen of a key: the only way to a signature. */
  signer(publicKey: PublicKey): Signer {
    const written = this.#byKey.get(publicKey) ?? new Map<number, Entry[]>();
    this.#byKey.set(publicKey, written);
    return {
      publicKey,
      sign: (statement) => {
        const entries = written.get(numberOf(statement)) ?? [];
        written.set(numberOf(statement), entries);
        const known = entries.find(({ said }) => isSame(said, statement));
        return (known ?? this.#write(publicKey, statement, entries)).sig;
      },
    };
  }

  /** How many different signatures were made. */
  get count(): number {
    return this.#entries.length;
  }

  verify(committee: Committee, signed: Signed): boolean {
    if (this.#held.get(signed) === committee) return true;
    const key = committee.validators[signed.signer];
    const holds = signed.epoch === committee.epoch && this.#holds(key, signed, signed.sig);
    if (holds) this.#held.set(signed, committee);
    return holds;
  }

  verifyCert(committee: Committee, cert: Cert): boolean {
    if (this.#held.get(cert) === committee) return true;
    if (!isWellFormed(committee, cert)) return false;
    const said: Statement = { type: "vote", ...cert };
    const holds = signersOf(cert.bitmap).every((signer, at) =>
      this.#holds(committee.validators[signer], said, cert.sigs[at]),
    );
    if (holds) this.#held.set(cert, committee);
    return holds;
  }

  verifyTC(committee: Committee, tc: TC): boolean {
    if (this.#held.get(tc) === committee) return true;
    const { epoch, entries } = tc;
    const holds =
      isWellFormedTC(committee, tc) &&
      entries.every((entry) => this.verify(committee, { type: "wish", epoch, ...entry }));
    if (holds) this.#held.set(tc, committee);
    return holds;
  }

  combine(committee: Committee, votes: readonly Vote[]): Cert {
    return combineVotes(committee, votes);
  }

  #holds(key: PublicKey | undefined, said: Statement, sig: Sig | undefined): boolean {
    if (sig === undefined || sig.length !== SIG_BYTES) return false;
    const entry = this.#entries[numberIn(sig)];
    if (entry === undefined || entry.key !== key || !isSame(entry.said, said)) return false;
    return entry.sig === sig || sameBytes(entry.sig, sig);
  }

  #write(key: PublicKey, said: Statement, beside: Entry[]): Entry {
    const entry = { key, said, sig: sigOf(this.#entries.length) };
    this.#entries.push(entry);
    beside.push(entry);
    return entry;
  }
}

interface Entry {
  readonly key: PublicKey;
  readonly said: Statement;
  readonly sig: Sig;
}

function sigOf(number: number): Sig {
  const sig = new Uint8Array(SIG_BYTES);
  for (let at = 0, left = number; at < 4; at++, left >>>= 8) sig[at] = left & 0xff;
  return sig;
}

function numberIn(sig: Sig): number {
  let number = 0;
  for (let at = 3; at >= 0; at--) number = number * 256 + (sig[at] ?? 0);
  return number;
}

function numberOf(said: Statement): number {
  if (said.type === "wish") return said.wishView;
  return said.type === "state_vote" ? said.height : said.view;
}

/** What stands for the digest: two statements are the same when all that would be hashed is the same. */
function isSame(a: Statement, b: Statement): boolean {
  if (a.type === "vote") return b.type === "vote" && isSameVote(a, b);
  if (a.type === "wish")
    return b.type === "wish" && a.epoch === b.epoch && a.wishView === b.wishView;
  if (a.type === "proposed")
    return b.type === "proposed" && a.epoch === b.epoch && a.view === b.view && a.block === b.block;
  return (
    b.type === "state_vote" && a.epoch === b.epoch && a.height === b.height && a.root === b.root
  );
}

function isSameVote(a: Ballot, b: Ballot): boolean {
  return (
    a.kind === b.kind &&
    a.epoch === b.epoch &&
    a.view === b.view &&
    a.height === b.height &&
    a.justifyView === b.justifyView &&
    a.block === b.block
  );
}
