import { SymbolicSignatures } from "#test/support/symbolic-signatures.ts";
import type { Config } from "@/core/consensus/config.ts";
import type { Effect, Event } from "@/core/consensus/events.ts";
import { type Evidence, findOffence, provesOffence } from "@/core/consensus/evidence.ts";
import type { Message, Outgoing } from "@/core/consensus/messages.ts";
import type { Committee } from "@/core/consensus/quorum.ts";
import { prepareVote } from "@/core/consensus/safety-rules.ts";
import { type Signer, type SigScheme, seal } from "@/core/consensus/signatures.ts";
import type { State } from "@/core/consensus/state.ts";
import { step } from "@/core/consensus/step.ts";
import type { PublicKey, Vote } from "@/core/consensus/types.ts";
import { isVerified } from "@/core/consensus/verify-message.ts";

/** Signatures of a chain: who holds a pen can sign, everybody can check. */
export interface Book extends SigScheme {
  signer(publicKey: PublicKey): Signer;
}

/** What is under test: the core itself, or a copy of it with a bug that was put there on purpose. */
export interface Core {
  readonly newBook: () => Book;
  readonly step: (
    state: State | null,
    event: Event,
    config: Config,
  ) => { readonly state: State; readonly effects: readonly Effect[] };
  readonly isVerified: (scheme: SigScheme, committee: Committee, message: Message) => boolean;
  readonly findOffence: (first: Vote, second: Vote) => Evidence | undefined;
  readonly provesOffence: typeof provesOffence;
  readonly prepareVote: typeof prepareVote;
  readonly seal: (outgoing: Outgoing, signer: Signer) => Message;
}

/** The core as it is. */
export const theCore: Core = {
  newBook: () => new SymbolicSignatures(),
  step,
  isVerified,
  findOffence,
  provesOffence,
  prepareVote,
  seal,
};
