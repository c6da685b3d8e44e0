import type { Message } from "@/core/consensus/messages.ts";
import type { Committee } from "@/core/consensus/quorum.ts";
import { quorumOf } from "@/core/consensus/quorum.ts";
import type { Signer } from "@/core/consensus/signatures.ts";
import type {
  Ballot,
  Block,
  Cert,
  Hash,
  PublicKey,
  TC,
  UnsignedVote,
  Vote,
} from "@/core/consensus/types.ts";
import type { Book } from "./core.ts";

/** How much of each sort is remembered, the newest. */
const REMEMBERED = 120;

/**
 * What the liars know together: everything that was ever put on a wire, and all their own pens. They
 * complete any certificate for which their votes are enough.
 */
export class Coven {
  readonly certs: Cert[] = [];
  readonly tcs: TC[] = [];
  readonly blocks = new Map<Hash, Block>();
  readonly messages: Message[] = [];
  readonly #book: Book;
  readonly #pens: ReadonlyMap<PublicKey, Signer>;
  readonly #votes = new Map<string, Map<number, Vote>>();
  readonly #known = new WeakSet<Cert | TC | Message>();

  constructor(book: Book, pens: ReadonlyMap<PublicKey, Signer>) {
    this.#book = book;
    this.#pens = pens;
  }

  observe(message: Message): void {
    if (this.#known.has(message)) return;
    this.#known.add(message);
    remember(this.messages, message);
    switch (message.type) {
      case "proposal":
        this.blocks.set(message.block.hash, message.block);
        this.#seeCerts(message.justify, message.commit);
        this.#seeTC(message.entry);
        return;
      case "vote":
        this.#seeVote(message);
        return;
      case "prepare":
      case "decide":
        this.#seeCerts(message.cert);
        return;
      case "new_view":
        this.#seeCerts(message.highCert, message.commit);
        this.#seeTC(message.entry);
        return;
      case "wish":
        this.#seeCerts(message.highCert);
        this.#seeTC(message.highTC);
        return;
      case "tc":
        this.#seeTC(message.tc);
    }
  }

  #seeCerts(...certs: readonly (Cert | null)[]): void {
    for (const cert of certs)
      if (cert && cert.view > 0 && !this.#known.has(cert)) {
        this.#known.add(cert);
        remember(this.certs, cert);
      }
  }

  #seeTC(tc: TC | null): void {
    if (!tc || this.#known.has(tc)) return;
    this.#known.add(tc);
    remember(this.tcs, tc);
  }

  #seeVote(vote: Vote): void {
    const words = wordsOf(vote);
    const votes = this.#votes.get(words) ?? new Map<number, Vote>();
    votes.set(vote.signer, vote);
    this.#votes.set(words, votes);
  }

  /** What the liars of a committee sign for each other. */
  voteAsAll(committee: Committee, ballot: Ballot): readonly Vote[] {
    return committee.validators.flatMap((key, signer) => {
      const pen = this.#pens.get(key);
      return pen ? [signVote(pen, { ...ballot, type: "vote", signer })] : [];
    });
  }

  /** A certificate of what others said and the liars add; undefined when that is no quorum. */
  complete(committee: Committee, ballot: Ballot): Cert | undefined {
    const votes = new Map(this.#votes.get(wordsOf(ballot)));
    const needed = quorumOf(committee.validators.length);
    if (votes.size + this.#pens.size < needed) return undefined;
    for (const vote of this.voteAsAll(committee, ballot)) votes.set(vote.signer, vote);
    if (votes.size < needed) return undefined;
    return this.#book.combine(committee, [...votes.values()]);
  }

  /** Completes whatever can be completed of these kinds, newest first. */
  completeAny(committee: Committee, kind: "P" | "C"): Cert | undefined {
    for (const votes of [...this.#votes.values()].slice(-16).reverse()) {
      const [vote] = votes.values();
      if (vote?.kind !== kind || vote.epoch !== committee.epoch) continue;
      const cert = this.complete(committee, vote);
      if (cert) {
        this.#seeCerts(cert);
        return cert;
      }
    }
    return undefined;
  }
}

/** A vote with its signature, whatever it says. */
export function signVote(pen: Signer, vote: UnsignedVote): Vote {
  const { kind, epoch, view, block, height, justifyView, signer } = vote;
  const said = { type: "vote", kind, epoch, view, block, height, justifyView } as const;
  return { ...said, signer, sig: pen.sign(said) };
}

function remember<T>(list: T[], value: T): void {
  list.push(value);
  if (list.length > REMEMBERED) list.shift();
}

function wordsOf({ kind, epoch, view, block, height, justifyView }: Ballot): string {
  return `${kind} ${epoch} ${view} ${height} ${justifyView} ${block}`;
}
