import { newBlock, sumUp } from "@/core/consensus/block.ts";
import type { Message, Proposal } from "@/core/consensus/messages.ts";
import { type Committee, leaderOf } from "@/core/consensus/quorum.ts";
import type { Signer } from "@/core/consensus/signatures.ts";
import type { Block, Cert, Header, Payload, PublicKey } from "@/core/consensus/types.ts";
import type { Coven } from "./coven.ts";
import type { Stream } from "./dice.ts";
import type { Host } from "./host.ts";
import { TRICK_CODE } from "./traitor-code.ts";
import type { Trick } from "./tricks.ts";

/** What a trick does with a message on its way out: another one, several, or none at all. */
export type Passing = (traitor: Traitor, to: PublicKey, message: Message) => readonly Message[];

/** A trick: what it does with what its replica says, and what it does by itself now and then. */
export interface TrickCode {
  readonly pass?: Passing;
  readonly act?: (traitor: Traitor) => void;
}

/** What a liar has of the world. */
export interface Lair {
  readonly coven: Coven;
  readonly pen: Signer;
  /** Its luck, another for everything it does. */
  readonly streamOf: (count: number) => Stream;
  readonly tricks: readonly Trick[];
  /** All other processes' keys. */
  readonly others: readonly PublicKey[];
  readonly carry: (to: PublicKey, message: Message) => void;
  /** Whether this use of a trick may happen. */
  readonly may: (trick: Trick) => boolean;
  readonly restartWiped: () => void;
}

/**
 * A liar: an honest replica whose words are tampered with, and a hand that writes its own. It knows
 * what all liars know, which is everything.
 */
export class Traitor {
  readonly host: Host;
  readonly lair: Lair;
  /** What it says to each for one thing its replica said. */
  readonly variants = new WeakMap<Message, Message[]>();
  isSilent = false;
  stream: Stream;
  #deeds = 0;

  constructor(host: Host, lair: Lair) {
    this.host = host;
    this.lair = lair;
    this.stream = lair.streamOf(0);
    host.outlet = (to, message) => this.#pass(to, message);
  }

  get coven(): Coven {
    return this.lair.coven;
  }

  get committee(): Committee | undefined {
    return this.host.state?.replica.committee;
  }

  /** Its index among the validators; −1 without one. */
  get index(): number {
    return this.committee?.validators.indexOf(this.host.key) ?? -1;
  }

  get view(): number {
    return this.host.state?.replica.view ?? 0;
  }

  /** One of its tricks, by itself. */
  act(): void {
    if (this.lair.tricks.length === 0) return;
    this.stream = this.lair.streamOf(++this.#deeds);
    const trick = this.stream.pick(this.lair.tricks);
    const { act } = TRICK_CODE[trick];
    if (act && this.committee && this.lair.may(trick)) act(this);
  }

  #pass(to: PublicKey, message: Message): void {
    if (this.isSilent) return;
    this.stream = this.lair.streamOf(++this.#deeds);
    let messages: readonly Message[] = [message];
    for (const trick of this.lair.tricks) {
      const { pass } = TRICK_CODE[trick];
      if (pass) messages = messages.flatMap((one) => pass(this, to, one));
    }
    for (const one of messages) this.lair.carry(to, one);
  }

  say(to: readonly PublicKey[], message: Message): void {
    for (const one of to) this.lair.carry(one, message);
  }

  sayAfter(ms: number, to: readonly PublicKey[], message: Message): void {
    this.host.later(ms, () => this.say(to, message));
  }

  /** Some of the others, at random. */
  some(min = 1): readonly PublicKey[] {
    return this.stream.some(this.lair.others, min);
  }

  one(): PublicKey {
    return this.stream.pick(this.lair.others);
  }

  /** A signed proposal of its own. */
  propose(block: Block, like: Omit<Proposal, "type" | "block" | "sig">): Proposal {
    const { epoch, view } = block.header;
    const sig = this.lair.pen.sign({ type: "proposed", epoch, view, block: block.hash });
    const { justify, commit, entry } = like;
    return { type: "proposal", block, justify, commit, entry, sig };
  }

  /** Its proposal, with another header or payload. */
  reword(proposal: Proposal, changed: Partial<Header>, payload?: Payload): Proposal {
    const words = payload ? { payload, ...sumUp(payload) } : proposal.block;
    const { header } = proposal.block;
    const sum = payload ? sumUp(payload) : {};
    const block = newBlock({ ...header, ...sum, ...changed }, words.payload);
    return this.propose(block, proposal);
  }

  /** The same proposal on another certificate. */
  rebase(proposal: Proposal, justify: Cert): Proposal {
    const { view, timestampMs } = proposal.block.header;
    if (justify.view >= view) return proposal;
    const parent = this.coven.blocks.get(justify.block)?.header;
    const moved = this.reword(proposal, {
      parent: justify.block,
      justifyView: justify.view,
      height: justify.height + 1,
      timestampMs: Math.max(timestampMs, (parent?.timestampMs ?? 0) + 1),
      execHeight: Math.min(proposal.block.header.execHeight, parent?.execHeight ?? 0),
      execRoot: parent?.execRoot ?? proposal.block.header.execRoot,
    });
    return { ...moved, justify };
  }

  /** Whether it leads this view. */
  leads(view: number): boolean {
    return this.committee !== undefined && leaderOf(this.committee, view) === this.index;
  }
}
