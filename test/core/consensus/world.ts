import { SymbolicSignatures } from "#test/support/symbolic-signatures.ts";
import { EMPTY_PAYLOAD, genesisBlock, newBlock, sumUp } from "@/core/consensus/block.ts";
import { genesisCert } from "@/core/consensus/certificates.ts";
import { Ed25519Scheme, ed25519Signer } from "@/core/consensus/ed25519.ts";
import { type Committee, leaderOf, newCommittee, quorumOf } from "@/core/consensus/quorum.ts";
import type { SafetyContext } from "@/core/consensus/safety-rules.ts";
import type { Signer, SigScheme } from "@/core/consensus/signatures.ts";
import {
  type Ballot,
  type Block,
  type Cert,
  type Hash,
  type Header,
  NO_HASH,
  type PublicKey,
  type TC,
  type Vote,
} from "@/core/consensus/types.ts";
import { toHex } from "@/std/bytes.ts";
import { signingKey } from "@/std/crypto.ts";

/** A hash of 32 equal bytes. */
export function hashOf(byte: number): Hash {
  return toHex(new Uint8Array(32).fill(byte)) as Hash;
}

export const CHAIN = hashOf(0xc4);

/** Real keys, the same in every run. */
export function ed25519Signers(n: number, chainId = CHAIN): readonly Signer[] {
  return Array.from({ length: n }, (_, at) =>
    ed25519Signer(chainId, signingKey(new Uint8Array(32).fill(at + 1))),
  );
}

/** A committee whose members all sign, and what they need to build a chain. */
export class World {
  readonly committee: Committee;
  readonly genesis: Block;
  readonly scheme: SigScheme;
  readonly signers: readonly Signer[];

  constructor(scheme: SigScheme, signers: readonly Signer[]) {
    this.scheme = scheme;
    this.signers = signers;
    const validators = signers.map(({ publicKey }) => publicKey);
    this.genesis = genesisBlock({
      chainId: CHAIN,
      validators,
      timestampMs: 1_700_000_000_000,
      execRoot: hashOf(0xee),
    });
    const genesis = this.genesis.hash;
    this.committee = newCommittee({ epoch: 1, validators, genesis, genesisHeight: 0 });
  }

  context(me: number | null = 0): SafetyContext {
    return { chainId: CHAIN, committee: this.committee, scheme: this.scheme, me };
  }

  /** C_0, where every chain of the epoch begins. */
  get certified(): Cert {
    return genesisCert(this.committee, "P");
  }

  /** A block of a view on a certificate; empty unless it says otherwise. */
  block(view: number, justify: Cert, changed: Partial<Header> = {}): Block {
    const header: Header = {
      ver: 1,
      chainId: CHAIN,
      epoch: this.committee.epoch,
      view,
      height: justify.height + 1,
      parent: justify.block,
      justifyView: justify.view,
      proposer: leaderOf(this.committee, view),
      timestampMs: 1_700_000_000_000 + view,
      ...sumUp(EMPTY_PAYLOAD),
      execHeight: 0,
      execRoot: hashOf(0xee),
      evidenceRoot: NO_HASH,
      nextValidatorsHash: null,
      closing: null,
      ...changed,
    };
    return newBlock(header, EMPTY_PAYLOAD);
  }

  /** The vote of one validator. */
  vote(signer: number, ballot: Ballot): Vote {
    const { kind, epoch, view, block, height, justifyView } = ballot;
    const said = { type: "vote", kind, epoch, view, block, height, justifyView } as const;
    return { ...said, signer, sig: this.signer(signer).sign(said) };
  }

  /** The votes of the first Q validators, or of these, as a certificate of a block. */
  certify(block: Block, kind: "P" | "C" = "P", signers = this.quorum()): Cert {
    const { hash, header } = block;
    const votes = signers.map((signer) => this.vote(signer, { ...header, kind, block: hash }));
    return this.scheme.combine(this.committee, votes);
  }

  /** A timeout certificate: the first Q validators wish for these views, or all for the same. */
  timeout(view: number, wishes: readonly number[] = this.quorum().map(() => view)): TC {
    const { epoch } = this.committee;
    const entries = wishes.map((wishView, signer) => ({
      signer,
      wishView,
      sig: this.signer(signer).sign({ type: "wish", epoch, wishView }),
    }));
    return { epoch, view, entries };
  }

  quorum(): readonly number[] {
    return Array.from({ length: quorumOf(this.signers.length) }, (_, at) => at);
  }

  signer(index: number): Signer {
    const signer = this.signers[index];
    if (!signer) throw new Error(`there is no validator ${index}`);
    return signer;
  }
}

export function realWorld(n: number): World {
  return new World(new Ed25519Scheme(CHAIN), ed25519Signers(n));
}

export function symbolicWorld(n: number): World {
  const book = new SymbolicSignatures();
  const keys = Array.from({ length: n }, (_, at) => hashOf(at + 1) as string as PublicKey);
  return new World(
    book,
    keys.map((key) => book.signer(key)),
  );
}
